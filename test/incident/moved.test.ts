import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { IncidentEvent } from "../../core/incident/incident.ts";
import { createJournal } from "../../core/incident/journal.ts";
import { HOLDING } from "../../core/incident/journal-reads.ts";
import { targetOf } from "../../core/incident/target.ts";
import { alert, known, settings, world } from "./world.ts";

/** Its hosts.yaml learns of the host "vega" later. */
function growing() {
  let hosts = known.hosts;
  const around = world({ parts: { targetOf: (one) => targetOf(one, settings, { ...known, hosts }) } });
  const learn = (): void => void (hosts = { ...known.hosts, vega: { address: "192.0.2.13" } });
  const key = (id: string): string | undefined => around.journal.incident(id)?.key;
  const state = (id: string) => around.journal.incident(id)?.state;
  return { ...around, learn, key, state };
}

const ofVega = alert({ host: "vega" });
const asked: IncidentEvent = {
  kind: "approval-requested",
  approval: "x-1",
  host: "vega",
  tool: "docker_restart",
  input: {},
  steps: [],
  touches: [],
  risk: "disruptive",
  why: "trust",
  evidence: [],
  digest: "d",
  expiresAt: "2026-11-23T13:00:00.000Z",
};

describe("an incident whose alerts have another key since hosts.yaml was changed", () => {
  it("is dismissed when its alert fires again, which opens an incident of the new key", async () => {
    const { opened, learn, key, state } = growing();
    const old = await opened(ofVega);
    assert.deepEqual([key(old), state(old)?.is], ["?vega/scrypted", "escalated"]);
    learn();
    const next = await opened(ofVega);
    assert.equal(key(next), "vega/docker:scrypted");
    assert.deepEqual(state(old), { is: "dismissed", reason: "its alerts now go to vega/docker:scrypted" });
    assert.equal(state(next)?.is, "open");
    // What comes after goes to the new one alone.
    assert.equal(await opened(ofVega), next);
  });

  it("is resolved when its monitor says so, and not by another monitor's alert of that fingerprint", async () => {
    const { intake, opened, learn, state } = growing();
    const old = await opened(ofVega);
    learn();
    await intake.accept([{ ...ofVega, source: "generic", status: "resolved" }]);
    assert.equal(state(old)?.is, "escalated");
    await intake.accept([{ ...ofVega, status: "resolved" }]);
    assert.match(JSON.stringify(state(old)), /"resolved","by":"monitor"/);
  });

  it("goes on while somebody is at work on it, and while another of its alerts still goes to it", async () => {
    const working = growing();
    const old = await working.opened(ofVega);
    working.record(old, { kind: "reopened", why: "x" }, { kind: "investigation-started", resumed: false });
    working.learn();
    await working.opened(ofVega);
    assert.equal(working.state(old)?.is, "investigating");

    let rules = settings.rules;
    const { opened, journal } = world({ parts: { targetOf: (one) => targetOf(one, { ...settings, rules }, known) } });
    const slow = alert({ fingerprint: "slow", labels: { alertname: "Slow", host: "nexus", service: "scrypted" } });
    const both = await opened();
    assert.equal(await opened(slow), both);
    rules = [{ match: { alertname: "Slow" }, host: "nexus", service: "caddy" }];
    assert.notEqual(await opened(slow), both);
    assert.equal(journal.incident(both)?.state.is, "open");
    rules = [{ match: { service: "scrypted" }, host: "nexus", service: "caddy" }];
    await opened();
    assert.equal(journal.incident(both)?.state.is, "dismissed");
  });

  it("hears its monitor too when it was healed and only waits for that", async () => {
    const { opened, intake, record, learn, state } = growing();
    const old = await opened(ofVega);
    const healed: IncidentEvent = { kind: "resolved", by: "medic", why: "it runs" };
    record(old, { kind: "reopened", why: "x" }, healed);
    learn();
    await intake.accept([{ ...ofVega, status: "resolved" }]);
    assert.deepEqual(state(old), { is: "resolved", by: "medic", why: "it runs", alertCleared: "yes" });
  });

  it("waits for its monitor no longer when it was healed and the alert fires under the new key", async () => {
    const { opened, record, learn, state, journal } = growing();
    const old = await opened(ofVega);
    record(old, { kind: "reopened", why: "x" }, { kind: "resolved", by: "medic", why: "it runs" });
    learn();
    assert.notEqual(await opened(ofVega), old);
    assert.deepEqual(state(old), { is: "resolved", by: "medic", why: "it runs" });
    assert.deepEqual(journal.waitingForClearing(), []);
  });

  it("is looked for by an index, however many incidents are live", () => {
    const database = new DatabaseSync(":memory:");
    createJournal(database, "test", { now: Date.now });
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${HOLDING}`).all("f1");
    assert.doesNotMatch(plan.map(({ detail }) => String(detail)).join("\n"), /SCAN/);
  });

  it("takes a question back that still stood", async () => {
    const { opened, record, learn, journal } = growing();
    const old = await opened(ofVega);
    record(old, { kind: "reopened", why: "x" }, asked);
    learn();
    await opened(ofVega);
    const kinds = journal.events(old).map(({ kind }) => kind);
    assert.deepEqual(kinds.slice(-2), ["approval-withdrawn", "dismissed"]);
  });
});

describe("alerts whose fingerprints differ in half a character only", () => {
  it("are taken, and are one to who looks for them", async () => {
    const { opened, intake, journal } = world();
    const id = await opened(alert({ fingerprint: "\ud800" }));
    assert.equal(await opened(alert({ fingerprint: "\udfff" })), id);
    await intake.accept([alert({ fingerprint: "\ud800", status: "resolved" })]);
    await intake.accept([alert({ fingerprint: "\udfff", status: "resolved" })]);
    assert.equal(journal.incident(id)?.state.is, "resolved");
    assert.equal(journal.verify().intact, true);
  });
});

describe("two services whose alerts share a fingerprint by mistake", () => {
  it("keep an incident each, also when one is resolved", async () => {
    const { opened, intake, journal } = world();
    const shared = (service: string) => alert({ service, fingerprint: "same" });
    const [one, other] = [await opened(shared("a")), await opened(shared("b"))];
    assert.deepEqual([await opened(shared("a")), await opened(shared("b"))], [one, other]);
    await intake.accept([{ ...shared("b"), status: "resolved" }]);
    await intake.accept([{ ...shared("b"), status: "resolved" }]);
    assert.deepEqual([journal.incident(one)?.state.is, journal.incident(other)?.state.is], ["open", "resolved"]);
  });
});
