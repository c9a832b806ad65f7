import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import * as valibot from "valibot";
import { packing } from "../../core/packing/packing.ts";
import { diagnostic } from "../../core/plugin/contract.ts";
import { loadPlugins } from "../../core/plugin/load.ts";

const root = await mkdtemp(join(tmpdir(), "medic-plugins-"));
after(() => rm(root, { recursive: true, force: true }));

/** A folder of plugins, each given as the text of its plugin.ts or plugin.js. */
async function folderOf(plugins: Record<string, string>, file = "plugin.js"): Promise<string> {
  const folder = await mkdtemp(join(root, "folder-"));
  for (const [name, text] of Object.entries(plugins)) {
    // oxlint-disable-next-line no-await-in-loop
    await mkdir(join(folder, name));
    // oxlint-disable-next-line no-await-in-loop
    await writeFile(join(folder, name, file), text);
  }
  return folder;
}

/** A plugin that imports nothing, so that it loads in every runtime. `bend` is JavaScript that changes `plugin`. */
function plain(name: string, bend = ""): string {
  return `
    const schema = { kind: "schema", type: "strict_object", entries: {}, async: false,
      "~run": (dataset) => ({ typed: true, value: dataset.value }) };
    const tool = { kind: "diagnostic", name: "${name}_status", description: "d", input: schema,
      command: () => ["true"], parse: () => ({ well: true }) };
    const plugin = { name: "${name}", apiVersion: 1, summary: "s", options: schema, tools: [tool], runbooks: [] };
    ${bend}
    export default plugin;`;
}

async function whyBroken(text: string): Promise<string> {
  const { broken } = await loadPlugins(packing, [await folderOf({ odd: text })]);
  return broken.map(({ why }) => why).join("\n");
}

