// Every built-in plugin, and every example of the docs, keeps what a plugin has to keep: its own cases, and the rules for all. A plugin's author writes
// no test code; a new folder in plugins/ is found here by itself.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { checkPlugin } from "../core/plugin/conformance.ts";
import { builtInFolder, loadPlugins } from "../core/plugin/load.ts";

const examplesFolder = fileURLToPath(new URL("../docs/examples/", import.meta.url));
const folders = foldersIn(builtInFolder);
const places = [...folders.map((name) => join(builtInFolder, name)), ...foldersIn(examplesFolder).map((name) => join(examplesFolder, name))]; // prettier-ignore
const checked = await Promise.all(places.map(checkPlugin));

for (const { plugin, checks } of checked) {
  describe(`plugin ${plugin}`, () => {
    for (const { name, run } of checks) it(name, run);
  });
}

describe("the built-in plugins", () => {
  it("load together, and none of them is broken", async () => {
    const { plugins, broken } = await loadPlugins([]);
    assert.deepEqual(broken, []);
    assert.deepEqual(plugins.map(({ name }) => name).toSorted(), folders.toSorted());
  });
});

function foldersIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
