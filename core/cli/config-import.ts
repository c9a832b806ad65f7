// `medic config import [HOST…]`: entries for hosts.yaml from ~/.ssh/config, to be read and pasted by a person. Writes no
// file, asks no host and runs nothing of what the file names.
import { existsSync, globSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { stringify } from "yaml";
import { parseSshConfig } from "../config/ssh-config.ts";
import { type Imported, importHosts } from "../config/ssh-import.ts";
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
    const file = args.file === undefined ? sshConfigOf(home) : resolve(folder, args.file);
    const { hosts, notes } = importText(readOrExplain(file), args._, context);
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

export function sshConfigOf(home: string): string {
  return join(home, ".ssh", "config");
}

/** What a text in the form of ssh_config says of `names`, or of all its hosts, for this person on this machine. */
export function importText(text: string, names: readonly string[], context: Context): Imported {
  const { home } = context;
  const atHome = (path: string): string => (path.startsWith("~/") ? join(home, path.slice(2)) : path);
  const config = parseSshConfig(text, (pattern) => {
    const path = atHome(pattern);
    return globSync(isAbsolute(path) ? path : join(home, ".ssh", path))
      .toSorted()
      .map(readOrExplain);
  });
  return importHosts(config, names, { user: userOf(context), exists: (path) => existsSync(atHome(path)) });
}

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
