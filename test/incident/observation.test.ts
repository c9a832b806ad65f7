import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IncidentEvent, Observation } from "../../core/incident/incident.ts";
import { endObserved, leftPlans, writeObservation } from "../../core/incident/observation.ts";
import { fixStarted, world } from "./world.ts";

const planned: IncidentEvent = {
  kind: "fix-planned",
  wouldBe: "allow",
  tool: "docker_restart",
  input: {},
  steps: [["docker", "restart", "x"]],
  touches: ["scrypted"],
  risk: "disruptive",
};
const escalated: IncidentEvent = { kind: "escalated", reason: "docker_restart: dry run" };
const seen = (came: Observation["came"]): Observation => ({
  tool: "docker_restart",
  came,
  why: `${came} after a while`,
  seconds: 60,
});

/** An incident in which a person only asked, left with a plan. */
async function asked() {
  const around = world();
  const taken = await around.intake.investigate("nexus", "scrypted", true);
  assert.ok("id" in taken);
  return { ...around, id: taken.id, state: () => around.journal.incident(taken.id)?.state };
}

describe("what becomes of a plan that nobody ran", () => {
  it("ends the incident in which a person only asked, whatever it was", async () => {
    for (const [came, is] of [["recovered", "resolved"] as const, ["not-recovered", "dismissed"] as const]) {
      // oxlint-disable-next-line no-await-in-loop
      const { journal, record, id, state } = await asked();
      record(id, planned, escalated);
      writeObservation(journal, id, seen(came));
      assert.equal(state()?.is, is);
    }
  });

  it("ends it also when it was seen before whoever worked on it was done", async () => {
    const { journal, record, id, state } = await asked();
    record(id, planned);
    writeObservation(journal, id, seen("recovered"));
    record(id, escalated);
    endObserved(journal, id);
    assert.equal(state()?.is, "resolved");
  });

  it("leaves one of a monitor with the person when the service did not recover", async () => {
    const { journal, opened, record } = world();
    const id = await opened();
    record(id, planned, escalated);
    writeObservation(journal, id, seen("not-recovered"));
    assert.equal(journal.incident(id)?.state.is, "escalated");
  });

  it("is nothing that came by itself when a fix was run meanwhile", async () => {
    const { journal, opened, record, id } = await asked();
    record(id, planned, escalated);
    record(await opened(), fixStarted);
    writeObservation(journal, id, seen("recovered"));
    const said = journal.events(id).find((event) => event.kind === "plan-observed");
    assert.deepEqual([said?.came, said?.why], ["unseen", "a fix of it was run meanwhile"]);
  });
});

describe("the plans that an earlier process left", () => {
  it("are those of incidents that wait and were not seen to the end, since they were opened again", async () => {
    const { journal, opened, record, id } = await asked();
    record(id, planned);
    assert.deepEqual(leftPlans(journal), [], "somebody is at work on it");
    record(id, escalated);
    const other = await opened();
    record(other, planned, escalated);
    assert.deepEqual(
      leftPlans(journal).map(({ incident, key, host }) => [incident, key, host]),
      [
        [id, "nexus/docker:scrypted", "nexus"],
        [other, "nexus/docker:scrypted", "nexus"],
      ],
    );
    writeObservation(journal, id, seen("unseen"));
    writeObservation(journal, other, seen("unseen"));
    assert.deepEqual(leftPlans(journal), []);
    record(other, { kind: "reopened", why: "it fires again" }, planned, escalated);
    assert.deepEqual(
      leftPlans(journal).map(({ incident }) => incident),
      [other],
    );
  });
});

describe("an incident in which a person only asks", () => {
  it("stands beside one that heals: neither alerts nor other people's questions go to it", async () => {
    const { intake, opened, journal, id } = await asked();
    const real = await opened();
    assert.notEqual(real, id);
    const again = await intake.investigate("nexus", "scrypted", true);
    assert.ok("id" in again && again.id === id, "who asks twice waits for one answer");
    const other = await intake.investigate("nexus", "caddy", true);
    assert.ok("id" in other && other.id !== id && other.id !== real);
    const request = await intake.investigate("nexus", "scrypted");
    assert.ok("id" in request && request.id === real);
    assert.equal(journal.incident(id)?.onlyPlans, true);
    assert.equal(journal.incident(real)?.onlyPlans, undefined);
  });

  it("is nobody's to look after when the work on it fails, or when the queue is full", async () => {
    const { intake, desk, journal, opened } = world();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const one = desk(() => held.then(() => Promise.reject(new Error("no idea"))), { incidents: 1, queue: 1 });
    await opened();
    const ask = async (service: string) => {
      const taken = await intake.investigate("nexus", service, true);
      return (): string => JSON.stringify("id" in taken ? journal.incident(taken.id)?.state : taken);
    };
    const [first, second] = [await ask("a"), await ask("b")];
    assert.match(second(), /"dismissed".*limits\.queue/);
    release();
    await one.idle();
    assert.match(first(), /"dismissed".*no idea/);
  });

  it("is refused for what hosts.yaml does not know", async () => {
    const { intake, journal } = world();
    assert.match(JSON.stringify(await intake.investigate("vega", undefined, true)), /refused.*has no host/);
    assert.deepEqual(journal.incidents(), []);
  });
});
