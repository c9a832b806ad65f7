// All of Medic in one JavaScript file, the same for both editions and byte for byte the same for every build of one commit:
// no time, no path of this machine, no name of a user is in it. It refuses to know which runtime it is put into.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

export type Bundle = {
  file: string;
  bytes: number;
  sha256: string;
  commit: string;
  /** What is in it: bytes by package, and by room of Medic's own; the largest first. */
  parts: readonly (readonly [name: string, bytes: number])[];
  /** The folders of the packages in it, as package-lock.json names them. */
  packages: readonly string[];
};

/** Bundles the repository in `root` into `folder`. */
export async function makeBundle(root: string, folder: string): Promise<Bundle> {
  const commit = commitOf(root);
  const file = join(folder, "medic.cjs");
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["core/main.ts"],
    outfile: file,
    bundle: true,
    metafile: true,
    platform: "node",
    // A single file of Node's starts CommonJS, and Deno runs it as well.
    format: "cjs",
    target: "node24",
    // The text stays in memory, so blanks go. Names stay: a stack in a bug report has to be readable, and ssh2 asks for
    // the names of classes. Short lines, since Node shows the one that broke.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: "none",
    define: { MEDIC_BUILD: JSON.stringify({ commit }), "import.meta.url": '""' },
    plugins: [withoutAddons],
    logLevel: "warning",
  });
  const output = Object.values(metafile.outputs)[0];
  if (output === undefined) throw new Error(`Cannot bundle "${root}": esbuild wrote nothing`);
  const text = readFileSync(file);
  const sizes = Object.entries(output.inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const);
  return {
    file,
    bytes: text.length,
    sha256: createHash("sha256").update(text).digest("hex"),
    commit,
    parts: summed(sizes.map(([path, bytes]) => [partOf(path), bytes])),
    packages: [...new Set(sizes.flatMap(([path]) => packageOf(path) ?? []))].toSorted(),
  };
}

/** ssh2 tries native addons and does without; one file has none, whatever lies in node_modules. */
const withoutAddons: Plugin = {
  name: "without-addons",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^cpu-features$|\.node$/ }, ({ path }) => ({ path, namespace: "addon" }));
    onLoad({ filter: /.*/, namespace: "addon" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`"${path}" is not part of this Medic`)});`,
    }));
  },
};

/** The commit's short name; with a "+" when the files are not as it has them. */
function commitOf(root: string): string {
  const git = (...args: string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  try {
    return git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+");
  } catch {
    // A copy of the files without their history is built all the same.
    return "unknown";
  }
}

function packageOf(path: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

function partOf(path: string): string {
  const found = packageOf(path);
  if (found !== undefined) return found.replace(/^.*node_modules\//, "");
  return path.split("/").slice(0, 2).join("/");
}

function summed(sizes: readonly (readonly [string, number])[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const [name, bytes] of sizes) sums.set(name, (sums.get(name) ?? 0) + bytes);
  return [...sums].toSorted(([, left], [, right]) => right - left);
}
