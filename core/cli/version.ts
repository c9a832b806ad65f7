// `medic version`: what runs, for a bug report.
import process from "node:process";
import { packing } from "../packing/packing.ts";
import { defineVerb, jsonArg } from "./verb.ts";

export const version = defineVerb({
  name: "version",
  description: "Print the version of Medic, how it is packed, and the runtime under it",
  args: { ...jsonArg },
  run(args, { out }) {
    const { version: number, commit, edition } = packing;
    const runtime = "deno" in process.versions ? `deno ${process.versions["deno"]}` : `node ${process.versions.node}`;
    const platform = `${process.platform}-${process.arch}`;
    const from = commit === undefined ? edition : `${edition} of ${commit}`;
    if (args.json === true) out.json({ version: number, commit, edition, runtime, platform });
    else out.line(`medic ${number} (${from}, ${runtime}, ${platform})`);
    return 0;
  },
});
