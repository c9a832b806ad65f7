import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually, firing, type Served, startScenario } from "../support/scenario.ts";

type Story = {
  incident: { state: { is: string; held?: { why: string } } };
  events: { kind: string }[];
};

async function raise(serve: Served, service: string): Promise<string> {
  const body = JSON.stringify(firing({ host: "nexus", service }));
  const response = await serve.ask("/webhooks/alertmanager", { method: "POST", body });
  assert.equal(response.status, 202);
  const { incidents } = (await response.json()) as { incidents: { id: string }[] };
  return incidents[0]?.id ?? "";
}

async function storyOf(serve: Served, id: string): Promise<Story> {
  return (await (await serve.ask(`/incidents/${id}`)).json()) as Story;
}

describe("medic maintenance, while serve runs", () => {
  it("holds the fixes of a host back, also over a restart, and lets them go when a person ends it", async () => {
    await using scenario = await startScenario();
    await using first = await scenario.serve();
    const start = await scenario.medic("maintenance", "start", "nexus", "--for", "2h", "--reason", "new disks");
    assert.equal(start.code, 0);
    assert.match(start.stdout, /^No fix until 20\d\d-.*Z: nexus\n$/);
    await scenario.stopScrypted();
    const id = await raise(first, "scrypted");
    await eventually("it to be held", async () => (await storyOf(first, id)).incident.state.held !== undefined);
    await first.stop();

    await using second = await scenario.serve();
    assert.match((await storyOf(second, id)).incident.state.held?.why ?? "", /maintenance of "nexus".*new disks/);
    const listed = (await scenario.medicJson("maintenance")) as { windows: { by: string; reason: string }[] };
    assert.deepEqual(
      listed.windows.map(({ by, reason }) => [by, reason]),
      [["this machine", "new disks"]],
    );
    assert.match((await scenario.medic("incidents")).stdout, /waiting: maintenance of "nexus"/);
    assert.equal((await scenario.medic("maintenance", "end", "nexus")).code, 0);
    await eventually("it to be healed", async () => (await storyOf(second, id)).incident.state.is === "resolved");
    const { stdout } = await scenario.medic("explain", id);
    assert.match(stdout, /waiting, no fix is wanted now: maintenance of "nexus"/);
    assert.match(stdout, /taken up: nothing holds it any more/);
  });

  it("holds one service back and heals the other", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    await scenario.medic("maintenance", "start", "nexus/scrypted", "--for", "1h");
    await scenario.sandbox.homelab.run("docker stop scrypted mosquitto");
    const held = await raise(serve, "scrypted");
    const healed = await raise(serve, "mosquitto");
    await eventually(
      "the other to be healed",
      async () => (await storyOf(serve, healed)).incident.state.is === "resolved",
    );
    assert.equal((await storyOf(serve, held)).incident.state.is, "open");
  });

  it("looks when a person asks and changes nothing, and runs a fix that a person agreed to", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    await scenario.medic("maintenance", "start", "nexus");
    await scenario.stopScrypted();
    const asked = await scenario.medic("investigate", "--host", "nexus", "--service", "scrypted");
    assert.equal(asked.code, 1);
    assert.match(asked.stdout, /no fix is wanted now: maintenance of "nexus"/);
    const agreed = await scenario.medic("tool", "nexus", "scrypted_restart", "--reason", "test", "--yes");
    assert.equal(agreed.code, 0, agreed.stderr);
    assert.match(serve.log(), /maintenance_started/);
  });
});

describe("medic maintenance, without serve", () => {
  it("writes the window down for the next serve, and lists it", async () => {
    await using scenario = await startScenario();
    assert.equal((await scenario.medic("maintenance", "start", "nexus/scry*", "--for", "30m")).code, 0);
    assert.match((await scenario.medic("maintenance")).stdout, /open\s+nexus\/scry\*\s+\S+Z\s+\S+Z\s+this machine/);
    assert.equal((await scenario.medic("maintenance", "end", "nexus/scry*")).code, 0);
    assert.equal((await scenario.medic("maintenance")).stdout, "No maintenance.\n");
  });

  const wrong: [args: string[], says: RegExp][] = [
    [["start", "nexsu"], /hosts.yaml has no host "nexsu"/],
    [["start", "nexus", "--for", "8d"], /--for takes a duration from 1m to 7d/],
    [["start", "nexus", "--for", "30s"], /--for takes a duration from 1m to 7d/],
    [["start", "nexus", "--for", "2"], /--for takes a duration from 1m to 7d/],
    [["start", "nexus/a b"], /write a host, or host\/service/],
    [["start", "/x"], /write a host, or host\/service/],
    [["start"], /write medic maintenance start HOST/],
    [["begin", "nexus"], /write medic maintenance start HOST/],
    [["end", "nexus"], /none is open by that name/],
  ];
  it("says what is wrong with a call, and changes nothing", async () => {
    await using scenario = await startScenario();
    for (const [args, says] of wrong) {
      const told = await scenario.medic("maintenance", ...args);
      assert.equal(told.code, 2, args.join(" "));
      assert.match(told.stderr, says);
    }
    assert.equal((await scenario.medic("maintenance")).stdout, "No maintenance.\n");
  });
});
