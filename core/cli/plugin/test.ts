// `medic plugin test FOLDER`: holds a plugin to its cases and to what every plugin has to keep. Asks no host; the author
// writes no test code.
import { resolve } from "node:path";
import { packing } from "../../packing/packing.ts";
import { checkPlugin, whyBroken } from "../../plugin/conformance.ts";
import { defineVerb, jsonArg } from "../verb.ts";

export const pluginTest = defineVerb({
  name: "test",
  description: "Hold a plugin to its cases and to the contract",
  args: {
    folder: { type: "positional", description: "The plugin's folder, e.g. plugins/docker", required: true },
    ...jsonArg,
  },
  async run(args, { out, folder }) {
    const { plugin, checks } = await checkPlugin(packing, resolve(folder, args.folder));
    const results = checks.map((check) => {
      const why = whyBroken(check);
      return { rule: check.rule, name: check.name, ok: why === undefined, ...(why === undefined ? {} : { why }) };
    });
    const failed = results.filter(({ ok }) => !ok);
    if (args.json === true) {
      out.json({ plugin, passed: results.length - failed.length, failed: failed.length, checks: results });
    } else {
      for (const { rule, name, why } of failed) {
        out.line(`${out.paint("red", "FAILED")} ${name} (${rule})\n  ${why?.replaceAll("\n", "\n  ")}`);
      }
      out.line(`${plugin}: ${results.length - failed.length} checks hold, ${failed.length} do not`);
    }
    return failed.length === 0 ? 0 : 1;
  },
});
