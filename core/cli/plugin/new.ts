// `medic plugin new NAME`: a folder with a plugin that passes at once. Writes nothing over what is there.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { packing } from "../../packing/packing.ts";
import { type ExitCode, UsageError } from "../context.ts";
import { defineVerb, jsonArg } from "../verb.ts";
import { newPlugin } from "./template.ts";

/** Leaves room for `_not_running` and the like in a tool's 48 characters. */
const NAME_LENGTH_MAX = 32;

export const pluginNew = defineVerb({
  name: "new",
  description: "Make a folder with a plugin that passes at once",
  args: {
    name: { type: "positional", description: "The plugin's name, e.g. caddy", required: true },
    in: { type: "string", description: "The folder it goes to (default: the current one)", valueHint: "path" },
    ...jsonArg,
  },
  async run({ name, in: where = ".", json }, { folder, out }): Promise<ExitCode> {
    const target = join(resolve(folder, where), name);
    requireName(name, target);
    const files = newPlugin(name, packing.source);
    for (const [path, text] of Object.entries(files)) {
      // oxlint-disable-next-line no-await-in-loop
      await mkdir(dirname(join(target, path)), { recursive: true });
      // oxlint-disable-next-line no-await-in-loop
      await writeFile(join(target, path), text, { flag: "wx" });
    }
    if (json === true) {
      out.json({ plugin: name, folder: target, files: Object.keys(files) });
      return 0;
    }
    const shown = relative(folder, target);
    for (const path of Object.keys(files)) out.line(join(shown, path));
    out.note(`Test it:  medic plugin test ${shown}`);
    out.note(`Use it:   medic tool HOST --plugins ${shown}, or pluginFolders: [${dirname(shown)}] in hosts.yaml`);
    return 0;
  },
});

function requireName(name: string, target: string): void {
  const cannot = `Cannot make a plugin "${name}"`;
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > NAME_LENGTH_MAX) {
    const rule = `lower case letters, digits and single dashes, a letter first, at most ${NAME_LENGTH_MAX} characters`;
    throw new UsageError(`${cannot}: a name has ${rule}. Name it after the service, like "caddy"`);
  }
  if (packing.plugins.some((plugin) => plugin.name === name)) {
    throw new UsageError(`${cannot}: Medic comes with a plugin of this name. Choose another, like "my-${name}"`);
  }
  if (existsSync(target)) {
    throw new UsageError(`${cannot}: "${target}" is there already. Choose another name, or another folder with --in`);
  }
  if (basename(target) !== name) throw new UsageError(`${cannot}: it is no name of a folder`);
}
