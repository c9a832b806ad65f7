// `medic plugin check FOLDER`: holds a plugin to its cases and to what every plugin has to keep. Asks no host; the author
// writes no test code.
import { resolve } from "node:path";
import { checkPlugin } from "../plugin/conformance.ts";
import { defineVerb, jsonArg } from "./verb.ts";

export const pluginCheck = defineVerb({
  name: "check",
  description: "Hold a plugin to its cases and to the contract",
  args: {
    folder: { type: "positional", description: "The plugin's folder, e.g. plugins/docker", required: true },
    ...jsonArg,
  },
  async run(args, { out, folder }) {
    const { plugin, checks } = await checkPlugin(resolve(folder, args.folder));
    const results = checks.map(({ name, run }) => ({ name, ...outcomeOf(run) }));
    const failed = results.filter(({ ok }) => !ok);
    if (args.json === true) {
      out.json({ plugin, passed: results.length - failed.length, failed: failed.length, checks: results });
    } else {
      for (const { name, why } of failed) out.line(`${out.paint("red", "FAILED")} ${name}\n  ${why}`);
      out.line(`${plugin}: ${results.length - failed.length} checks hold, ${failed.length} do not`);
    }
    return failed.length === 0 ? 0 : 1;
  },
});

function outcomeOf(run: () => void): { ok: boolean; why?: string } {
  try {
    run();
    return { ok: true };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message.trim() : String(error) };
  }
}
