// What a binary consists of, as CycloneDX: each package that the bundle took something from, as package-lock.json has it, and
// the runtimes. No time and no serial number, so that the same commit has the same list.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readLock, type Runtime } from "./runtime.ts";

type Component = {
  type: "library" | "platform";
  "bom-ref": string;
  name: string;
  version: string;
  purl: string;
  licenses?: { expression: string }[];
  hashes?: { alg: "SHA-512"; content: string }[];
};

export type Sbom = {
  bomFormat: "CycloneDX";
  specVersion: "1.6";
  version: 1;
  metadata: object;
  components: Component[];
  dependencies: object[];
};

/** `packages`: their folders, as package-lock.json names them. */
export function sbomOf(
  root: string,
  medic: { version: string; commit: string; sha256: string },
  packages: readonly string[],
  runtimes: readonly Runtime[],
): Sbom {
  const locked = readLock(root).packages;
  const component = (type: Component["type"], folder: string): Component => {
    const found = locked[folder];
    if (found === undefined) throw new Error(`Cannot list "${folder}": package-lock.json does not have it`);
    const name = folder.replace(/^.*node_modules\//, "");
    const purl = `pkg:npm/${name.replace("@", "%40")}@${found.version}`;
    const license = found.license ?? olderLicense(root, folder);
    const digest = found.integrity?.replace(/^sha512-/, "");
    return {
      type,
      "bom-ref": purl,
      name,
      version: found.version,
      purl,
      ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
      ...(digest === undefined
        ? {}
        : { hashes: [{ alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") }] }),
    };
  };
  const components = [
    ...packages.map((folder) => component("library", folder)),
    ...runtimes.map((runtime) => component("platform", `node_modules/${runtime.package}`)),
  ];
  const self = `pkg:generic/medic@${medic.version}`;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": self,
        name: "medic",
        version: medic.version,
        purl: self,
        licenses: [{ expression: "MIT" }],
        hashes: [{ alg: "SHA-256", content: medic.sha256 }],
        properties: [{ name: "medic:commit", value: medic.commit }],
      },
    },
    components,
    dependencies: [{ ref: self, dependsOn: components.map((one) => one["bom-ref"]) }],
  };
}

/** An old form of package.json has a list of objects; npm does not lock it. */
function olderLicense(root: string, folder: string): string | undefined {
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
    licenses?: { type: string }[];
  };
  return manifest.licenses?.map(({ type }) => type).join(" OR ");
}
