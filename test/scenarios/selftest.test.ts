// `medic selftest` against a whole Medic: what it shows, what it leaves alone, and which step it names when one fails.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { startReceiver } from "../support/receiver.ts";
import { eventually, firing, type Scenario, startScenario } from "../support/scenario.ts";

type Answer = { well: boolean; steps: { step: string; ok: boolean; says: string }[] };

async function selftest(scenario: Scenario): Promise<Answer & { code: number }> {
  const { code, stdout } = await scenario.medic("selftest", "--json");
  return { code, ...(JSON.parse(stdout) as Answer) };
}

const stepsOf = ({ steps }: Answer): string[] => steps.map(({ step, ok }) => `${step} ${ok ? "ok" : "wrong"}`);

describe("medic selftest", () => {
  it("goes from the door to the end of its incident, touches no host and tells nobody, whatever rules there are", async () => {
    await using phone = await startReceiver();
    await using scenario = await startScenario({
      more: `
alerts: { rules: [{ match: { alertname: "*" }, host: nexus, service: scrypted }] }
notify: [{ ntfy: { url: "${phone.url}", topic: medic }, on: [opened, resolved, escalated] }]
`,
    });
    await scenario.stopScrypted();
    await using served = await scenario.serve();
    const answer = await selftest(scenario);
    assert.deepEqual(stepsOf(answer), ["running ok", "answered ok", "journaled ok", "ended ok"]);
    assert.deepEqual([answer.code, answer.well], [0, true]);
    const told = await scenario.medic("selftest");
    assert.equal(told.code, 0);
    assert.match(told.stdout, /ok {5}ended {6}resolved after \d events; no host was asked/);
    assert.equal(scenario.sandbox.counts().accepted, 0);
    const { incidents } = (await (await served.ask("/incidents")).json()) as { incidents: { state: { by: string } }[] };
    assert.deepEqual(
      incidents.map(({ state }) => state.by),
      ["monitor", "monitor"],
    );
    const { stdout } = await served.stop();
    assert.match(stdout, /medic_stopped/);
    assert.equal(phone.received.length, 0);
  });

  it("hides no alert of a monitor, not even one of the same fingerprint that points nowhere", async () => {
    await using phone = await startReceiver();
    await using scenario = await startScenario({
      more: `notify: [{ ntfy: { url: "${phone.url}", topic: medic }, on: [escalated] }]`,
    });
    await using served = await scenario.serve();
    const send = async (labels: Record<string, string>): Promise<string> => {
      const body = JSON.stringify(firing(labels));
      const answer = await served.ask("/webhooks/alertmanager", { method: "POST", body });
      return ((await answer.json()) as { incidents: { id: string }[] }).incidents[0]?.id ?? "";
    };
    const canary = await send({ medic_selftest: "true" });
    assert.notEqual(await send({}), canary);
    await eventually("the phone to ring", () => phone.received.length > 0);
    await served.stop();
    assert.equal(phone.received.length, 1);
  });

  it("says that none runs, or that the one that ran is gone", async () => {
    await using scenario = await startScenario();
    const none = await selftest(scenario);
    assert.deepEqual([none.code, ...stepsOf(none)], [1, "running wrong"]);
    leaveNote(scenario, "http://127.0.0.1:1");
    const gone = await selftest(scenario);
    assert.deepEqual([gone.code, ...stepsOf(gone)], [1, "running ok", "answered wrong"]);
    assert.match(gone.steps[1]?.says ?? "", /Cannot reach medic serve/);
  });

  it("says that the journal cannot be written", async () => {
    await using scenario = await startScenario();
    await using served = await scenario.serve();
    const database = new DatabaseSync(join(scenario.folder, "data", "journal.sqlite"));
    database.exec("BEGIN IMMEDIATE");
    const answer = await selftest(scenario);
    assert.deepEqual([answer.code, ...stepsOf(answer)], [1, "running ok", "answered wrong"]);
    assert.match(answer.steps[1]?.says ?? "", /answered 503: Cannot write the journal/);
    database.exec("ROLLBACK");
    database.close();
    await served.stop();
  });

  it("believes no answer that is not on the disk, and none that it does not understand", async () => {
    await using scenario = await startScenario();
    await (await scenario.serve()).stop();
    const lies: RequestListener = (_request, response) => {
      const incidents = [{ id: "20261126-1500-bbbbbb", key: "?/x", state: "open" }];
      response.writeHead(202).end(JSON.stringify({ accepted: 1, ignored: 0, incidents }));
    };
    for (const [listener, wrong] of [
      [lies, "journaled wrong"],
      [((_request, response) => void response.writeHead(202).end("{}")) satisfies RequestListener, "answered wrong"],
    ] as const) {
      const server = createServer(listener);
      await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
      leaveNote(scenario, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const answer = await selftest(scenario);
      assert.equal(answer.code, 1);
      assert.equal(stepsOf(answer).at(-1), wrong);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

function leaveNote(scenario: Scenario, url: string): void {
  mkdirSync(join(scenario.folder, "data"), { recursive: true });
  writeFileSync(join(scenario.folder, "data", "serve.json"), JSON.stringify({ url, token: "x", pid: 1 }));
}
