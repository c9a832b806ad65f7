// `medic config import [HOST…]`: entries for hosts.yaml from ~/.ssh/config, to be read and pasted by a person. Writes no
// file, asks no host and runs nothing of what the file names.
import { existsSync, globSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { stringify } from "yaml";
import { parseSshConfig } from "../config/ssh-config.ts";
import { importHosts } from "../config/ssh-import.ts";
import { type Context, type ExitCode, UsageError } from "./context.ts";
import { defineVerb, jsonArg } from "./verb.ts";

export const configImport = defineVerb({
  name: "import",
  description: "Print hosts.yaml entries for the hosts of ~/.ssh/config",
  args: {
    hosts: { type: "positional", description: "Names of its Host lines; all when absent", required: false },
    file: { type: "string", description: "Path of the ssh_config (default: ~/.ssh/config)", valueHint: "path" },
    ...jsonArg,
  },
  takesMany: true,
  run(args, context): ExitCode {
    const { home, folder, out } = context;
    const file = args.file === undefined ? join(home, ".ssh", "config") : resolve(folder, args.file);
    const atHome = (path: string): string => (path.startsWith("~/") ? join(home, path.slice(2)) : path);
    const config = parseSshConfig(readOrExplain(file), (pattern) => {
      const path = atHome(pattern);
      return globSync(isAbsolute(path) ? path : join(home, ".ssh", path))
        .toSorted()
        .map(readOrExplain);
    });
    const user = userOf(context);
    const { hosts, notes } = importHosts(config, args._, { user, exists: (path) => existsSync(atHome(path)) });
    if (args.json === true) out.json({ hosts, notes });
    else {
      if (Object.keys(hosts).length > 0) out.line(stringify({ hosts }, { lineWidth: 0 }).trimEnd());
      for (const note of notes) out.note(note);
      if (Object.keys(hosts).length > 0)
        out.note("Each host begins with trust: observe. Pin its key: medic trust HOST");
    }
    if (Object.keys(hosts).length > 0) return 0;
    if (args.json !== true) out.note(`There is no host to import in ${file}.`);
    return 1;
  },
});

function readOrExplain(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot import hosts: "${path}" cannot be read: ${why}`);
  }
}

function userOf({ env }: Context): string {
  return env["USER"] || env["LOGNAME"] || "root";
}
