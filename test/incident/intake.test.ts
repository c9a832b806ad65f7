import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { JournalError } from "../../core/incident/journal-error.ts";
import { createMemoryJournal } from "../../core/incident/journal.ts";
import { fakeClock } from "../support/clock.ts";
import { alert, fixStarted, settings, world } from "./world.ts";

const resolved = (bend: Parameters<typeof alert>[0] = {}) => alert({ status: "resolved", ...bend });
const later = "2026-11-23T13:00:00.000Z";

/** Each failure is an incident of its own; see clearing.test.ts for those that go on. */
const single = { quiet: 3600, clearWithin: 0, recurWithin: 0 };

describe("a firing alert", () => {
  it("lists a hundred firing fingerprints of an incident, the newest, from a monitor that never gives one twice", async () => {
    const { intake, journal } = world();
    const all = Array.from({ length: 101 }, (_, index) => alert({ fingerprint: `f${index}` }));
    const { incidents } = await intake.accept(all.slice(0, 100));
    const id = incidents[0]?.id ?? "";
    assert.equal(journal.incident(id)?.firing[0], "f0");
    await intake.accept(all.slice(100));
    assert.equal(journal.incident(id)?.alerts, 101);
    assert.deepEqual(
      journal.incident(id)?.firing,
      all.slice(1).map(({ fingerprint }) => fingerprint),
    );
  });

  it("opens an incident that has an id one can read and sort", async () => {
    const { intake, journal } = world();
    const { accepted, ignored, incidents } = await intake.accept([alert()]);
    assert.deepEqual([accepted, ignored], [1, 0]);
    assert.equal(incidents.length, 1);
    assert.equal(incidents[0]?.key, "nexus/docker:scrypted");
    assert.equal(incidents[0]?.state, "open");
    assert.match(incidents[0]?.id ?? "", /^20261123-1200-[2-9b-z]{6}$/);
    assert.deepEqual(journal.incident(incidents[0]?.id ?? "")?.firing, ["nexus-scrypted"]);
  });

  it("folds into the live incident of its key, whatever its name", async () => {
    const { intake, journal, opened } = world();
    const id = await opened();
    const { incidents } = await intake.accept([alert(), alert({ name: "Slow", fingerprint: "slow" })]);
    assert.deepEqual(
      incidents.map((one) => one.id),
      [id],
    );
    assert.equal(journal.incident(id)?.alerts, 3);
    assert.deepEqual(journal.incident(id)?.firing, ["nexus-scrypted", "slow"]);
  });

  it("opens one incident when fifty of the same arrive at once, in one commit", async () => {
    const clock = fakeClock();
    const journal = createMemoryJournal({ now: clock.now });
    let commits = 0;
    const counting = {
      ...bound(journal),
      atomically: <T>(step: () => T): T => {
        commits++;
        return journal.atomically(step);
      },
    };
    const { intake } = world({ journal, parts: { journal: counting } });
    const answers = await Promise.all(Array.from({ length: 50 }, () => intake.accept([alert()])));
    assert.equal(new Set(answers.flatMap(({ incidents }) => incidents.map(({ id }) => id))).size, 1);
    assert.equal(journal.incidents().length, 1);
    assert.equal(journal.incidents()[0]?.alerts, 50);
    assert.equal(commits, 1);
    assert.deepEqual(journal.verify(), { intact: true, events: 50 });
  });

  it("opens incidents of its own for another service and another host", async () => {
    const { intake } = world();
    const { incidents } = await intake.accept([alert(), alert({ service: "caddy" }), alert({ host: "atlas" })]);
    assert.deepEqual(
      incidents.map(({ key }) => key),
      ["nexus/docker:scrypted", "nexus/docker:caddy", "atlas/docker:scrypted"],
    );
  });

  it("is stored and escalated, not guessed, when it points nowhere", async () => {
    const { intake, journal } = world();
    const { incidents } = await intake.accept([alert({ host: "vega" }), alert({ labels: {}, fingerprint: "f1" })]);
    assert.deepEqual(
      incidents.map(({ key, state }) => [key, state]),
      [
        ["?vega/scrypted", "escalated"],
        ["?/f1", "escalated"],
      ],
    );
    const state = journal.incident(incidents[0]?.id ?? "")?.state;
    assert.match(state?.is === "escalated" ? state.reason : "", /no host in hosts.yaml.*"vega"/);
  });

  it("is dropped and counted when the owner's rule says so", async () => {
    const rules = [{ match: { alertname: "Watchdog" }, ignore: true }];
    const { intake, journal } = world({ settings: { ...settings, rules } });
    const answer = await intake.accept([alert({ labels: { alertname: "Watchdog" } }), alert()]);
    assert.deepEqual([answer.accepted, answer.ignored, answer.incidents.length], [1, 1, 1]);
    assert.equal(journal.incidents().length, 1);
  });
});

