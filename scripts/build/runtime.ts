// The runtimes that a binary is made of, as npm's packages bring them: from node_modules where the package is installed,
// else fetched with `npm pack` and held to the digest in package-lock.json. Nothing else is downloaded.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

export const architectures = ["x64", "arm64"] as const;
export const runtimeNames = ["node", "deno"] as const;
export type Runtime = {
  name: (typeof runtimeNames)[number];
  architecture: (typeof architectures)[number];
  package: string;
  version: string;
  integrity: string;
};

type Lock = { packages: Record<string, { version: string; integrity?: string; license?: string }> };

/** What npm installed, or would. */
export function readLock(root: string): Lock {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock;
}

/** Every runtime that some binary is made of, as package-lock.json has it. */
export function lockedRuntimes(root: string): Runtime[] {
  const { packages } = readLock(root);
  return architectures.flatMap((architecture) =>
    runtimeNames.map((name) => {
      const packageName = name === "node" ? `node-linux-${architecture}` : `@deno/linux-${architecture}-glibc`;
      const locked = packages[`node_modules/${packageName}`];
      if (locked?.integrity === undefined) {
        throw new Error(`Cannot build for "${architecture}": package-lock.json has no "${packageName}" with a digest`);
      }
      return { name, architecture, package: packageName, version: locked.version, integrity: locked.integrity };
    }),
  );
}

/** Where its program lies; `cache` keeps what had to be fetched. */
export function runtimeFile(root: string, runtime: Runtime, cache: string, say: (progress: string) => void): string {
  const path = runtime.name === "node" ? "bin/node" : "deno";
  const installed = join(root, "node_modules", runtime.package, path);
  if (existsSync(installed)) return installed;
  const kept = join(cache, `${runtime.package.replace("/", "-")}-${runtime.version}`);
  const file = join(kept, "package", path);
  if (!existsSync(file)) {
    say(`fetching ${runtime.package} ${runtime.version}`);
    fetchPackage(`${runtime.package}@${runtime.version}`, runtime.integrity, kept);
  }
  return file;
}

function fetchPackage(spec: string, integrity: string, into: string): void {
  const part = `${into}.${process.pid}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const told = execFileSync("npm", ["pack", spec, "--json", "--silent", "--pack-destination", part], {
    encoding: "utf8",
  });
  const [packed] = JSON.parse(told) as { filename: string }[];
  const archive = join(part, packed?.filename ?? "");
  const [algorithm = "", expected = ""] = integrity.split(/-(.*)/s);
  const got = createHash(algorithm).update(readFileSync(archive)).digest("base64");
  if (got !== expected) {
    rmSync(part, { recursive: true, force: true });
    throw new Error(`Cannot use "${spec}": its ${algorithm} is "${got}", package-lock.json has "${expected}"`);
  }
  execFileSync("tar", ["-xzf", archive, "-C", part]);
  rmSync(archive);
  // Another build may have been quicker.
  if (existsSync(into)) rmSync(part, { recursive: true });
  else renameSync(part, into);
}
