import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { callMedic, type Told } from "../support/scenario.ts";

const root = await mkdtemp(join(tmpdir(), "medic-authoring-"));
after(() => rm(root, { recursive: true, force: true }));
const repository = fileURLToPath(new URL("../../", import.meta.url));

async function emptyFolder(): Promise<string> {
  return mkdtemp(join(root, "empty-"));
}

function medic(folder: string, ...args: string[]): Promise<Told> {
  return callMedic(folder, args, new AbortController().signal);
}

const testShape = v.strictObject({
  plugin: v.string(),
  passed: v.number(),
  failed: v.number(),
  checks: v.array(v.strictObject({ rule: v.string(), name: v.string(), ok: v.boolean(), why: v.optional(v.string()) })),
});

describe("medic plugin new", () => {
  it("makes a plugin that passes at once, in an empty folder", async () => {
    const folder = await emptyFolder();
    const made = await medic(folder, "plugin", "new", "x");
    assert.equal(made.code, 0, made.stderr);
    const tested = await medic(folder, "plugin", "test", "x");
    assert.equal(tested.code, 0, tested.stdout);
    assert.match(tested.stdout, /^x: \d+ checks hold, 0 do not\n$/);
  });

  it("makes one with dashes in its name where it is told to, and lists its files", async () => {
    const folder = await emptyFolder();
    const { stdout } = await medic(folder, "plugin", "new", "my-web-2", "--in", "plugins", "--json");
    const made = v.parse(v.object({ plugin: v.string(), folder: v.string(), files: v.array(v.string()) }), JSON.parse(stdout)); // prettier-ignore
    assert.equal(made.folder, join(folder, "plugins", "my-web-2"));
    assert.deepEqual(made.files, ["plugin.ts", "README.md", "cases/my-web-2.yaml", "tsconfig.json"]);
    const tested = await medic(folder, "plugin", "test", "plugins/my-web-2", "--json");
    assert.equal(v.parse(testShape, JSON.parse(tested.stdout)).failed, 0);
  });

  it("gives the editor types for it, which hold", async () => {
    const folder = await emptyFolder();
    await medic(folder, "plugin", "new", "fan");
    const tsc = join(repository, "node_modules/typescript/bin/tsc");
    const node = "deno" in process.versions ? "node" : process.execPath;
    const types = () => spawnSync(node, [tsc, "-p", join(folder, "fan")], { encoding: "utf8" });
    assert.equal(types().stdout, "");
    const file = join(folder, "fan", "plugin.ts");
    const good = await readFile(file, "utf8");
    // Options that the schema does not make, said by hand.
    await writeFile(
      file,
      good.replace("type Options = v.InferOutput<typeof options>", "type Options = { unit: number }"),
    );
    assert.match(types().stdout, /not assignable/);
    await writeFile(file, good.replace("{ unit }: Options) => [", "{ nuit }: Options) => ["));
    assert.match(types().stdout, /Property 'nuit' does not exist/);
  });

  for (const [name, why] of [
    ["X", /lower case letters/],
    ["2fan", /a letter first/],
    ["fan_one", /single dashes/],
    ["fan-", /single dashes/],
    ["../fan", /lower case letters/],
    ["f".repeat(33), /at most 32 characters/],
    ["docker", /Medic comes with a plugin of this name.*"my-docker"/],
  ] as const) {
    it(`refuses the name "${name}", and writes nothing`, async () => {
      const folder = await emptyFolder();
      const { code, stderr } = await medic(folder, "plugin", "new", name);
      assert.equal(code, 2);
      assert.match(stderr, why);
      assert.equal(existsSync(join(folder, name, "plugin.ts")), false);
    });
  }

  it("writes over nothing", async () => {
    const folder = await emptyFolder();
    await mkdir(join(folder, "fan"));
    const { code, stderr } = await medic(folder, "plugin", "new", "fan");
    assert.equal(code, 2);
    assert.match(stderr, /is there already/);
  });
});

