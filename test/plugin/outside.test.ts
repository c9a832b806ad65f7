import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packing } from "../../core/packing/packing.ts";
import { loadPlugins } from "../../core/plugin/load.ts";

describe("a plugin outside the repository", () => {
  it("imports the contract, other plugins and valibot without a node_modules of its own", async (t) => {
    const text = `
      import { definePlugin, diagnostic } from "medic/plugin";
      import { systemdStatus } from "medic/plugins/systemd";
      import * as v from "valibot";
      type Seen = { said: string; other: string };
      export default definePlugin({
        name: "hello", apiVersion: 1, summary: "s", options: v.strictObject({}), runbooks: [],
        tools: [diagnostic({ name: "hello", description: "d", input: v.strictObject({}), command: () => ["true"],
          parse: (result): Seen => ({ said: result.stdout, other: systemdStatus.name }) })],
      });`;
    const folder = await mkdtemp(join(tmpdir(), "medic-plugins-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, "hello"));
    await writeFile(join(folder, "hello", "plugin.ts"), text);
    const { plugins, broken } = await loadPlugins(packing, [folder]);
    assert.deepEqual(broken, []);
    assert.equal(plugins.at(-1)?.name, "hello");
  });
});
