import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { createJournal, type Journal } from "../../core/incident/journal.ts";
import { isOver } from "../../core/incident/incident.ts";
import { fakeClock } from "../support/clock.ts";
import { facts, alert, fixStarted, world } from "./world.ts";

const DAY = 86_400;
const RETAIN = 30 * DAY;

function aged() {
  const clock = fakeClock();
  const database = new DatabaseSync(":memory:");
  const journal = createJournal(database, "test", { now: clock.now });
  const around = world({ journal });
  const open = (id: string): void => {
    const target = { host: "nexus", plugin: "docker", service: id };
    const opening = { incident: id, kind: "incident-opened", key: `nexus/docker:${id}`, target } as const;
    journal.append([{ ...opening, alert: alert({ service: id }) }]);
  };
  const end = (id: string): void => around.record(id, { kind: "resolved", by: "medic", why: "it runs" });
  const days = (count: number): void => clock.advance(count * DAY * 1000);
  return { ...around, clock, database, journal, open, end, days, prune: () => journal.prune(RETAIN) };
}

const ids = (journal: Journal): string[] => journal.incidents().map(({ id }) => id);

describe("pruning", () => {
  it("removes old incidents whole, under a checkpoint that says what was there, and the chain goes on from it", () => {
    const { journal, open, end, days, prune, record } = aged();
    open("a");
    record("a", fixStarted, { kind: "fix-judged", tool: "x", input: {}, outcome: "fixed", facts, why: "" });
    end("a");
    open("b");
    const { hash } = journal.head();
    record("b", { kind: "dismissed", reason: "x" });
    days(31);
    open("c");
    const before = journal.tallies();
    assert.deepEqual(prune(), { through: 6, events: 6, incidents: 2 });
    assert.deepEqual(ids(journal), ["c"]);
    assert.deepEqual(journal.events("a"), []);
    assert.deepEqual(journal.verify(), { intact: true, events: 2 });
    const audited = journal.audit();
    assert.ok(audited.intact && audited.checkpoint !== undefined);
    const { at: _, ...checkpoint } = audited.checkpoint;
    assert.deepEqual(checkpoint, {
      kind: "checkpoint",
      sequence: 8,
      through: 6,
      hash: checkpoint.hash,
      retain: RETAIN,
      events: 6,
      incidents: 2,
      removed: { incidents: { dismissed: 1, resolved: 1 }, fixes: { fixed: 1 } },
      known: { identities: { nexus: {} }, channels: [] },
    });
    // What is counted over all time does not go back.
    assert.deepEqual(journal.tallies(), before);
    assert.equal(journal.audit({ hash, sequence: 5 }).intact, true);
    end("c");
    assert.deepEqual(journal.verify(), { intact: true, events: 3 });
  });

  it("counts on over several checkpoints, of which old ones go too", () => {
    const { journal, open, end, days, prune } = aged();
    for (let round = 1; round <= 4; round++) {
      open(`r${round}`);
      end(`r${round}`);
      days(31);
      prune();
      assert.deepEqual(journal.tallies().incidents, { resolved: round });
      assert.equal(journal.verify().intact, true);
    }
    const audited = journal.audit();
    assert.ok(audited.intact);
    assert.equal(audited.events, 1);
    assert.deepEqual(audited.checkpoint?.removed.incidents, { resolved: 4 });
    assert.equal(prune(), undefined);
  });

  it("leaves what is young enough, to the millisecond", () => {
    const { journal, open, end, days, prune, clock } = aged();
    open("a");
    end("a");
    days(30);
    assert.equal(prune(), undefined);
    assert.deepEqual(ids(journal), ["a"]);
    clock.advance(1);
    assert.equal(prune()?.incidents, 1);
  });

  it("cuts through no incident: it ends before one that goes on, and before one that is live", () => {
    const { journal, open, end, days, prune } = aged();
    open("a");
    end("a");
    open("late");
    open("b");
    end("b");
    days(31);
    end("late");
    assert.deepEqual(prune(), { through: 2, events: 2, incidents: 1 });
    assert.deepEqual(ids(journal), ["b", "late"]);
    days(31);
    open("live");
    assert.equal(prune()?.incidents, 2);
    days(100);
    open("new");
    end("new");
    days(31);
    assert.equal(prune(), undefined);
    assert.deepEqual(ids(journal), ["new", "live"]);
    assert.equal(journal.verify().intact, true);
  });

  it("dismisses what waits for a person and was not heard of for all that time, so that it can go one day", () => {
    const { journal, open, days, prune, record } = aged();
    open("forgotten");
    record("forgotten", { kind: "escalated", reason: "x" });
    open("at-work");
    record("at-work", { kind: "investigation-started", resumed: false });
    days(31);
    assert.equal(prune(), undefined);
    const said = { is: "dismissed", reason: "nothing was heard of it for 30 days" };
    assert.deepEqual(journal.incident("forgotten")?.state, said);
    assert.deepEqual(journal.incident("at-work")?.state, { is: "investigating" });
  });

  it("dismisses what is held for ever once its monitor is silent for all that time, and not while it repeats its alert", () => {
    const { journal, open, days, prune, record } = aged();
    const held = { kind: "held", why: 'the alert has the label medic_hold="true"' } as const;
    for (const id of ["silent", "repeated"]) {
      open(id);
      record(id, held);
    }
    days(29);
    record("repeated", { kind: "alert-folded", alert: alert() });
    assert.equal(prune(), undefined);
    assert.deepEqual(
      journal.incidents().map(({ state }) => state.is),
      ["open", "open"],
    );
    days(2);
    prune();
    assert.equal(journal.incident("silent")?.state.is, "dismissed");
    assert.equal(journal.incident("repeated")?.state.is, "open");
    days(31);
    prune();
    days(31);
    prune();
    assert.deepEqual(ids(journal), []);
    assert.equal(journal.verify().intact, true);
  });

  it("leaves known which machine a host was last, over several checkpoints, until one is met or accepted anew", () => {
    const { journal, open, end, days, prune, record } = aged();
    const fixOn = (id: string, machine: string): void => {
      open(id);
      record(id, { ...fixStarted, identity: { machine } });
      end(id);
    };
    const later = (): void => {
      days(31);
      prune();
    };
    fixOn("a", "one");
    journal.note({ kind: "host-accepted", host: "atlas", identity: { hostKey: "k" }, by: "x" });
    fixOn("b", "two");
    later();
    assert.deepEqual(ids(journal), []);
    later();
    later();
    assert.deepEqual(
      [journal.identityOf("nexus"), journal.identityOf("atlas")],
      [{ machine: "two" }, { hostKey: "k" }],
    );
    assert.equal(journal.identityOf("constructor"), undefined);
    fixOn("c", "three");
    assert.deepEqual(journal.identityOf("nexus"), { machine: "three" });
    journal.note({ kind: "host-accepted", host: "nexus", identity: { machine: "four" }, by: "x" });
    later();
    assert.deepEqual(
      [journal.identityOf("nexus"), journal.identityOf("atlas")],
      [{ machine: "four" }, { hostKey: "k" }],
    );
  });

  it("leaves known that a channel was there, which is told of all that it was not told of", () => {
    const { journal, open, end, days, prune, clock } = aged();
    journal.note({ kind: "channel-added", channel: "quiet" });
    open("a");
    end("a");
    days(31);
    prune();
    open("b");
    const wanted = { kinds: ["incident-opened"], sinceMs: clock.now() - 1000 };
    assert.deepEqual(
      journal.told("quiet", wanted)?.changes.map(({ incident }) => incident),
      ["b"],
    );
    assert.equal(journal.told("new", wanted), undefined);
  });

  it("lets nothing else be removed: the triggers allow what a checkpoint has signed for and no more", () => {
    const { journal, database, open, end, days, prune } = aged();
    open("a");
    end("a");
    days(31);
    open("b");
    end("b");
    assert.throws(() => database.exec("DELETE FROM events WHERE sequence = 1"), /append-only|FOREIGN KEY/);
    prune();
    database.exec("PRAGMA foreign_keys = OFF");
    for (const sequence of [3, 4, 5]) {
      assert.throws(() => database.exec(`DELETE FROM events WHERE sequence = ${sequence}`), /append-only/);
    }
    assert.throws(() => database.exec("UPDATE events SET body = '{}'"), /append-only/);
    assert.deepEqual(journal.verify(), { intact: true, events: 3 });
  });

  it("takes some five thousand events at once, more only where one incident has more, and all of them in the end", () => {
    const { journal, open, end, days, prune, record } = aged();
    const said = { kind: "responder-said", responder: "claude", text: "x" } as const;
    const long = (id: string, events: number): void => {
      open(id);
      record(id, ...Array.from({ length: events - 2 }, () => said));
      end(id);
    };
    for (const id of ["a", "b", "c"]) long(id, 2500);
    long("d", 5001);
    open("e");
    end("e");
    days(31);
    assert.deepEqual(prune(), { through: 5000, events: 5000, incidents: 2 });
    assert.equal(journal.verify().intact, true);
    assert.deepEqual(prune(), { through: 7500, events: 2500, incidents: 1 });
    assert.deepEqual(prune(), { through: 12_503, events: 5003, incidents: 2 });
    assert.equal(prune(), undefined);
    assert.deepEqual(journal.tallies().incidents, { resolved: 5 });
    assert.deepEqual(journal.verify(), { intact: true, events: 3 });
  });

  it("removes all or nothing", () => {
    const { journal, database, open, end, days, prune } = aged();
    open("a");
    end("a");
    days(31);
    database.exec("CREATE TRIGGER stop BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert.throws(prune);
    assert.deepEqual(ids(journal), ["a"]);
    assert.deepEqual(journal.verify(), { intact: true, events: 2 });
    database.exec("DROP TRIGGER stop");
    assert.equal(prune()?.events, 2);
  });

  it("never loses an incident that is not over, breaks no chain and no count, whatever happened before", () => {
    const names = ["a", "b", "c", "d"];
    const step = fc.oneof(
      fc.record({ does: fc.constantFrom("open", "end", "escalate", "note"), who: fc.constantFrom(...names) }),
      fc.record({ does: fc.constantFrom("wait", "prune"), who: fc.constantFrom("") }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { journal, open, end, days, prune, record } = aged();
        let ended = 0;
        for (const [index, { does, who }] of steps.entries()) {
          const live =
            journal.findLive(`nexus/docker:${who}-${index}`) ??
            journal.incidents().find(({ id, state }) => id.startsWith(`${who}-`) && !isOver(state));
          if (does === "open" && live === undefined) open(`${who}-${index}`);
          else if (does === "end" && live !== undefined) end(live.id);
          else if (does === "escalate" && live !== undefined) record(live.id, { kind: "escalated", reason: "x" });
          else if (does === "note" && live !== undefined) record(live.id, fixStarted);
          else if (does === "wait") days(16);
          else if (does === "prune") prune();
          assert.equal(journal.verify().intact, true);
          const { resolved = 0 } = journal.tallies().incidents;
          assert.ok(resolved >= ended);
          ended = resolved;
        }
      }),
      { numRuns: 100 },
    );
  });
});
