import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import * as fc from "fast-check";
import { loadConfig, readSecret } from "../../core/config/load.ts";
import { ConfigError } from "../../core/config/problem.ts";
import { complaints, problemsOf, self } from "./reading.ts";

describe("a text that is no settings file", () => {
  const refused: [string, string, RegExp][] = [
    ["nothing", "", /^hosts\.yaml: is empty: it needs at least a host/],
    ["comments only", "# soon\n", /is empty/],
    ["a tab as indentation", "hosts:\n\tself: {}\n", /hosts\.yaml:2:1: a tab indents this line: YAML wants spaces/],
    ["a key twice", `${self}limits: { queue: 1, queue: 2 }\n`, /hosts\.yaml:2:21: this key stands twice/],
    ["a key twice, once as a number", `x: { 1: a, "1": b }\n${self}`, /:1:12 x\.1: this key stands twice/],
    ["a second document", `${self}---\n${self}`, /:2:1: a second document begins here/],
    ["an open bracket", "hosts: { self: {", /hosts\.yaml:1:\d+: not YAML: /],
    ["a custom tag", `hosts: { self: !secret x }\n`, /hosts\.yaml:1:\d+: not YAML: Unresolved tag/],
    ["an alias of nothing", "hosts: *gone\n", /alias.*gone/i],
    ["a mapping as a key", `? { a: b }\n: c\n${self}`, /cannot be a key/],
    ["__proto__", `__proto__: { a: b }\n${self}`, /"__proto__" cannot be a key/],
    ["an alias of itself", "hosts: &h { a: *h }\n", /nested deeper than 32 levels/],
    ["values nested too deeply", `x: ${"[".repeat(40)}${"]".repeat(40)}\n${self}`, /nested deeper than 32 levels/],
    ["a tower of brackets", `x: ${"[".repeat(100_000)}`, /hosts\.yaml/],
    ["more than 256 KiB", `# ${"x".repeat(256 * 1024)}\n${self}`, /is larger than 256 KiB/],
  ];
  for (const [what, text, expected] of refused) {
    it(`refuses ${what}`, () => assert.match(complaints(text).join("\n"), expected));
  }

  it("refuses a bomb of aliases soon", () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level}, `.repeat(9)}]`,
    );
    const began = performance.now();
    assert.match(complaints(`l0: &l0 [x]\n${levels.join("\n")}\n${self}`).join("\n"), /too many values or aliases/);
    assert.ok(performance.now() - began < 5000);
  });

  it("accepts a file just below the limit", () => {
    const text = `${self}# `;
    assert.deepEqual(complaints(text + "x".repeat(256 * 1024 - text.length)), []);
  });

  it("never throws anything but ConfigError", () => {
    const word = fc.constantFrom(
      "hosts",
      "self",
      "pool",
      "transport",
      "local",
      "${A}",
      "$${",
      "${",
      "&a",
      "*a",
      "!!set",
      "? ",
      "- ",
      ": ",
      "{",
      "}",
      "[",
      "]",
      "\n",
      "\n  ",
      "\t",
      "'",
      '"',
      "|",
      "#",
      "%YAML 1.1",
      "---",
      "<<",
      "__proto__",
      "5m",
      "0",
      "null",
      "~",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(word, { maxLength: 40 }).map((words) => words.join(" ")),
      fc.json(),
    );
    fc.assert(
      fc.property(text, (raw) => {
        problemsOf(raw);
      }),
      { numRuns: 1500 },
    );
  });

  it("finds fault with any value in any place, or takes it, and never breaks", () => {
    const settings = [
      "server",
      "server.listen",
      "server.tokens",
      "alerts",
      "alerts.rules",
      "responder.order",
      "limits",
      "pool",
      "pool.idleTimeout",
      "hosts",
      "hosts.self",
      "hosts.self.plugins",
      "hosts.self.protect",
      "pluginFolders",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...settings), fc.jsonValue(), (setting, value) => {
        const root: Record<string, unknown> = { hosts: { self: { transport: "local" } } };
        const keys = setting.split(".");
        let at = root;
        for (const key of keys.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
        at[keys.at(-1) ?? ""] = value;
        for (const { line, message } of problemsOf(JSON.stringify(root))) assert.ok(line >= 0 && message.length > 0);
      }),
      { numRuns: 1500 },
    );
  });
});

