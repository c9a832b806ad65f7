import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FixOutcome } from "../../core/plugin/contract.ts";
import type { IncidentEvent } from "../../core/incident/incident.ts";
import { openByHand } from "../../core/incident/by-hand.ts";
import { alert, facts, fixStarted, world } from "./world.ts";

function house() {
  const around = world();
  const { journal, clock, record, opened } = around;
  const fix = async (service: string, outcome: FixOutcome, host = "nexus"): Promise<string> => {
    const id = await opened(alert({ host, service }));
    record(id, started(service), judged(outcome));
    return id;
  };
  const unhelped = (host = "nexus"): string[] => journal.unhelpedSince(host, clock.now() - 600_000);
  return { ...around, fix, unhelped };
}

const started = (service: string): IncidentEvent => Object.assign({}, fixStarted, { touches: [service] });

const judged = (outcome: FixOutcome) =>
  ({ kind: "fix-judged", tool: "docker_restart", input: {}, outcome, facts, why: "" }) as const;

describe("services that fixes did not help", () => {
  it("are those of every end but a good one", async () => {
    const { fix, unhelped } = house();
    await fix("a", "not-fixed");
    await fix("b", "failed");
    await fix("c", "unknown");
    await fix("d", "unverified");
    await fix("e", "fixed");
    await fix("f", "recovered");
    assert.deepEqual(unhelped(), ["a", "b", "c", "d"]);
    assert.deepEqual(unhelped("atlas"), []);
  });

  it("are not those whose fix never began", async () => {
    const { opened, record, unhelped } = house();
    const neverBegan = { ...judged("failed"), facts: { began: "no", changed: "no", healthy: "unknown" } } as const;
    record(await opened(alert({ service: "a" })), started("a"), neverBegan, started("a"), judged("fixed"));
    assert.deepEqual(unhelped(), []);
  });

  it("are not there for two services that are down at once and healed", async () => {
    const { fix, unhelped } = house();
    await fix("a", "fixed");
    await fix("b", "fixed");
    assert.deepEqual(unhelped(), []);
  });

  it("are counted until the window is over, to the millisecond", async () => {
    const { fix, unhelped, clock } = house();
    await fix("a", "not-fixed");
    clock.advance(600_000);
    assert.deepEqual(unhelped(), ["a"]);
    clock.advance(1);
    assert.deepEqual(unhelped(), []);
  });

  it("are one however often and by whom it was tried: by an alert or by hand", async () => {
    const { fix, unhelped, journal, clock } = house();
    await fix("a", "not-fixed");
    for (const tool of ["docker_start", "docker_restart"]) {
      const hand = openByHand({ journal, now: clock.now }, { host: "nexus", tool }, "docker");
      hand.record(started("a"));
      hand.record(judged("failed"));
    }
    assert.deepEqual(unhelped(), ["a"]);
  });

  it("are also those that Medic healed and that came back, and not those that came back otherwise", async () => {
    const { fix, unhelped, record, opened, intake } = house();
    const [ours, other] = [await fix("a", "fixed"), await opened(alert({ service: "b" }))];
    record(ours, { kind: "resolved", by: "medic", why: "" });
    record(other, { kind: "resolved", by: "itself", why: "" });
    for (const service of ["a", "b"]) {
      await intake.accept([alert({ service, status: "resolved" })]);
      await opened(alert({ service, startsAt: "2026-11-23T12:30:00.000Z" }));
    }
    assert.deepEqual(unhelped(), ["a"]);
  });

  it("are forgiven once a person looked at the host itself, and counted anew from then on", async () => {
    const { fix, unhelped, intake } = house();
    await fix("a", "not-fixed");
    await fix("b", "not-fixed");
    await intake.investigate("nexus", "c");
    await intake.investigate("atlas", undefined);
    assert.deepEqual(unhelped(), ["a", "b"]);
    await intake.investigate("nexus", undefined);
    assert.deepEqual(unhelped(), []);
    await fix("c", "failed");
    assert.deepEqual(unhelped(), ["c"]);
  });

  it("are forgiven once an incident of the host itself was resolved, not by an alert about it", async () => {
    const { fix, unhelped, opened, record } = house();
    await fix("a", "not-fixed");
    const host = await opened(alert({ labels: { host: "nexus" }, fingerprint: "disk" }));
    assert.deepEqual(unhelped(), ["a"]);
    record(host, { kind: "resolved", by: "itself", why: "there is room again" });
    assert.deepEqual(unhelped(), []);
  });
});
