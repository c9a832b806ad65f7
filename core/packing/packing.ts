// How this Medic is packed: run from its source, or built into one file (scripts/build). The only place that knows, so that
// every other file runs the same in both. It brings what lies beside the code in a repository and nowhere in one file:
// the version, the shipped plugins and what plugins import. It refuses to know what any of it is used for.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { constants, Script } from "node:vm";
import * as valibot from "valibot";
import manifest from "../../package.json" with { type: "json" };
import * as contract from "../plugin/contract.ts";
import type { Shipped } from "../plugin/load.ts";
import { shippedPlugins } from "./shipped.ts";

/** One file for Node holds the runtime itself ("binary"); one for Deno is unpacked by a script ("deno"). */
export type Edition = "source" | "binary" | "deno";

export type Packing = Shipped & {
  version: string;
  /** The commit it was built from, short; undefined where it runs from source. */
  commit: string | undefined;
  edition: Edition;
  /** Where the repository lies, for whoever works on it; undefined where there is none. */
  source: string | undefined;
};

/** The build puts a value in this name's place; from source there is none. */
declare const MEDIC_BUILD: { commit: string } | undefined;
const build = typeof MEDIC_BUILD === "undefined" ? undefined : MEDIC_BUILD;
const edition = build === undefined ? "source" : "deno" in process.versions ? "deno" : "binary";

export const packing: Packing = {
  version: manifest.version,
  commit: build?.commit,
  edition,
  source: build === undefined ? fileURLToPath(new URL("../../", import.meta.url)) : undefined,
  plugins: Object.values(shippedPlugins).map((shipped) => shipped.default),
  modules: new Map<string, object>([
    ["medic/plugin", contract],
    ["valibot", valibot],
    ...Object.entries(shippedPlugins).map(([name, module]) => [`medic/plugins/${name}`, module] as const),
  ]),
  importFile: edition === "binary" ? importFromDisk() : async (url) => (await import(url)) as object,
};

/** In Node's single file `import()` knows built-in modules only; the loader of a script in it reads the disk. */
function importFromDisk(): Shipped["importFile"] {
  const options = { importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER };
  return new Script("(url) => import(url)", options).runInThisContext() as Shipped["importFile"];
}
