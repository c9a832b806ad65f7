// One file for the edge, in both editions: all of Medic is in it, alone in an empty folder.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as v from "valibot";
import { packing } from "../../core/packing/packing.ts";
import { makeBundle } from "../../scripts/build/bundle.ts";
import { denoPermissions } from "../../scripts/build/deno-file.ts";
import { bareEnvironment, build, type Built, root, run } from "./built.ts";

const OWN_PLUGIN = `
  import { definePlugin, diagnostic } from "medic/plugin";
  import { systemdStatus } from "medic/plugins/systemd";
  import * as v from "valibot";
  import { words } from "./words.ts";
  type Seen = { said: string; other: string };
  export default definePlugin({
    name: "hello", apiVersion: 1, summary: "s", options: v.strictObject({}), runbooks: [],
    tools: [diagnostic({ name: "hello_said", description: "d", input: v.strictObject({}), command: () => ["echo", words],
      parse: (result): Seen => ({ said: result.stdout.trim(), other: systemdStatus.name }) })],
  });`;

/** Plugins of one's own: one that works, one that imports what it may not, one that breaks as it is loaded. */
function writePlugins(folder: string): void {
  const files = {
    "hello/plugin.ts": OWN_PLUGIN,
    "hello/words.ts": 'export const words: string = "from the disk";\n',
    "nosy/plugin.ts": '// first line\nimport { readFileSync } from "node:fs";\nexport default readFileSync;\n',
    "broken/plugin.ts": "type A = { b: { c: string } };\nconst none = null as unknown as A;\nexport default none.b;\n",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, "plugins", path, ".."), { recursive: true });
    writeFileSync(join(folder, "plugins", path), text);
  }
  const hosts = "pluginFolders: [plugins]\nhosts: { self: { transport: local, plugins: { hello: {} } } }\n";
  writeFileSync(join(folder, "hosts.yaml"), `server: { listen: "127.0.0.1:0", data: data }\n${hosts}`);
}

const whyNosy = /nosy\\?": plugin\.ts:2: imports \\?"node:fs/;
const whyBroken = /broken\/plugin\.ts:3\\?": TypeError/;
const versionShape = v.strictObject({
  version: v.string(),
  commit: v.string(),
  edition: v.string(),
  runtime: v.string(),
  platform: v.string(),
});

let built: Built;
before(() => void (built = build(["node", "deno"])), { timeout: 120_000 });
after(() => built.remove());

for (const edition of ["node", "deno"] as const) {
  describe(`Medic in one file, with ${edition}`, { timeout: 120_000 }, () => {
    // Deno's edition unpacks itself below HOME, so one folder serves all tests of an edition.
    let folder: string;
    const medic = (...args: string[]) => run([built.file(edition), ...args], folder);
    before(() => void (folder = built.emptyFolder()));

    it("says its version, its commit and what it runs on", async () => {
      const { stdout } = await medic("version", "--json");
      const told = v.parse(versionShape, JSON.parse(stdout));
      assert.equal(told.version, packing.version);
      assert.match(told.commit, /^([0-9a-f]{12}\+?|unknown)$/);
      assert.equal(told.edition, edition === "node" ? "binary" : "deno");
      assert.ok(told.runtime.startsWith(`${edition} `));
    });

    it("passes its own demo", async () => {
      const { code, stdout, stderr } = await medic("demo", "--json");
      assert.equal(code, 0, stderr);
      assert.equal(v.parse(v.object({ outcome: v.string() }), JSON.parse(stdout)).outcome, "fixed");
      assert.equal(stderr, "");
    });

    it("makes a plugin that passes", async () => {
      assert.equal((await medic("plugin", "new", "x")).code, 0);
      const { code, stdout, stderr } = await medic("plugin", "test", "x");
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /^x: \d+ checks hold, 0 do not\n$/);
      assert.equal(stderr, "");
    });

    it("has the schema of hosts.yaml in it", async () => {
      const { stdout } = await medic("config", "schema");
      assert.deepEqual(JSON.parse(stdout), JSON.parse(readFileSync(join(root, "docs/hosts.schema.json"), "utf8")));
    });

    it("lists plugins on disk beside its own, and tells a broken one by file and line", async () => {
      writePlugins(folder);
      const { code, stdout } = await medic("plugin", "list");
      assert.equal(code, 1);
      for (const name of ["docker", "host", "scrypted", "systemd"])
        assert.match(stdout, new RegExp(`^${name} +shipped`, "m"));
      assert.match(stdout, /^hello +own/m);
      assert.match(stdout, whyNosy);
      assert.match(stdout, whyBroken);
      assert.equal((await medic("plugin", "describe", "hello")).code, 0);
    });

    it("runs a tool of a plugin on disk, which has a shipped plugin's module", async () => {
      const { code, stdout, stderr } = await medic("tool", "self", "hello_said", "--json");
      assert.equal(code, 0, stderr);
      assert.match(stdout, /from the disk/);
      assert.match(stdout, /systemd_status/);
    });

    it("records a case with a plugin on disk", async () => {
      const { code, stderr } = await medic("plugin", "record", "self", "hello_said");
      assert.equal(code, 0, stderr);
      assert.match(readFileSync(join(folder, "plugins/hello/cases/recorded-hello_said.yaml"), "utf8"), /from the disk/);
    });

    it("serves with the plugins that work, names the others, and stops when it is told to", async () => {
      const child = spawn(built.file(edition), ["serve"], { cwd: folder, env: bareEnvironment(folder) });
      let log = "";
      const url = await new Promise<string>((resolve, reject) => {
        const hear = (chunk: Buffer): void => {
          log += chunk.toString();
          const listening = /medic_serving .*url=(\S+)/.exec(log)?.[1];
          if (listening !== undefined) resolve(listening);
        };
        child.stdout.on("data", hear);
        child.stderr.on("data", hear);
        child.once("exit", () => reject(new Error(log)));
      });
      try {
        assert.equal((await fetch(`${url}/livez`)).status, 200);
        assert.match(log, whyNosy);
        assert.match(log, whyBroken);
        assert.match(log, /plugins=docker,host,scrypted,systemd,hello/);
      } finally {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        assert.deepEqual(await ended, [0, null], log);
      }
    });

    it("answers to nothing of the runtime's: an option is Medic's, and a variable changes nothing", async () => {
      const env = { ...bareEnvironment(folder), NODE_OPTIONS: "--require ./nowhere.js" };
      assert.equal((await run([built.file(edition), "--version"], folder, env)).stdout, `${packing.version}\n`);
      assert.equal((await medic("--eval", "1")).code, 2);
    });
  });
}

