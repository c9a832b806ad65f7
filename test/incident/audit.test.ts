import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { createJournal, type Journal } from "../../core/incident/journal.ts";
import { fakeClock } from "../support/clock.ts";
import { alert, fixStarted, world } from "./world.ts";

const OPENED_UP =
  "PRAGMA foreign_keys = OFF; DROP TRIGGER events_stay; DROP TRIGGER events_are_final; DROP TRIGGER events_in_order;";

function three(): { database: DatabaseSync; journal: Journal; clock: ReturnType<typeof fakeClock> } {
  const clock = fakeClock();
  const database = new DatabaseSync(":memory:");
  const journal = createJournal(database, "test", { now: clock.now });
  const { record } = world({ journal });
  for (const service of ["a", "b", "c"]) {
    const target = { host: "nexus", plugin: "docker", service };
    const key = `nexus/docker:${service}`;
    journal.append([{ incident: service, kind: "incident-opened", key, target, alert: alert({ service }) }]);
  }
  record("a", fixStarted);
  record("b", { kind: "escalated", reason: "x" });
  return { database, journal, clock };
}

describe("an audit", () => {
  it("names the first event after which an incident is not what its events tell", () => {
    for (const [sql, sequence, why] of [
      [
        `UPDATE incidents SET record = replace(record, '"escalated"', '"resolved"') WHERE id = 'b'`,
        5,
        /"b" is not what/,
      ],
      ["UPDATE incidents SET changed = 1 WHERE id = 'a'", 1, /"a" is not what its events tell/],
      ["DELETE FROM incidents WHERE id = 'c'", 3, /"c" does not tell of it/],
      ["UPDATE incidents SET id = 'd' WHERE id = 'c'", 3, /"c" does not tell of it/],
      [
        "INSERT INTO incidents SELECT 'd', 'k', host, state, live, opened, changed, record FROM incidents WHERE id = 'a'",
        5,
        /of which no event tells/,
      ],
    ] as const) {
      const { database, journal } = three();
      assert.deepEqual(journal.verify(), { intact: true, events: 5 });
      // As somebody would who opens the file with a tool of his own.
      database.exec(`PRAGMA foreign_keys = OFF; ${sql}`);
      const audited = journal.audit();
      assert.ok(!audited.intact, sql);
      assert.equal(audited.sequence, sequence, sql);
      assert.match(audited.why, why);
    }
  });

  it("finds every tampered event, and every one that is gone but the last", () => {
    for (let sequence = 1; sequence <= 5; sequence++) {
      for (const sql of [
        `UPDATE events SET body = replace(body, '2026', '2027') WHERE sequence = ${sequence}`,
        `DELETE FROM events WHERE sequence = ${sequence}`,
      ]) {
        const { database, journal } = three();
        database.exec(`${OPENED_UP} ${sql}`);
        const audited = journal.audit();
        assert.ok(!audited.intact, sql);
        assert.equal(audited.sequence, sequence, sql);
      }
    }
  });

  it("finds a kept head and counts what came after it; an end that was cut off together with its incidents it finds by that alone", () => {
    const { database, journal } = three();
    const { sequence, hash } = journal.head();
    const kept = (of: Parameters<Journal["audit"]>[0]): unknown => {
      const audited = journal.audit(of);
      return audited.intact ? audited.kept : audited;
    };
    assert.deepEqual(kept({ hash }), { is: "found", sequence: 5, eventsAfter: 0 });
    assert.deepEqual(kept({ hash: hash.slice(0, 12), sequence }), { is: "found", sequence: 5, eventsAfter: 0 });
    assert.deepEqual(kept({ hash, sequence: 4 }), { is: "missing" });
    assert.equal(kept(undefined), undefined);
    journal.append([{ incident: "c", kind: "dismissed", reason: "x" }]);
    assert.deepEqual(kept({ hash }), { is: "found", sequence: 5, eventsAfter: 1 });
    const { hash: last } = journal.head();
    const before = `(SELECT record FROM incidents WHERE id = 'c')`;
    database.exec(`${OPENED_UP} DELETE FROM events WHERE sequence = 6;
      UPDATE incidents SET changed = 3, live = 1, state = 'open', record = json_remove(json_set(${before},
        '$.state', json('{"is":"open"}'), '$.changedAt', record ->> '$.openedAt'), '$.endedAt') WHERE id = 'c'`);
    assert.deepEqual(journal.verify(), { intact: true, events: 5 });
    assert.deepEqual(kept({ hash: last }), { is: "missing" });
    assert.deepEqual(kept({ hash }), { is: "found", sequence: 5, eventsAfter: 0 });
  });

  it("knows a head from before a checkpoint by that checkpoint only, and says when it cannot know", () => {
    const { journal, clock } = three();
    const { record } = world({ journal });
    const first = journal.head();
    for (const id of ["a", "b", "c"]) record(id, { kind: "resolved", by: "itself", why: "x" });
    const last = journal.head();
    clock.advance(40 * 86_400_000);
    assert.equal(journal.prune(30 * 86_400)?.events, 8);
    const kept = (of: Parameters<Journal["audit"]>[0]): unknown => {
      const audited = journal.audit(of);
      return audited.intact ? audited.kept : audited;
    };
    assert.deepEqual(kept(last), { is: "found", sequence: 8, eventsAfter: 1 });
    assert.deepEqual(kept(first), { is: "pruned" });
    assert.deepEqual(kept({ hash: first.hash }), { is: "missing" });
  });

  it("finds a checkpoint that was changed, and a beginning that none has signed for", () => {
    for (const [sql, sequence] of [
      ["UPDATE events SET body = replace(body, '\"events\":8', '\"events\":2') WHERE sequence = 9", 9],
      ["DELETE FROM events WHERE sequence = 9", 9],
    ] as const) {
      const { database, journal, clock } = three();
      const { record } = world({ journal });
      for (const id of ["a", "b", "c"]) record(id, { kind: "resolved", by: "itself", why: "x" });
      clock.advance(40 * 86_400_000);
      journal.prune(30 * 86_400);
      const target = { host: "nexus", plugin: "docker", service: "d" };
      journal.append([{ incident: "d", kind: "incident-opened", key: "nexus/docker:d", target, alert: alert() }]);
      assert.deepEqual(journal.verify(), { intact: true, events: 2 });
      database.exec(`${OPENED_UP} ${sql}`);
      const audited = journal.audit();
      assert.ok(!audited.intact);
      assert.equal(audited.sequence, sql.startsWith("DELETE") ? 1 : sequence);
    }
  });
});