describe("loading plugins", () => {
  it("begins with the shipped ones", async () => {
    const { plugins, broken, folders } = await loadPlugins(packing, []);
    assert.deepEqual(broken, []);
    assert.deepEqual(plugins, packing.plugins);
    assert.deepEqual([...folders], []);
  });

  it("finds those of a folder of plugins, and of a folder that is one", async () => {
    const folder = await folderOf({ fan: plain("fan"), pump: plain("pump") });
    const all = await loadPlugins(packing, [folder]);
    assert.deepEqual(
      all.plugins.slice(-2).map(({ name }) => name),
      ["fan", "pump"],
    );
    const one = await loadPlugins(packing, [join(folder, "fan")]);
    assert.equal(one.plugins.at(-1)?.name, "fan");
  });

  it("names a broken plugin and loads the others", async () => {
    const folder = await folderOf({ bad: "throw new Error('no luck');", fan: plain("fan") });
    const { plugins, broken } = await loadPlugins(packing, [folder]);
    assert.equal(plugins.at(-1)?.name, "fan");
    assert.equal(broken.length, 1);
    assert.equal(broken[0]?.folder, join(folder, "bad"));
    assert.match(broken[0]?.why ?? "", /Cannot load ".*bad\/plugin\.js:1": Error: no luck/);
  });

  it("names a plugin that does not parse, with its line", async () => {
    assert.match(await whyBroken("\nexport default {{"), /Cannot load ".*odd\/plugin\.js(:2)?": .*SyntaxError/);
    const { broken } = await loadPlugins(packing, [
      await folderOf({ odd: "type A = string;\nexport default {{;" }, "plugin.ts"),
    ]);
    assert.match(broken[0]?.why ?? "", /Cannot load ".*odd\/plugin\.ts(:2)?": .*SyntaxError/);
  });

  it("says on which line a plugin breaks that throws while it is loaded", async () => {
    const text = "type A = { b: { c: string } };\nconst none = null as unknown as A;\nexport default none.b;";
    const { broken } = await loadPlugins(packing, [await folderOf({ odd: text }, "plugin.ts")]);
    assert.match(broken[0]?.why ?? "", /Cannot load ".*odd\/plugin\.ts:3": TypeError/);
  });

  it("says on which line the export stands that is no plugin", async () => {
    assert.match(await whyBroken("\nexport default { name: 3 };"), /Cannot use ".*plugin\.js:2": apiVersion/);
  });

  const imports: readonly (readonly [what: string, text: string, why: RegExp])[] = [
    ["Node", 'import { readFileSync } from "node:fs";', /plugin\.js:2: imports "node:fs": only "medic\/plugin"/],
    ["Node without its prefix", 'import "child_process";', /imports "child_process"/],
    ["core", 'import "medic/core";', /imports "medic\/core"/],
    ["a package", 'export * from "ssh2";', /imports "ssh2"/],
    ["a file of another folder", 'import "../fan/plugin.js";', /imports "\.\.\/fan\/plugin\.js", which lies outside/],
    ["a file by its path", 'import "/etc/x.js";', /imports "\/etc\/x\.js"/],
    ["a web page", 'import "https://example.org/x.js";', /imports "https:/],
    ["data", 'import "./names.json";', /name the file with its \.ts or \.js/],
    ["later, in a function", 'const later = () => import("node:net");', /plugin\.js:2: imports "node:net"/],
    ["a computed name", "const later = (name) => import(name);", /plugin\.js:2: import\(\) of a computed name/],
  ];
  for (const [what, text, why] of imports) {
    it(`refuses to import ${what}`, async () => {
      assert.match(await whyBroken(`// first line\n${text}\n${plain("fan")}`), why);
    });
  }

  it("does not take a text, a comment or a type for an import", async () => {
    const text =
      '// import("node:fs")\nconst said = "import x from \'node:net\'";\nconst ratio = 4 / 2; void [said, ratio];';
    const { plugins, broken } = await loadPlugins(packing, [await folderOf({ fan: `${text}\n${plain("fan")}` })]);
    assert.deepEqual(broken, []);
    assert.equal(plugins.at(-1)?.name, "fan");
  });

  it("refuses a forbidden import in a file that the plugin imports, with that file's name", async () => {
    const folder = await folderOf({ fan: `import "./more.js";\n${plain("fan")}` });
    await writeFile(join(folder, "fan", "more.js"), 'import "./plugin.js";\nimport "node:os";');
    const { broken } = await loadPlugins(packing, [folder]);
    assert.match(broken[0]?.why ?? "", /: more\.js:2: imports "node:os"/);
  });

  it("names a folder that holds nothing", async () => {
    const { broken } = await loadPlugins(packing, [await folderOf({ empty: "" }, "notes.txt")]);
    assert.match(broken[0]?.why ?? "", /it has no plugin\.ts and no plugin\.js/);
  });

  it("names a folder that is not there", async () => {
    const { plugins, broken } = await loadPlugins(packing, [join(root, "nowhere")]);
    assert.ok(plugins.length > 0);
    assert.match(broken[0]?.why ?? "", /Cannot look for plugins in .*nowhere.*Correct pluginFolders in hosts\.yaml/);
  });

  it("refuses a second plugin of the same name, and keeps the first", async () => {
    const { plugins, broken } = await loadPlugins(packing, [await folderOf({ systemd: plain("systemd") })]);
    assert.equal(plugins.filter(({ name }) => name === "systemd").length, 1);
    assert.match(broken[0]?.why ?? "", /another one has this name already/);
  });

  it("refuses a second tool of the same name", async () => {
    const twin = plain("fan", `tool.name = "systemd_status";`);
    assert.match(await whyBroken(twin), /its tool "systemd_status" is the name of one of "systemd"/);
  });

  const wrongs: readonly (readonly [what: string, bend: string, why: RegExp])[] = [
    ["another API version", "plugin.apiVersion = 2;", /apiVersion is 2, and this Medic knows 1 only/],
    ["a name in capitals", 'plugin.name = "Fan";', /name "Fan" is not lower case/],
    ["a tool's name with a dash", 'tool.name = "fan-status";', /tool "fan-status": is not named/],
    ["a tool's name of 49 characters", 'tool.name = "f".repeat(49);', /at most 48 characters/],
    ["no description", 'tool.description = " ";', /has no description/],
    ["an input that takes unknown keys", 'tool.input = { ...schema, type: "object" };', /use v\.strictObject/],
    ["an input with a host", "tool.input = { ...schema, entries: { host: schema } };", /input has a key "host"/],
    ["a timeout of zero", "tool.timeoutSeconds = 0;", /timeoutSeconds is not positive/],
    ["an endless timeout", "tool.timeoutSeconds = Infinity;", /timeoutSeconds is not positive/],
    ["a diagnostic without parse", "tool.parse = undefined;", /parse is not a function/],
    ["a kind of its own", 'tool.kind = "poke";', /kind "poke" is neither/],
    ["a fix without a risk", 'tool.kind = "fix";', /risk \(missing\) is not one of/],
    ["two tools of one name", "plugin.tools = [tool, tool];", /two of its tools are called "fan_status"/],
    [
      "a runbook without guidance",
      'plugin.runbooks = [{ title: "t", when: () => true, decide: () => {} }];',
      /has no guidance/,
    ],
    ["hints that are texts", 'plugin.hints = ["x"];', /hints is not a list of/],
    ["a heals that is a list", 'plugin.heals = ["x"];', /heals is not a function/],
  ];
  for (const [what, bend, why] of wrongs) {
    it(`refuses ${what}`, async () => {
      assert.match(await whyBroken(plain("fan", bend)), why);
    });
  }

  it("refuses a module without a default export", async () => {
    assert.match(await whyBroken("export const plugin = {};"), /it has no default export/);
  });

  it("refuses a plugin that Medic does not come with, and a way around its name", async () => {
    for (const name of ["medic/plugins/nowhere", "medic/plugins/../../etc", "medic/plugin.ts"]) {
      // oxlint-disable-next-line no-await-in-loop
      assert.match(await whyBroken(`import "${name}";\n${plain("fan")}`), /plugin\.js:1: imports "medic/, name);
    }
  });

  it("gives a plugin in JavaScript this process's own modules", async () => {
    const text = `import * as v from "valibot";\nimport { diagnostic } from "medic/plugin";
      import docker from "medic/plugins/docker";\n${plain("fan", "plugin.shared = { v, diagnostic, docker };")}`;
    const { plugins, broken } = await loadPlugins(packing, [await folderOf({ fan: text })]);
    assert.deepEqual(broken, []);
    const { shared } = plugins.at(-1) as unknown as { shared: Record<string, unknown> };
    assert.equal((shared["v"] as typeof valibot).strictObject, valibot.strictObject);
    assert.equal((shared["v"] as typeof valibot).null, valibot.null);
    assert.equal(shared["diagnostic"], diagnostic);
    assert.equal(
      shared["docker"],
      packing.plugins.find(({ name }) => name === "docker"),
    );
  });
});
