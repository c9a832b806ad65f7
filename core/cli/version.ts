// `medic version`: what runs, for a bug report.
import { createRequire } from "node:module";
import process from "node:process";
import { defineVerb, jsonArg } from "./verb.ts";

/** Medic's own version, from package.json. */
export const medicVersion: string = (createRequire(import.meta.url)("../../package.json") as { version: string })
  .version;

export const version = defineVerb({
  name: "version",
  description: "Print the version of Medic and of the runtime under it",
  args: { ...jsonArg },
  run(args, { out }) {
    const runtime = "deno" in process.versions ? `deno ${process.versions["deno"]}` : `node ${process.versions.node}`;
    const platform = `${process.platform}-${process.arch}`;
    if (args.json === true) out.json({ version: medicVersion, runtime, platform });
    else out.line(`medic ${medicVersion} (${runtime}, ${platform})`);
    return 0;
  },
});
