import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isSecret, redactedConfig } from "../../core/config/redaction.ts";
import { complaints, read, self } from "./reading.ts";

const model = (value: string) => `responder: { model: ${JSON.stringify(value)} }\n${self}`;
const host = (more: string) => `hosts: { a: { address: h, user: u, identity: k, ${more} } }`;

describe("${NAME} in a value", () => {
  it("is filled in from the environment, also in the middle", () => {
    assert.equal(read(model("a-${X}-${Y}"), { env: { X: "1", Y: "2" } }).responder.model, "a-1-2");
  });
  it("comes from the file that NAME_FILE names when NAME is not set", () => {
    const around = { env: { X_FILE: "/run/secrets/x" }, secrets: { "/run/secrets/x": "s" } };
    assert.equal(read(model("${X}"), around).responder.model, "s");
  });
  it("is refused when neither is set", () => {
    assert.deepEqual(complaints(model("${X}")), [
      "hosts.yaml:1:21 responder.model: needs the environment variable X: neither X nor X_FILE is set",
    ]);
  });
  it("is refused when the file of NAME_FILE cannot be read", () => {
    assert.match(
      complaints(model("${X}"), { env: { X_FILE: "/none" } })[0] ?? "",
      /cannot read the file that X_FILE names/,
    );
  });
  it("is a literal after a second $", () => {
    assert.equal(read(model("$${X} $$${X} $X {X}")).responder.model, "${X} $${X} $X {X}");
  });
  it("is refused when it names no variable", () => {
    for (const text of ["${}", "${a b}", "${X", "${X:-d}"])
      assert.match(complaints(model(text))[0] ?? "", /names no environment variable/);
  });
  it("does not find what every object has", () => {
    assert.match(complaints(model("${toString}"))[0] ?? "", /neither toString nor/);
  });
  it("is not filled in twice", () => {
    assert.equal(read(model("${X}"), { env: { X: "${Y}" } }).responder.model, "${Y}");
  });
  it("does not show its value in a complaint", () => {
    const lines = complaints(`hosts: { a: { transport: "\${X}" } }`, { env: { X: "hunter2" } });
    assert.match(lines.join("\n"), /expected ssh or local, got something else from the environment/);
    assert.doesNotMatch(lines.join("\n"), /hunter2/);
  });
});

describe("secrets", () => {
  it("come from a file named in their File key, relative to hosts.yaml", () => {
    const around = { secrets: { "/etc/medic/pass": "p", "/home/ada/key": "k" } };
    const config = read(`responder: { apiKeyFile: ~/key }\n${host("passphraseFile: pass")}`, around);
    assert.equal(config.responder.apiKey, "k");
    assert.equal(config.hosts["a"]?.passphrase, "p");
    assert.ok(!("apiKeyFile" in config.responder) && !("passphraseFile" in (config.hosts["a"] ?? {})));
  });
  it("are missed when their file is", () => {
    assert.match(
      complaints(`responder: { apiKeyFile: /none }\n${self}`)[0] ?? "",
      /:1:26 responder\.apiKeyFile: cannot be read/,
    );
  });
  it("of the model come from ANTHROPIC_API_KEY by default", () => {
    assert.equal(read(self, { env: { ANTHROPIC_API_KEY: "sk" } }).responder.apiKey, "sk");
    assert.equal(read(self, { env: { ANTHROPIC_API_KEY: "" } }).responder.apiKey, undefined);
  });
  it("of the model are not even read when it is not asked", () => {
    const text = `responder: { order: [runbook] }\n${self}`;
    assert.equal(read(text, { env: { ANTHROPIC_API_KEY: "sk" } }).responder.apiKey, undefined);
  });
  it("in a file that others can read are refused, wherever they stand", () => {
    for (const text of [
      `responder: { apiKey: x }\n${self}`,
      host("passphrase: x"),
      host("plugins: { scrypted: { token: x } }"),
      host("plugins: { scrypted: { admin_password: 5 } }"),
    ]) {
      assert.match(
        complaints(text, { mode: 0o644 })[0] ?? "",
        /is a secret in a file that others can read \(mode 644\)/,
      );
      assert.deepEqual(complaints(text, { mode: 0o600 }), []);
    }
  });
  it("from the environment may stand in a file that others can read", () => {
    assert.deepEqual(complaints(`responder: { apiKey: "\${K}" }\n${self}`, { mode: 0o644, env: { K: "x" } }), []);
  });
  it("are not shown when they have the wrong type", () => {
    const lines = complaints(host("passphrase: 12345"));
    assert.match(lines[0] ?? "", /passphrase: expected text/);
    assert.doesNotMatch(lines[0] ?? "", /12345/);
  });
  it("are told from other settings by name", () => {
    for (const path of [
      "responder.apiKey",
      "hosts.a.passphrase",
      "x.api_key",
      "p.admin_password",
      "a.tokens[0].secret",
      "x.authToken",
    ])
      assert.ok(isSecret(path), path);
    for (const path of [
      "responder.tokens",
      "responder.outputTokens",
      "server.tokens[0].sha256",
      "hosts.a.hostKey",
      "alerts.generic.key",
      "hosts.a.passphraseFile",
    ])
      assert.ok(!isSecret(path), path);
  });
  it("are left out of the effective configuration", () => {
    const config = read(
      `responder: { apiKey: sk-1 }\n${host("passphrase: hunter2, plugins: { x: { list: [{ token: abc }], port: 5 } }")}`,
    );
    const text = JSON.stringify(redactedConfig(config));
    assert.doesNotMatch(text, /sk-1|hunter2|abc/);
    assert.match(text, /"tokens":200000.*"apiKey":"\*\*\*"/);
    assert.match(text, /"port":5/);
  });
});
