import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { eventually, firing, type Served, startScenario } from "../support/scenario.ts";

const taken = v.object({ incidents: v.array(v.object({ id: v.string(), key: v.string(), state: v.string() })) });

async function post(serve: Served, body: object): Promise<v.InferOutput<typeof taken>> {
  const response = await serve.ask("/webhooks/alertmanager", { method: "POST", body: JSON.stringify(body) });
  assert.equal(response.status, 202);
  return v.parse(taken, await response.json());
}

async function stateOf(serve: Served, id: string): Promise<string> {
  const body = (await (await serve.ask(`/incidents/${id}`)).json()) as { incident: { state: { is: string } } };
  return body.incident.state.is;
}

describe("medic serve, in front of a homelab", () => {
  it("heals a stopped Scrypted after an alert, over one connection, and tells the story", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const { incidents } = await post(serve, firing({ host: "nexus", service: "scrypted" }));
    const [incident] = incidents;
    assert.ok(incident !== undefined);
    assert.equal(incident.key, "nexus/scrypted:scrypted");
    await eventually("the incident to be resolved", async () => (await stateOf(serve, incident.id)) === "resolved");
    assert.equal(scenario.sandbox.counts().authenticated, 1);
    const { stdout } = await scenario.medic("explain", incident.id);
    assert.match(stdout, /fixed: healthy for/);
    assert.match(stdout, /resolved by medic/);
    assert.match(stdout, /Why nothing more: the host shows the service well after one fix/);
    const { code } = await serve.stop();
    assert.equal(code, 0);
  });

  it("keeps the seed's names in its log, one line an event", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const { incidents } = await post(serve, firing({ host: "nexus", service: "scrypted" }));
    await eventually("the end", async () => (await stateOf(serve, incidents[0]?.id ?? "")) === "resolved");
    await serve.stop();
    const count = (event: string): number =>
      serve
        .log()
        .split("\n")
        .filter((line) => line.includes(event)).length;
    assert.equal(count("ssh_connection_established"), 1);
    assert.ok(count("reusing_ssh_connection") >= 10);
    assert.equal(count("ssh_connection_closed"), 1);
    assert.equal(count("command_timeout"), 0);
    assert.match(serve.log(), /command_batch_completed .*duration_seconds=[\d.]+/);
  });

  it("changes nothing under trust: observe, and asks a person with the planned commands", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const { incidents } = await post(serve, firing({ host: "nexus", service: "scrypted" }));
    const id = incidents[0]?.id ?? "";
    await eventually("a person to be asked", async () => (await stateOf(serve, id)) === "awaiting-approval");
    const { stdout } = await scenario.medic("explain", id);
    assert.match(stdout, /\$ .*docker restart/);
    assert.match(stdout, new RegExp(`medic approve ${id}\\.1`));
    assert.equal(
      scenario.sandbox.homelab.docker.containers.find(({ name }) => name === "scrypted")?.state.status,
      "exited",
    );
    await serve.stop();
  });

  it("stores and escalates an alert of an unknown host, and asks no host", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    const { incidents } = await post(serve, firing({ host: "nexsu", service: "scrypted" }));
    assert.equal(incidents[0]?.state, "escalated");
    assert.equal(scenario.sandbox.counts().accepted, 0);
    await serve.stop();
  });

  it("answers an unknown token with 401 and stores nothing", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    const body = JSON.stringify(firing({ host: "nexus", service: "scrypted" }));
    const response = await serve.ask("/webhooks/alertmanager", {
      method: "POST",
      body,
      token: "no",
    });
    assert.equal(response.status, 401);
    assert.deepEqual(await (await serve.ask("/incidents")).json(), { incidents: [] });
    await serve.stop();
  });

  it("takes up an incident that an earlier process left, and does not run its fix again", async () => {
    await using scenario = await startScenario({ more: "" });
    await using first = await scenario.serve();
    await scenario.stopScrypted();
    const { incidents } = await post(first, firing({ host: "nexus", service: "scrypted" }));
    const id = incidents[0]?.id ?? "";
    await eventually("the fix to be dispatched", async () =>
      ["verifying", "resolved"].includes(await stateOf(first, id)),
    );
    await first.stop();
    await using second = await scenario.serve();
    await eventually("an end", async () => ["resolved", "escalated"].includes(await stateOf(second, id)));
    const { events } = (await (await second.ask(`/incidents/${id}`)).json()) as { events: { kind: string }[] };
    assert.equal(events.filter(({ kind }) => kind === "fix-started").length, 1);
    await second.stop();
  });

  it("lets one serve at a time use the data folder", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    const second = await scenario.medic("serve");
    assert.equal(second.code, 2);
    assert.match(second.stderr, /another medic serve uses it/);
    await serve.stop();
  });
});