describe("the Deno edition", { timeout: 60_000 }, () => {
  it("has the permissions that docs/binary.md tells", () => {
    const page = readFileSync(join(root, "docs/binary.md"), "utf8").replace(/\s+/g, " ");
    assert.ok(page.includes(`It runs with \`${denoPermissions.join(" ")}\``));
  });

  it("unpacks itself once, also when it is started twice at the same time", async () => {
    const folder = built.emptyFolder();
    const start = () => run([built.file("deno"), "--version"], folder);
    for (const { code, stderr } of await Promise.all([start(), start()])) assert.equal(code, 0, stderr);
    const kept = readdirSync(join(folder, ".cache/medic"));
    assert.equal(kept.length, 1, kept.join(" "));
  });

  it("says what to do where it cannot unpack", async () => {
    const folder = built.emptyFolder();
    const { code, stderr } = await run([built.file("deno"), "--version"], folder, { PATH: "/usr/bin:/bin" });
    assert.notEqual(code, 0);
    assert.match(stderr, /set HOME or XDG_CACHE_HOME/);
  });

  it("removes what an earlier version unpacked, and nothing else", async () => {
    const folder = built.emptyFolder();
    const cache = join(folder, ".cache/medic");
    for (const name of ["0.0.9-0123456789abcdef", "other"]) mkdirSync(join(cache, name), { recursive: true });
    assert.equal((await run([built.file("deno"), "--version"], folder)).code, 0);
    const kept = readdirSync(cache);
    assert.equal(kept.length, 2, kept.join(" "));
    assert.ok(kept.includes("other"));
  });
});

describe("the build", () => {
  it("makes the same bundle twice, with nothing of this machine in it", async () => {
    const [one, two] = [await makeBundle(root, built.emptyFolder()), await makeBundle(root, built.emptyFolder())];
    assert.equal(one.sha256, two.sha256);
    const text = readFileSync(one.file, "utf8");
    assert.equal(createHash("sha256").update(text).digest("hex"), one.sha256);
    assert.ok(!text.includes(root));
    assert.ok(one.packages.some((name) => name === "node_modules/ssh2"));
  });

  it("writes checksums that hold for all it made", () => {
    const sums = execFileSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], {
      cwd: built.folder,
      encoding: "utf8",
    });
    const made = readdirSync(built.folder).filter((name) => name !== "SHA256SUMS");
    assert.deepEqual(sums.trim().split("\n").toSorted(), made.map((name) => `${name}: OK`).toSorted());
  });

  it("lists each package in the bundle with its version, licence and digest, and the runtimes", () => {
    const file = readdirSync(built.folder).find((name) => name.endsWith(".cdx.json")) ?? "";
    const shape = v.object({
      bomFormat: v.literal("CycloneDX"),
      components: v.array(
        v.strictObject({
          type: v.picklist(["library", "platform"]),
          "bom-ref": v.string(),
          name: v.string(),
          version: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+/)),
          purl: v.pipe(v.string(), v.startsWith("pkg:npm/")),
          licenses: v.array(v.strictObject({ expression: v.string() })),
          hashes: v.array(v.strictObject({ alg: v.literal("SHA-512"), content: v.pipe(v.string(), v.length(128)) })),
        }),
      ),
    });
    const { components } = v.parse(shape, JSON.parse(readFileSync(join(built.folder, file), "utf8")));
    const names = new Set(components.map(({ name }) => name));
    for (const name of [
      "ssh2",
      "valibot",
      "@anthropic-ai/sdk",
      `node-linux-${process.arch}`,
      `@deno/linux-${process.arch}-glibc`,
    ])
      assert.ok(names.has(name), name);
    assert.ok(!names.has("typescript"));
  });
});