describe("an escalated incident", () => {
  it("folds its alerts for its quiet time, and after that gives way to a new one", async () => {
    const { intake, journal, opened, record, clock } = world();
    const id = await opened();
    record(id, { kind: "escalated", reason: "no idea" });
    clock.advance(3600_000);
    assert.equal(await opened(), id);
    assert.equal(journal.incident(id)?.state.is, "escalated");
    clock.advance(1000);
    const next = await opened();
    assert.notEqual(next, id);
    assert.equal(journal.incident(id)?.state.is, "dismissed");
    assert.equal(journal.incident(next)?.state.is, "open");
    const { incidents } = await intake.accept([alert()]);
    assert.equal(incidents[0]?.id, next);
  });

  it("is taken up again at once when a person asks, who is refused what is not in hosts.yaml", async () => {
    const { intake, journal, opened, record } = world();
    const id = await opened();
    record(id, { kind: "escalated", reason: "no idea" });
    const taken = await intake.investigate("nexus", "scrypted");
    assert.ok("id" in taken && taken.id !== id && taken.state === "open");
    assert.equal(journal.incident(id)?.state.is, "dismissed");
    assert.deepEqual(await intake.investigate("nexus", "scrypted"), taken);
    assert.match(JSON.stringify(await intake.investigate("vega", undefined)), /refused.*has no host/);
    assert.match(JSON.stringify(await intake.investigate("nexus", "nobody")), /refused.*no plugin/);
    assert.equal(journal.incidents().length, 2);
  });
});

describe("a resolved alert", () => {
  it("resolves an incident nobody works on: one that is open, and one left to a person", async () => {
    for (const events of [[], [{ kind: "escalated", reason: "no idea" } as const]]) {
      const { intake, journal, opened, record } = world();
      const id = await opened();
      record(id, ...events);
      const { incidents } = await intake.accept([resolved()]);
      assert.deepEqual(
        incidents.map(({ state }) => state),
        ["resolved"],
      );
      assert.deepEqual(journal.incident(id)?.state, {
        is: "resolved",
        by: "monitor",
        why: 'the monitor reports "ServiceDown" resolved',
      });
    }
  });

  it("is noted while somebody works on the incident, which goes on", async () => {
    for (const events of [
      [{ kind: "investigation-started", resumed: false } as const],
      [fixStarted],
      [fixStarted, { kind: "fix-dispatched", tool: "x", dispatch: { is: "done", seconds: 1 } } as const],
    ]) {
      const { intake, journal, opened, record } = world();
      const id = await opened();
      record(id, ...events);
      const before = journal.incident(id)?.state;
      await intake.accept([resolved()]);
      assert.deepEqual(journal.incident(id)?.state, before);
      assert.deepEqual(journal.incident(id)?.firing, []);
    }
  });

  it("does not resolve an incident of which another alert still fires", async () => {
    const { intake, journal, opened } = world();
    const id = await opened();
    await intake.accept([alert({ fingerprint: "slow" })]);
    await intake.accept([resolved()]);
    assert.equal(journal.incident(id)?.state.is, "open");
    await intake.accept([resolved({ fingerprint: "unheard-of" })]);
    assert.equal(journal.incident(id)?.state.is, "open");
    await intake.accept([resolved({ fingerprint: "slow" })]);
    assert.equal(journal.incident(id)?.state.is, "resolved");
  });

  it("counts inside a group that fires: each alert by its own status", async () => {
    const { intake, journal, opened } = world();
    const id = await opened();
    const { incidents } = await intake.accept([alert({ service: "caddy" }), resolved()]);
    assert.deepEqual(
      incidents.map(({ state }) => state),
      ["open", "resolved"],
    );
    assert.equal(journal.incident(id)?.state.is, "resolved");
  });

  it("is noted once when it comes after the end, and opens nothing when nothing was there", async () => {
    const { intake, journal, opened, record } = world();
    assert.deepEqual((await intake.accept([resolved()])).incidents, []);
    const id = await opened();
    record(id, { kind: "resolved", by: "medic", why: "it runs" });
    await intake.accept([resolved()]);
    await intake.accept([resolved()]);
    assert.deepEqual(
      journal.events(id).map(({ kind }) => kind),
      ["incident-opened", "resolved", "alert-resolved"],
    );
    assert.equal(journal.incident(id)?.state.is, "resolved");
    assert.equal(journal.incidents().length, 1);
  });
});

