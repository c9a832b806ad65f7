import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually, firing, startScenario } from "../support/scenario.ts";
import { FakeModel, fails } from "../support/fake-model.ts";

// Nothing in their form says that they are secrets.
const apiKey = "blue-heron-4711-api";
const passphrase = "correct horse battery staple";

describe("a token, an API key and a passphrase", () => {
  it("stand in no log, no answer and no journal, also where somebody sends them to the wrong place", async () => {
    // The worst that an API may do: say in its error what it was given.
    await using model = await FakeModel.start([fails(403, "permission_error", `the key "${apiKey}" may not do this`)]);
    await using scenario = await startScenario();
    writeFileSync(join(scenario.folder, "key"), `${apiKey}\n`, { mode: 0o600 });
    writeFileSync(join(scenario.folder, "pass"), `${passphrase}\n`, { mode: 0o600 });
    const config = join(scenario.folder, "hosts.yaml");
    const text = readFileSync(config, "utf8")
      .replace("{ order: [runbook] }", `{ order: [claude], apiKeyFile: ./key, baseUrl: "${model.url}" }`)
      .replace("    trust:", "    passphraseFile: ./pass\n    trust:");
    writeFileSync(config, text);
    await using serve = await scenario.serve("--log-level", "debug");
    const { token } = scenario;
    const answers: string[] = [];
    const ask = async (path: string, init: Parameters<typeof serve.ask>[1] = {}): Promise<number> => {
      const response = await serve.ask(path, init);
      answers.push(`${await response.text()} ${JSON.stringify([...response.headers])}`);
      return response.status;
    };
    const post = (body: object): Parameters<typeof serve.ask>[1] => ({ method: "POST", body: JSON.stringify(body) });
    assert.equal(
      await ask("/webhooks/alertmanager", post(firing({ host: "nexus", service: "scrypted", [`token`]: token }))),
      202,
    );
    await eventually("the model to refuse", () => /incident_escalated/.test(serve.log()));
    for (const [path, init] of [
      ["/incidents", { token: `${token}x` }],
      ["/incidents", { token: token.slice(0, -1) }],
      [`/${token}`, {}],
      [`/incidents/${token}`, {}],
      [`/incidents?token=${token}`, {}],
      [`/${token}`, { token: "wrong" }],
      ["/incidents", post({ host: token })],
      ["/incidents", post({ host: "nexus", service: token })],
      ["/incidents", post({ token })],
      ["/webhooks/alertmanager", { method: "POST", body: token }],
      [`/hosts/${token}/tools/docker_status`, post({})],
      [`/hosts/nexus/tools/${token}`, post({})],
    ] as const) {
      assert.ok((await ask(path, init)) >= 200, path);
    }
    assert.equal(await ask("/metrics"), 200);
    assert.equal(await ask("/incidents"), 200);
    await serve.stop();
    const shown = await Promise.all([
      scenario.medic("incidents", "--json"),
      scenario.medic("audit", "export"),
      scenario.medic("config", "check", "--json"),
      scenario.medic("hosts"),
    ]);
    const data = join(scenario.folder, "data");
    const places: [string, string][] = [
      ["the log", serve.log()],
      ...answers.map((answer, index): [string, string] => [`answer ${index}`, answer]),
      ...shown.map(({ stdout, stderr }, index): [string, string] => [`verb ${index}`, stdout + stderr]),
      ...readdirSync(data).map((name): [string, string] => [name, readFileSync(join(data, name), "latin1")]),
    ];
    for (const secret of [token, token.slice(0, -1), apiKey, passphrase]) {
      for (const [place, content] of places) {
        const at = content.indexOf(secret);
        assert.ok(at < 0, `${place} has ${secret}: ${content.slice(Math.max(0, at - 150), at + 60)}`);
      }
    }
  });
});
