// Every built-in plugin, and every example of the docs, keeps what a plugin has to keep: its own cases, and the rules for all. A plugin's author writes
// no test code; a new folder in plugins/ is found here by itself.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { packing } from "../core/packing/packing.ts";
import { checkPlugin } from "../core/plugin/conformance.ts";

const shippedFolder = fileURLToPath(new URL("../plugins/", import.meta.url));
const examplesFolder = fileURLToPath(new URL("../docs/examples/", import.meta.url));
const folders = foldersIn(shippedFolder);
const places = [...folders.map((name) => join(shippedFolder, name)), ...foldersIn(examplesFolder).map((name) => join(examplesFolder, name))]; // prettier-ignore
const checked = await Promise.all(places.map((place) => checkPlugin(packing, place)));

for (const { plugin, checks } of checked) {
  describe(`plugin ${plugin}`, () => {
    for (const { name, run } of checks) it(name, run);
  });
}

describe("the shipped plugins", () => {
  it("are those of the folders of plugins/, each under its folder's name", () => {
    assert.deepEqual(packing.plugins.map(({ name }) => name).toSorted(), folders.toSorted());
  });
});

function foldersIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
