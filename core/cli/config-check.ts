// `medic config check`: whether hosts.yaml and the plugins it names can be used, with every problem on its line; with
// `--json` also the effective settings, secrets left out. Asks no host: that is doctor's.
import type { Loaded } from "../config/load.ts";
import { ConfigError, problemLines, type Problem } from "../config/problem.ts";
import { redactedConfig } from "../config/redaction.ts";
import { equip, type EquipOptions, moreFolders, readConfig } from "./config-file.ts";
import type { Context } from "./context.ts";
import { defineVerb, equipArgs, jsonArg } from "./verb.ts";

export const configCheck = defineVerb({
  name: "check",
  description: "Check hosts.yaml and the plugins it names",
  args: { ...equipArgs, ...jsonArg },
  async run(args, context) {
    const { out } = context;
    const { file, problems, loaded } = await check(context, args);
    const valid = loaded !== undefined && problems.length === 0;
    if (args.json === true) {
      out.json({ file, valid, problems, ...(valid ? { config: redactedConfig(loaded.config) } : {}) });
    } else if (valid) {
      const hosts = Object.keys(loaded.config.hosts);
      out.line(`${file} is in order: ${hosts.length === 1 ? "1 host" : `${hosts.length} hosts`} (${hosts.join(", ")})`);
    } else {
      for (const line of problemLines(file, problems)) out.note(out.paint("red", line));
    }
    return valid ? 0 : 2;
  },
});

type Found = { file: string; problems: readonly Problem[]; loaded?: Loaded };

async function check(context: Context, options: EquipOptions): Promise<Found> {
  try {
    const loaded = readConfig(context, options.config);
    const { problems, broken } = await equip(loaded, moreFolders(context, options));
    // `serve` names a broken plugin and goes on without it; whoever asks whether all is well is told no.
    const unusable = broken.map(({ why }) => ({ path: "", line: 0, column: 0, message: why }));
    return { file: loaded.file, problems: [...problems, ...unusable], loaded };
  } catch (error) {
    if (error instanceof ConfigError) return { file: error.file, problems: error.problems };
    throw error;
  }
}