describe("medic plugin test", () => {
  it("says yes to a plugin that keeps the contract", async () => {
    const { code, stdout } = await medic(root, "plugin", "test", join(repository, "plugins/host"), "--json");
    assert.equal(code, 0);
    assert.equal(v.parse(testShape, JSON.parse(stdout)).failed, 0);
  });

  it("says no, and why, to a folder that holds none", async () => {
    const { code, stdout } = await medic(root, "plugin", "test", await emptyFolder());
    assert.equal(code, 1);
    assert.match(stdout, /FAILED is a plugin \(loads\)\n {2}Cannot load ".*": it has no plugin\.ts/);
  });
});

const listShape = v.strictObject({
  plugins: v.array(
    v.strictObject({
      name: v.string(),
      origin: v.picklist(["shipped", "own"]),
      folder: v.optional(v.string()),
      summary: v.string(),
      diagnostics: v.number(),
      fixes: v.number(),
      runbooks: v.number(),
    }),
  ),
  broken: v.array(v.strictObject({ folder: v.string(), why: v.string() })),
});

describe("medic plugin list", () => {
  it("lists the shipped ones without any hosts.yaml", async () => {
    const { code, stdout } = await medic(await emptyFolder(), "plugin", "list", "--json");
    assert.equal(code, 0);
    const { plugins } = v.parse(listShape, JSON.parse(stdout));
    assert.ok(plugins.some(({ name, origin }) => name === "docker" && origin === "shipped"));
  });

  it("lists own ones, and names what is broken with file and line", async () => {
    const folder = await emptyFolder();
    await medic(folder, "plugin", "new", "fan", "--in", "mine");
    await mkdir(join(folder, "mine", "bad"));
    await writeFile(join(folder, "mine", "bad", "plugin.ts"), '\nimport "node:fs";');
    const { code, stdout } = await medic(folder, "plugin", "list", "--plugins", "mine");
    assert.equal(code, 1);
    assert.match(stdout, /^fan +own +1 +1 +1 /m);
    assert.match(stdout, /^BROKEN Cannot load ".*mine\/bad": plugin\.ts:2: imports "node:fs"/m);
    await writeFile(join(folder, "hosts.yaml"), "pluginFolders: [mine]\nhosts: { self: { transport: local } }\n");
    const told = await medic(folder, "plugin", "list", "--json");
    assert.deepEqual(
      v.parse(listShape, JSON.parse(told.stdout)).broken.map((one) => one.folder),
      [join(folder, "mine", "bad")],
    );
  });
});

describe("medic plugin describe", () => {
  it("tells what a plugin's tools take, as text and as JSON Schema", async () => {
    const folder = await emptyFolder();
    await medic(folder, "plugin", "new", "fan");
    const text = (await medic(folder, "plugin", "describe", "fan", "--plugins", "fan")).stdout;
    assert.match(text, /fan_start \(fix, reversible\): Starts Fan when it is not running/);
    assert.match(text, /unit \(string, default "fan\.service"\)/);
    assert.match(text, /changes as root, with its defaults\n {2}\/usr\/bin\/systemctl start -- fan\.service/);
    const json = JSON.parse((await medic(folder, "plugin", "describe", "systemd", "--json")).stdout) as {
      tools: { name: string; input: { required: string[] } }[];
    };
    const status = json.tools.find(({ name }) => name === "systemd_status");
    assert.deepEqual(status?.input.required, ["unit"]);
  });

  it("says which one was meant, and why one is broken", async () => {
    const folder = await emptyFolder();
    const near = await medic(folder, "plugin", "describe", "dokcer");
    assert.equal(near.code, 2);
    assert.match(near.stderr, /did you mean "docker"\?/);
    await mkdir(join(folder, "bad"));
    await writeFile(join(folder, "bad", "plugin.ts"), "throw new Error('no luck');");
    const broken = await medic(folder, "plugin", "describe", "bad", "--plugins", "bad");
    assert.match(broken.stderr, /it is broken\. Cannot load ".*bad\/plugin\.ts:1": Error: no luck/);
  });
});