describe("the export", () => {
  it("gives each event's very text with its hash, since a time and of one incident", () => {
    const { journal, clock } = three();
    clock.advance(60_000);
    journal.append([{ incident: "c", kind: "dismissed", reason: 'a "quoted" text\n' }]);
    const lines = [...journal.exportLines({})].map(
      (line) => JSON.parse(line) as { sequence: number; hash: string; body: { kind: string } },
    );
    assert.deepEqual(
      lines.map(({ sequence }) => sequence),
      [1, 2, 3, 4, 5, 6],
    );
    assert.equal(lines.at(-1)?.hash, journal.head().hash);
    const sequences = (wanted: Parameters<Journal["exportLines"]>[0]): number[] =>
      [...journal.exportLines(wanted)].map((line) => (JSON.parse(line) as { sequence: number }).sequence);
    assert.deepEqual(sequences({ sinceMs: clock.now() }), [6]);
    assert.deepEqual(sequences({ sinceMs: clock.now() + 1 }), []);
    assert.deepEqual(sequences({ incident: "c" }), [3, 6]);
    assert.deepEqual(sequences({ incident: "c", sinceMs: clock.now() }), [6]);
  });

  it("can be left in the middle, and the journal goes on", () => {
    const { journal } = three();
    for (const _ of journal.exportLines({})) break;
    journal.append([{ incident: "c", kind: "dismissed", reason: "x" }]);
    assert.equal(journal.verify().intact, true);
  });
});
