// `medic backup FILE`: a copy of the journal, made while `serve` runs or not, and verified before it counts. How to restore
// one is in docs/install.md.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { backUp } from "../incident/backup.ts";
import { readConfig } from "./config-file.ts";
import type { ExitCode } from "./context.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

export const backup = defineVerb({
  name: "backup",
  description: "Copy the journal to a file, also while serve runs, and verify the copy",
  args: {
    file: { type: "positional", description: "Where to; nothing is overwritten", required: true },
    ...configArg,
    ...jsonArg,
  },
  run(args, context): ExitCode {
    const { data } = readConfig(context, args.config).config.server;
    const file = resolve(context.folder, args.file);
    const { events, head } = backUp(data, file, { now: Date.now });
    const bytes = statSync(file).size;
    if (args.json === true) context.out.json({ file, bytes, events, head });
    else
      context.out.line(
        `Copied ${events} events (${Math.ceil(bytes / 1024)} KiB) to ${file}; the last is ${head.sequence}:${head.hash}`,
      );
    return 0;
  },
});
