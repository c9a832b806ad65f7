// Every built-in plugin keeps what a plugin has to keep: its own cases, and the rules for all. A plugin's author writes
// no test code; a new folder in plugins/ is found here by itself.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkPlugin } from "../core/plugin/conformance.ts";
import { builtInFolder, loadPlugins } from "../core/plugin/load.ts";

const folders = readdirSync(builtInFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const checked = await Promise.all(folders.map(({ name }) => checkPlugin(join(builtInFolder, name))));

for (const { plugin, checks } of checked) {
  describe(`plugin ${plugin}`, () => {
    for (const { name, run } of checks) it(name, run);
  });
}

describe("the built-in plugins", () => {
  it("load together, and none of them is broken", async () => {
    const { plugins, broken } = await loadPlugins([]);
    assert.deepEqual(broken, []);
    assert.deepEqual(plugins.map(({ name }) => name).toSorted(), folders.map(({ name }) => name).toSorted());
  });
});