describe("an alert that comes again after its incident was resolved", () => {
  it("is a stale repeat within five minutes when it is the very same, and a new beginning after that", async () => {
    const { journal, opened, record, clock } = world({ parts: { limits: single } });
    const id = await opened();
    record(id, { kind: "resolved", by: "monitor", why: "it says so" });
    clock.advance(300_000);
    assert.equal(await opened(), id);
    assert.equal(journal.incident(id)?.state.is, "resolved");
    assert.deepEqual(journal.events(id).at(-1)?.kind, "alert-folded");
    clock.advance(1);
    assert.notEqual(await opened(), id);
  });

  it("is no stale repeat when it began anew, or is another alert, or the last one was dismissed", async () => {
    for (const [ended, again] of [
      [{ kind: "resolved", by: "medic", why: "" } as const, alert({ startsAt: later })],
      [{ kind: "resolved", by: "monitor", why: "" } as const, alert({ fingerprint: "slow" })],
      [{ kind: "dismissed", reason: "" } as const, alert()],
    ] as const) {
      const { opened, record } = world({ parts: { limits: single } });
      const id = await opened();
      record(id, ended);
      assert.notEqual(await opened(again), id);
    }
  });
});

describe("what cannot be committed", () => {
  it("is not accepted, none of those that came together, and is once it can be", async () => {
    const { intake, journal, clock } = world();
    let isFull = true;
    const failing = {
      ...bound(journal),
      atomically: <T>(step: () => T): T =>
        journal.atomically(() => {
          const result = step();
          if (isFull) throw new JournalError("full", "Cannot write the journal: the disk is full");
          return result;
        }),
    };
    const other = world({ journal, parts: { journal: failing, now: clock.now } }).intake;
    const answers = await Promise.allSettled([other.accept([alert()]), other.accept([alert({ service: "caddy" })])]);
    for (const answer of answers)
      assert.match(answer.status === "rejected" ? String(answer.reason) : "", /disk is full/);
    assert.equal(journal.incidents().length, 0);
    isFull = false;
    assert.equal((await other.accept([alert()])).accepted, 1);
    assert.equal((await intake.accept([alert()])).incidents.length, 1);
    assert.deepEqual(journal.verify(), { intact: true, events: 2 });
  });
});

function bound(journal: ReturnType<typeof createMemoryJournal>) {
  return {
    append: journal.append.bind(journal),
    incident: journal.incident.bind(journal),
    incidents: journal.incidents.bind(journal),
    findLive: journal.findLive.bind(journal),
    findLast: journal.findLast.bind(journal),
    holding: journal.holding.bind(journal),
    events: journal.events.bind(journal),
  };
}
