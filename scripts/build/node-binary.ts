// One file for the edge, the default edition: Node's own "single executable application". The bundle becomes a blob, the
// blob a note in Node's program, and a fuse in it says that it is there.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inject } from "postject";
import { withoutSymbols } from "./elf.ts";

const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** Node still calls the loader experimental that reads plugins from the disk, and would say so each time. */
const nodeOptions = ["--disable-warning=ExperimentalWarning"];

export type Parts = {
  bundle: string;
  /** The target's Node. */
  node: string;
  /** A Node of the same version that runs here; it makes the blob. */
  builder: string;
  /** Keeps V8's compiled form beside the text: starts quicker, but only the target's own Node can make it. */
  codeCache: boolean;
  /** For what is made on the way. */
  folder: string;
};

/** Writes the binary to `out`. */
export async function makeNodeBinary({ bundle, node, builder, codeCache, folder }: Parts, out: string): Promise<void> {
  const blob = join(folder, "medic.blob");
  const config = join(folder, "sea.json");
  writeFileSync(
    config,
    JSON.stringify({
      main: bundle,
      output: blob,
      disableExperimentalSEAWarning: true,
      useCodeCache: codeCache,
      execArgv: nodeOptions,
      // NODE_OPTIONS of somebody's shell is not meant for Medic.
      execArgvExtension: "none",
    }),
  );
  execFileSync(builder, ["--experimental-sea-config", config], { stdio: ["ignore", "ignore", "inherit"] });
  const part = `${out}.part`;
  writeFileSync(part, withoutSymbols(readFileSync(node)));
  await inject(part, "NODE_SEA_BLOB", readFileSync(blob), { sentinelFuse: FUSE });
  chmodSync(part, 0o755);
  renameSync(part, out);
}
