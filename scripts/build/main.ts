// `npm run build`: Medic as one file, for each architecture and edition, with checksums and a list of what is in it. From
// what npm offers alone. Progress goes to standard error, the files made to standard output.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { packing } from "../../core/packing/packing.ts";
import { makeBundle } from "./bundle.ts";
import { makeDenoFile } from "./deno-file.ts";
import { makeNodeBinary } from "./node-binary.ts";
import { architectures, lockedRuntimes, runtimeFile, runtimeNames } from "./runtime.ts";
import { sbomOf } from "./sbom.ts";

const usage = `usage: npm run build -- [--target x64,arm64] [--edition node,deno] [--out dist] [--parts] [--help]

  --target    the architectures (default: both)
  --edition   node: Node and Medic in one program; deno: a script that unpacks Deno and Medic (default: both)
  --out       the folder (default: dist)
  --parts     print what the bundle consists of, by size, and make nothing else

Makes medic-<version>-linux-<x64|arm64>[-deno], medic-<version>.cdx.json (CycloneDX), and SHA256SUMS over them; install.sh
and medic.service lie beside them.`;

const options = {
  target: { type: "string", default: "x64,arm64" },
  edition: { type: "string", default: "node,deno" },
  out: { type: "string", default: "dist" },
  parts: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const root = resolve(import.meta.dirname, "../..");
const began = performance.now();
const say = (progress: string): void => {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${progress}\n`);
};

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const targets = listed("--target", values.target, architectures);
  const editions = listed("--edition", values.edition, runtimeNames);
  const kept = join(root, ".medic/build");
  mkdirSync(kept, { recursive: true });
  if (values.parts) {
    const { parts } = await makeBundle(root, kept);
    for (const [name, bytes] of parts) process.stdout.write(`${String(bytes).padStart(8)}  ${name}\n`);
    return 0;
  }
  // Of its own, so that two builds at a time do not meet.
  const work = mkdtempSync(join(kept, "run-"));
  try {
    return await make({ targets, editions, out: resolve(values.out), kept, work });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

type Wanted = {
  targets: readonly string[];
  editions: readonly string[];
  out: string;
  kept: string;
  work: string;
};

async function make({ targets, editions, out, kept, work }: Wanted): Promise<number> {
  const bundle = await makeBundle(root, work);
  say(`bundled ${bundle.commit}: ${megabytes(bundle.bytes)} MB, sha256 ${bundle.sha256}`);
  mkdirSync(out, { recursive: true });
  const { version } = packing;
  const runtimes = lockedRuntimes(root);
  const files: string[] = [];
  for (const runtime of runtimes) {
    const { name, architecture } = runtime;
    if (!targets.includes(architecture) || !editions.includes(name)) continue;
    const program = runtimeFile(root, runtime, join(kept, "runtimes"), say);
    const file = join(out, `medic-${version}-linux-${architecture}${name === "deno" ? "-deno" : ""}`);
    if (name === "deno") makeDenoFile({ bundle: bundle.file, deno: program, version, folder: work }, file);
    else {
      // Only the target's own Node can compile ahead for it.
      const how = { builder: process.execPath, codeCache: architecture === process.arch, folder: work };
      // oxlint-disable-next-line no-await-in-loop
      await makeNodeBinary({ bundle: bundle.file, node: program, ...how }, file);
    }
    files.push(file);
    say(`made ${relative(process.cwd(), file)}: ${megabytes(statSync(file).size)} MB`);
  }
  const medic = { version, commit: bundle.commit, sha256: bundle.sha256 };
  const list = join(out, `medic-${version}.cdx.json`);
  writeFileSync(list, `${JSON.stringify(sbomOf(root, medic, bundle.packages, runtimes), null, 2)}\n`);
  files.push(list);
  // Whoever has the folder has all that an installation needs.
  for (const file of ["scripts/install.sh", "scripts/deploy/medic.service"]) {
    files.push(join(out, basename(file)));
    copyFileSync(join(root, file), join(out, basename(file)));
  }
  writeChecksums(out, version);
  for (const file of [...files, join(out, "SHA256SUMS")]) process.stdout.write(`${relative(process.cwd(), file)}\n`);
  return 0;
}

/** Over all that lies there of this version, also what an earlier call made, and what installs it. */
function writeChecksums(folder: string, version: string): void {
  const isPart = (name: string): boolean =>
    name === "install.sh" ||
    name === "medic.service" ||
    (name.startsWith(`medic-${version}`) && !name.endsWith(".part"));
  const names = readdirSync(folder).filter(isPart);
  const lines = names.toSorted().map((name) => {
    const digest = createHash("sha256").update(readFileSync(join(folder, name))).digest("hex"); // prettier-ignore
    return `${digest}  ${name}\n`;
  });
  rmSync(join(folder, "SHA256SUMS"), { force: true });
  writeFileSync(join(folder, "SHA256SUMS"), lines.join(""));
}

function listed<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const names = text.split(",").map((name) => name.trim());
  const wrong = names.find((name) => !known.some((one) => one === name));
  if (wrong !== undefined) throw new Error(`Cannot use ${option} "${wrong}": known are ${known.join(", ")}`);
  return known.filter((name) => names.includes(name));
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
