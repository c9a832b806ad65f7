// Every tool of every plugin, with strings nobody thought of: whatever a schema lets through stays one literal argument,
// is no flag and no second line, and never becomes part of a script.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { packing } from "../../core/packing/packing.ts";
import { validOptions } from "../../core/plugin/case-run.ts";
import { readCases } from "../../core/plugin/cases.ts";
import { commandsOf } from "../../core/plugin/conformance.ts";
import { hostileProblems } from "../../core/plugin/hostile.ts";

const sharp = [
  ..."; $ ` & | > < ' \" \\ * ? ( ) { } [ ] ! # ~ ^ % \n \r \0 \t \u001b".split(" "),
  " ",
  "$(",
  "${",
  "&&",
];
const hostile = fc
  .tuple(fc.string({ unit: "binary", maxLength: 20 }), fc.constantFrom(...sharp), fc.string({ maxLength: 20 }))
  .map((parts) => parts.join(""));

for (const plugin of packing.plugins) {
  const { cases } = await readCases(fileURLToPath(new URL(`../../plugins/${plugin.name}`, import.meta.url)));
  describe(`fuzzing ${plugin.name}`, () => {
    for (const tool of plugin.tools) {
      it(`keeps what is hostile out of ${tool.name}`, () => {
        const subjects = cases.flatMap(({ options, ...one }) => {
          if (!("tool" in one) || one.tool.tool !== tool.name || one.tool.invalid !== undefined) return [];
          const commands = commandsOf(tool, one.tool, validOptions(plugin, options));
          return commands === undefined ? [] : [{ input: one.tool.input, commands }];
        });
        assert.ok(subjects.length > 0);
        const keepsOut = fc.property(fc.constantFrom(...subjects), hostile, ({ input, commands }, value) => {
          // host_inspect takes flags on purpose, each by its own rule.
          if (tool.name === "host_inspect" && value.startsWith("-")) return;
          assert.deepEqual(hostileProblems(tool, input, commands, [value]), []);
        });
        fc.assert(keepsOut, { numRuns: 150 });
      });
    }
  });
}
