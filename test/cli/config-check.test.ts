import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as v from "valibot";
import { configCheck } from "../../core/cli/config-check.ts";
import { readEquipped } from "../../core/cli/config-file.ts";
import { createOutput, type Context } from "../../core/cli/context.ts";
import { Writable } from "node:stream";

const problem = v.strictObject({ path: v.string(), line: v.number(), column: v.number(), message: v.string() });
const answer = v.variant("valid", [
  v.strictObject({
    file: v.string(),
    valid: v.literal(true),
    problems: v.pipe(v.array(problem), v.length(0)),
    config: v.looseObject({ hosts: v.record(v.string(), v.unknown()) }),
  }),
  v.strictObject({ file: v.string(), valid: v.literal(false), problems: v.pipe(v.array(problem), v.minLength(1)) }),
]);

describe("medic config check", () => {
  let folder = "";
  before(async () => void (folder = await mkdtemp(join(tmpdir(), "medic-check-"))));
  after(() => rm(folder, { recursive: true }));

  const sink = (lines: string[]) =>
    new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) });
  const check = async (text: string | undefined, json = false) => {
    if (text !== undefined) await writeFile(join(folder, "hosts.yaml"), text, { mode: 0o600 });
    const out: string[] = [];
    const notes: string[] = [];
    const context: Context = {
      env: {},
      home: "/home/ada",
      folder,
      out: createOutput({ stdout: sink(out), stderr: sink(notes) }, {}),
      stop: new AbortController().signal,
    };
    const config = text === undefined ? "none.yaml" : "hosts.yaml";
    const exit = await configCheck.run({ _: [], config, json } as never, context, []);
    return { exit, out: out.join(""), notes: notes.join(""), context };
  };
  const self = "hosts: { self: { transport: local } }\n";

  it("says that a good file is in order", async () => {
    assert.deepEqual((({ exit, out, notes }) => ({ exit, out, notes }))(await check(self)), {
      exit: 0,
      out: "hosts.yaml is in order: 1 host (self)\n",
      notes: "",
    });
  });
  it("prints every problem on its line and ends with 2", async () => {
    const { exit, out, notes } = await check("hosts: { self: { transport: local, prot: 1, trsut: observe } }");
    assert.equal(exit, 2);
    assert.equal(out, "");
    assert.equal(
      notes,
      'hosts.yaml:1:36 hosts.self.prot: unknown key, did you mean "port"?\nhosts.yaml:1:45 hosts.self.trsut: unknown key, did you mean "trust"?\n',
    );
  });
  it("finds a plugin that does not exist, and an option that its plugin does not take", async () => {
    const { exit, notes } = await check(
      "hosts: { self: { transport: local, plugins: { dokcer: {}, docker: { colour: red } } } }",
    );
    assert.equal(exit, 2);
    assert.match(
      notes,
      /hosts\.yaml:1:47 hosts\.self\.plugins\.dokcer: no plugin is called "dokcer": did you mean "docker"\?/,
    );
    assert.match(notes, /hosts\.yaml:1:69 hosts\.self\.plugins\.docker\.colour: unknown option "colour"/);
  });
  it("holds the options of a shipped plugin to their form, also where an own one that cannot be used has its name", async () => {
    await mkdir(join(folder, "docker"), { recursive: true });
    await writeFile(join(folder, "docker", "plugin.ts"), "export default 1;\n");
    const { context } = await check(
      "pluginFolders: [docker]\nhosts: { self: { transport: local, plugins: { docker: { ownr: true } } } }\n",
    );
    await assert.rejects(readEquipped(context, { config: "hosts.yaml" }), /hosts\.self\.plugins\.docker\.ownr/);
  });

  it("is told no by a broken plugin, which others only name", async () => {
    await mkdir(join(folder, "mine"), { recursive: true });
    await writeFile(join(folder, "mine", "plugin.ts"), "export default { name: 5 };\n");
    const text = "pluginFolders: [mine]\nhosts: { self: { transport: local, plugins: { mine: {} } } }\n";
    const { exit, notes, context } = await check(text);
    assert.equal(exit, 2);
    assert.match(notes, /^hosts\.yaml: Cannot use ".*mine\/plugin\.ts:1"/m);
    const { broken } = await readEquipped(context, { config: "hosts.yaml" });
    assert.equal(broken.length, 1);
  });
  it("says where to begin when there is no file", async () => {
    const { exit, notes } = await check(undefined);
    assert.equal(exit, 2);
    assert.match(notes, /none\.yaml: does not exist: begin with a copy/);
  });
  it("prints the effective settings without secrets as JSON", async () => {
    const { exit, out } = await check(`responder: { apiKey: hunter2 }\n${self}`, true);
    const printed = v.parse(answer, JSON.parse(out));
    assert.ok(exit === 0 && printed.valid);
    assert.deepEqual(Object.keys(printed.config.hosts), ["self"]);
    assert.doesNotMatch(out, /hunter2/);
  });
  it("prints the problems as JSON", async () => {
    const { exit, out } = await check("hosts: {}", true);
    const printed = v.parse(answer, JSON.parse(out));
    assert.equal(exit, 2);
    assert.deepEqual(
      printed.problems.map(({ path, line }) => [path, line]),
      [["hosts", 1]],
    );
  });
});
