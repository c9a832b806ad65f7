// A person says yes or no to a running `serve`, as a person would: by the command line.
import assert from "node:assert/strict";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { eventually, firing, type Served, startScenario, type Scenario } from "../support/scenario.ts";

async function asked(scenario: Scenario, serve: Served): Promise<{ incident: string; state(): Promise<string> }> {
  await scenario.stopScrypted();
  const body = JSON.stringify(firing({ host: "nexus", service: "scrypted" }));
  const response = await serve.ask("/webhooks/alertmanager", { method: "POST", body });
  const { incidents } = (await response.json()) as { incidents: { id: string }[] };
  const incident = incidents[0]?.id ?? "";
  const state = async (): Promise<string> => {
    const read = (await (await serve.ask(`/incidents/${incident}`)).json()) as { incident: { state: { is: string } } };
    return read.incident.state.is;
  };
  await eventually("a person to be asked", async () => (await state()) === "awaiting-approval");
  return { incident, state };
}

const scryptedRuns = ({ sandbox }: Scenario): string | undefined =>
  sandbox.homelab.docker.containers.find(({ name }) => name === "scrypted")?.state.status;

describe("medic approve", () => {
  it("shows what would run and asks; with --yes the fix runs and is proven", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    await using serve = await scenario.serve();
    const { incident, state } = await asked(scenario, serve);
    const listed = await scenario.medic("approve");
    assert.match(listed.stdout, new RegExp(`${incident}\\.1 .*scrypted_restart`));
    const unsure = await scenario.medic("approve", incident);
    assert.equal(unsure.code, 2);
    assert.match(unsure.stdout, /\$ docker restart|\$ sudo docker restart/);
    assert.match(unsure.stderr, /add --yes/);
    assert.equal(await state(), "awaiting-approval");
    const told = await scenario.medic("approve", incident, "--yes");
    assert.equal(told.code, 0, told.stderr);
    await eventually("the incident to be resolved", async () => (await state()) === "resolved");
    assert.equal(scryptedRuns(scenario), "running");
    const { stdout } = await scenario.medic("explain", incident);
    assert.match(stdout, /said yes to scrypted_restart/);
    const again = await scenario.medic("approve", `${incident}.1`, "--yes");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /was approved by /);
    await serve.stop();
  });

  it("finds out nothing without a serve, and refuses an id of nothing", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    const alone = await scenario.medic("approve", "x", "--yes");
    assert.equal(alone.code, 3);
    assert.match(alone.stderr, /no medic serve runs/);
    await using serve = await scenario.serve();
    const unknown = await scenario.medic("approve", "x", "--yes");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /There is no approval "x"/);
    assert.match((await scenario.medic("deny")).stdout, /Nothing waits/);
    await serve.stop();
  });
});

describe("medic deny", () => {
  it("runs nothing, and leaves the incident to a person", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    await using serve = await scenario.serve();
    const { incident, state } = await asked(scenario, serve);
    const told = await scenario.medic("deny", incident, "--yes");
    assert.equal(told.code, 0, told.stderr);
    assert.equal(await state(), "escalated");
    assert.equal(scryptedRuns(scenario), "exited");
    const { stdout } = await scenario.medic("explain", incident);
    assert.match(stdout, /said no to scrypted_restart/);
    await serve.stop();
  });
});

describe("a person who is asked", () => {
  it("is asked still after a restart of serve", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    await using serve = await scenario.serve();
    const { incident } = await asked(scenario, serve);
    await serve.stop();
    await using next = await scenario.serve();
    const { approvals } = (await (await next.ask("/approvals")).json()) as { approvals: { id: string }[] };
    assert.deepEqual(
      approvals.map(({ id }) => id),
      [`${incident}.1`],
    );
    await next.stop();
  });

  it("is asked nothing by an investigation that nobody could answer, which leaves the commands instead", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    await scenario.stopScrypted();
    const told = await scenario.medic("investigate", "--host", "nexus", "--service", "scrypted");
    assert.equal(told.code, 1);
    assert.match(told.stdout, /left to a person/);
    assert.match(told.stdout, /docker restart/);
  });
});

describe("the key that links are signed with", () => {
  it("is made at the first start, for its user alone, and refused once others can read it", async () => {
    await using scenario = await startScenario();
    const file = join(scenario.folder, "data", "link.key");
    await (await scenario.serve()).stop();
    const { mode } = await stat(file);
    assert.equal(mode & 0o777, 0o600);
    const key = await readFile(file, "utf8");
    await (await scenario.serve()).stop();
    assert.equal(await readFile(file, "utf8"), key, "links outlive a restart");
    await chmod(file, 0o640);
    const exposed = await scenario.medic("serve");
    assert.equal(exposed.code, 2);
    assert.match(exposed.stderr, /others can read it \(mode 640\)/);
    await writeFile(file, "nonsense\n", { mode: 0o600 });
    await chmod(file, 0o600);
    const broken = await scenario.medic("serve");
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /it is no key/);
  });
});