describe("a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "medic-config-"));
  after(() => rmSync(folder, { recursive: true }));
  const load = (file: string) => loadConfig(file, { env: {}, home: "/home/ada" });
  const file = (name: string, content: string | Uint8Array, mode = 0o644): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const fails = (path: string, expected: RegExp) =>
    assert.throws(
      () => load(path),
      (error) => error instanceof ConfigError && expected.test(error.message),
    );

  it("is read, with paths relative to its folder", () => {
    const loaded = load(file("good.yaml", `server: { data: here }\n${self}`));
    assert.equal(loaded.config.server.data, join(folder, "here"));
    assert.deepEqual(loaded.locate("hosts.self"), { line: 2, column: 16 });
  });

  it("is told where to begin when it does not exist", () =>
    fails(join(folder, "none.yaml"), /none\.yaml: does not exist: begin with a copy/));
  it("is refused when it is a folder", () => fails(folder, /is a folder: name the file in it, like ".*hosts\.yaml"/));
  it("is refused when it is not UTF-8", () =>
    fails(file("latin.yaml", Uint8Array.of(0x68, 0xe4, 0x0a)), /is not UTF-8 text/));
  it("is refused when it is not a regular file", () => fails("/dev/null", /is not a regular file/));

  it("may begin with a byte order mark", () => {
    assert.equal(Object.keys(load(file("bom.yaml", `\uFEFF${self}`)).config.hosts).length, 1);
  });

  it("may not hold a secret when others can read it", () => {
    const text = `responder: { apiKey: sk-secret }\n${self}`;
    for (const mode of [0o644, 0o640, 0o604]) {
      fails(
        file("open.yaml", text, mode),
        /open\.yaml:1:22 responder\.apiKey: is a secret in a file that others can read \(mode 6..\): run chmod 600 /,
      );
    }
  });

  it("may hold a secret when only its owner can read it", () => {
    assert.equal(
      load(file("closed.yaml", `responder: { apiKey: sk-secret }\n${self}`, 0o600)).config.responder.apiKey,
      "sk-secret",
    );
  });

  it("that hosts.yaml names for a secret is refused when others can read it", () => {
    const secret = (mode: number): string => file("key of mine", "sk-secret", mode);
    const text = (mode: number): string => `responder: { apiKeyFile: ${JSON.stringify(secret(mode))} }\n${self}`;
    for (const mode of [0o644, 0o640, 0o604, 0o620]) {
      fails(
        file("names.yaml", text(mode)),
        /names\.yaml:1:26 responder\.apiKeyFile: cannot be read: others can read it \(mode 6..\): run chmod 600 ".*key of mine"$/,
      );
    }
    assert.equal(load(file("names.yaml", text(0o600))).config.responder.apiKey, "sk-secret");
    assert.equal(load(file("names.yaml", text(0o400))).config.responder.apiKey, "sk-secret");
    // A container's runtime decides the mode of what it brings.
    const env = { ANTHROPIC_API_KEY_FILE: secret(0o444) };
    assert.equal(loadConfig(file("env.yaml", self), { env, home: "/home/ada" }).config.responder.apiKey, "sk-secret");
  });

  it("with a secret is read without its last line break, and only when small", () => {
    assert.equal(readSecret(file("secret", "s3cret\n")), "s3cret");
    assert.equal(readSecret(file("secret", "s3\n\n")), "s3\n");
    assert.throws(() => readSecret(file("huge", "x".repeat(64 * 1024 + 1))), /larger than 64 KiB/);
    assert.throws(() => readSecret(folder), /not a regular file/);
  });
});
