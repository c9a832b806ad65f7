import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, it } from "node:test";
import * as fc from "fast-check";
import { canonical } from "../../core/incident/chain.ts";
import { type JournalEvent, type NewEvent } from "../../core/incident/incident.ts";
import { reduce } from "../../core/incident/reduce.ts";
import { JournalError } from "../../core/incident/journal-error.ts";
import { createJournal, createMemoryJournal, openJournal, readJournal } from "../../core/incident/journal.ts";
import { fakeClock } from "../support/clock.ts";
import { alert, facts, fixStarted, world } from "./world.ts";

const root = mkdtempSync(join(tmpdir(), "medic-journal-"));
after(() => rmSync(root, { recursive: true, force: true }));
const { now } = fakeClock();
let folders = 0;
const folder = (): string => join(root, String(folders++));

function opening(incident: string, service = "scrypted"): NewEvent {
  const target = { host: "nexus", plugin: "docker", service };
  return { incident, kind: "incident-opened", key: `nexus/docker:${service}`, target, alert: alert({ service }) };
}

describe("the journal", () => {
  it("gives back after a restart what was written before it", () => {
    const place = folder();
    const first = openJournal(place, { now });
    first.append([opening("i1"), { incident: "i1", kind: "investigation-started", resumed: false }]);
    first.append([{ incident: "i1", kind: "resolved", by: "medic", why: "it runs" }]);
    first.close();
    const second = openJournal(place, { now });
    assert.deepEqual(second.incident("i1")?.state, {
      is: "resolved",
      by: "medic",
      why: "it runs",
      alertCleared: "waiting",
    });
    assert.deepEqual(
      second.events("i1").map(({ sequence, kind }) => [sequence, kind]),
      [
        [1, "incident-opened"],
        [2, "investigation-started"],
        [3, "resolved"],
      ],
    );
    assert.deepEqual(second.verify(), { intact: true, events: 3 });
    assert.equal(second.append([opening("i2")])[0]?.sequence, 4);
    assert.deepEqual(second.verify(), { intact: true, events: 4 });
    second.close();
  });

  it("says which event is the last and its hash, as an event is being written too, beside a writer too", () => {
    const place = folder();
    const journal = openJournal(place, { now });
    const reader = readJournal(place, { now });
    assert.deepEqual(journal.head(), { sequence: 0, hash: "0".repeat(64) });
    journal.append([opening("i1")]);
    const first = journal.head();
    assert.equal(first.sequence, 1);
    journal.atomically(() => {
      journal.append([opening("i2", "a")]);
      assert.equal(journal.head().sequence, 2);
      assert.notEqual(journal.head().hash, first.hash);
      assert.deepEqual(reader.head(), first);
    });
    assert.deepEqual(reader.head(), journal.head());
    reader.close();
    journal.close();
  });

  it("keeps each incident as its events tell it", () => {
    const { journal, record } = world();
    const events = journal.append([opening("i1")]);
    record("i1", { kind: "investigation-started", resumed: false }, fixStarted);
    const told = journal.events("i1").reduce(reduce, undefined as never);
    assert.deepEqual(journal.incident("i1"), told);
    assert.deepEqual(journal.findLive("nexus/docker:scrypted"), told);
    assert.equal(events.length, 1);
  });

  it("refuses to change, remove or replace an event", () => {
    const database = new DatabaseSync(":memory:");
    const journal = createJournal(database, "test", { now });
    journal.append([opening("i1"), fixStartedOf("i1")]);
    for (const sql of [
      "UPDATE events SET body = '{}'",
      "DELETE FROM events WHERE sequence = 2",
      "INSERT OR REPLACE INTO events (sequence, body, hash) VALUES (1, '{}', '')",
      `INSERT INTO events (sequence, body, hash) VALUES (9, '{"incident":"i1","kind":"x","at":""}', '')`,
      "INSERT OR REPLACE INTO events (body, hash) VALUES ('{}', '')",
    ]) {
      assert.throws(() => database.exec(sql), /append-only|NOT NULL/, sql);
    }
    assert.deepEqual(journal.verify(), { intact: true, events: 2 });
  });

  it("says at which event the chain breaks", () => {
    const breaks: [string, number, RegExp][] = [
      [
        "UPDATE events SET body = replace(body, 'ServiceDown', 'Nothing') WHERE sequence = 2",
        2,
        /not what was written/,
      ],
      ["UPDATE events SET hash = upper(hash) WHERE sequence = 3", 3, /not what was written/],
      ["DELETE FROM events WHERE sequence = 2", 2, /missing/],
      ["DELETE FROM events WHERE sequence = 3", 3, /do not end alike/],
    ];
    for (const [sql, sequence, why] of breaks) {
      const database = new DatabaseSync(":memory:");
      const journal = createJournal(database, "test", { now });
      journal.append([opening("i1"), opening("i2", "a"), opening("i3", "b")]);
      database.exec(`PRAGMA foreign_keys = OFF; DROP TRIGGER events_stay; DROP TRIGGER events_are_final; ${sql}`);
      const verified = journal.verify();
      assert.ok(!verified.intact);
      assert.equal(verified.sequence, sequence, sql);
      assert.match(verified.why, why);
    }
  });

  it("lets one live incident hold a key, and the next one once that is over", () => {
    const { journal, record } = world();
    journal.append([opening("i1")]);
    assert.throws(() => journal.append([opening("i2")]), { name: "JournalError", fault: "claimed" });
    assert.equal(journal.incident("i2"), undefined);
    assert.equal(journal.trouble(), undefined);
    record("i1", { kind: "resolved", by: "itself", why: "" });
    journal.append([opening("i2")]);
    assert.equal(journal.findLive("nexus/docker:scrypted")?.id, "i2");
    assert.equal(journal.findLast("nexus/docker:scrypted")?.id, "i2");
    assert.deepEqual(journal.verify(), { intact: true, events: 3 });
  });

  it("writes all events of an append or none, and tells nobody of those it did not write", () => {
    const { journal } = world();
    const told: JournalEvent[] = [];
    journal.subscribe((event) => told.push(event));
    assert.throws(() => journal.append([opening("i1"), opening("i2")]), JournalError);
    assert.throws(
      () =>
        journal.atomically(() => {
          journal.append([opening("i1")]);
          throw new Error("the step's own");
        }),
      /^Error: the step's own$/,
    );
    assert.deepEqual(told, []);
    assert.deepEqual(journal.verify(), { intact: true, events: 0 });
    journal.append([opening("i1")]);
    assert.equal(told.length, 1);
    assert.deepEqual(journal.verify(), { intact: true, events: 1 });
  });

  it("tells listeners in the order of the events, also of what a listener writes, and survives one that throws", () => {
    const errors: unknown[] = [];
    const journal = createMemoryJournal({ now, onListenerError: (error) => errors.push(error) });
    const told: string[] = [];
    journal.subscribe((event) => {
      if (event.kind === "incident-opened") {
        journal.append([{ incident: event.incident, kind: "investigation-started", resumed: false }]);
      }
    });
    journal.subscribe(() => {
      throw new Error("deaf");
    });
    const unsubscribe = journal.subscribe(({ incident, kind }) => told.push(`${incident} ${kind}`));
    journal.append([opening("i1"), opening("i2", "a")]);
    assert.deepEqual(told, [
      "i1 incident-opened",
      "i2 incident-opened",
      "i1 investigation-started",
      "i2 investigation-started",
    ]);
    assert.equal(errors.length, 4);
    unsubscribe();
    journal.append([opening("i3", "b")]);
    assert.equal(told.length, 4);
  });

  it("lists the newest first, by state, no more than asked for", () => {
    const { journal, record } = world();
    for (let count = 1; count <= 5; count++) journal.append([opening(`i${count}`, `s${count}`)]);
    record("i2", { kind: "escalated", reason: "x" });
    const ids = (wanted: Parameters<typeof journal.incidents>[0]): string[] =>
      journal.incidents(wanted).map(({ id }) => id);
    assert.deepEqual(ids({}), ["i5", "i4", "i3", "i2", "i1"]);
    assert.deepEqual(ids({ limit: 2 }), ["i5", "i4"]);
    assert.deepEqual(ids({ states: ["escalated", "resolved"] }), ["i2"]);
    assert.deepEqual(ids({ states: ["open"], limit: 3 }), ["i5", "i4", "i3"]);
  });

  it("counts the fixes of a service, of its host and of all hosts since a time", () => {
    const { journal, record, clock } = world();
    journal.append([opening("i1"), opening("i2", "caddy")]);
    const target = { host: "atlas" };
    journal.append([{ incident: "i3", kind: "incident-opened", key: "atlas/-", target, alert: alert() }]);
    record("i1", fixStarted);
    clock.advance(60_000);
    record("i2", fixStarted);
    record("i1", fixStarted);
    record("i3", fixStarted);
    const counts = (host: string, key: string, touches: string[], sinceMs: number): unknown => {
      const { open: _, ...counted } = journal.fixesSince(host, { key, touches }, sinceMs);
      return counted;
    };
    const key = "nexus/docker:scrypted";
    assert.deepEqual(counts("nexus", key, [], clock.now() - 3_600_000), { service: 2, host: 3, all: 4 });
    assert.deepEqual(counts("nexus", key, [], clock.now()), { service: 1, host: 2, all: 3 });
    assert.deepEqual(counts("nexus", key, [], clock.now() + 1), { service: 0, host: 0, all: 0 });
    assert.deepEqual(counts("vega", "vega/-", ["scrypted"], 0), { service: 0, host: 0, all: 4 });
    // By the names it touched, whatever incident it was for: all three touched "scrypted", none "redis".
    assert.deepEqual(counts("nexus", "nexus/-", ["scrypted", "redis"], 0), { service: 3, host: 3, all: 4 });
    assert.deepEqual(counts("nexus", "nexus/-", ["redis"], 0), { service: 0, host: 3, all: 4 });
  });

  it("knows a fix whose end nobody knows, until it is judged or its incident resolved", () => {
    const { journal, record } = world();
    const openOf = (touches: string[]): unknown => journal.fixesSince("nexus", { key: "nexus/-", touches }, 0).open;
    journal.append([opening("i1")]);
    record("i1", fixStarted);
    assert.deepEqual(openOf(["scrypted"]), { tool: "docker_restart", incident: "i1" });
    assert.equal(openOf(["redis"]), undefined);
    const judged = { kind: "fix-judged", tool: "docker_restart", input: {}, facts, why: "x" } as const;
    record("i1", { ...judged, outcome: "not-fixed" });
    assert.equal(openOf(["scrypted"]), undefined);
    record("i1", fixStarted, { ...judged, outcome: "unverified" }, { kind: "escalated", reason: "x" });
    assert.deepEqual(openOf(["scrypted"]), { tool: "docker_restart", incident: "i1" });
    record("i1", { kind: "resolved", by: "monitor", why: "x" });
    assert.equal(openOf(["scrypted"]), undefined);
  });

  it("keeps any text that an event may hold", () => {
    const { journal, record } = world();
    journal.append([opening("i1")]);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 50 }), (text) => {
        record("i1", { kind: "responder-said", responder: "claude", text });
        const last = journal.events("i1").at(-1);
        assert.deepEqual(last?.kind === "responder-said" && last.text, text);
      }),
    );
    assert.equal(journal.verify().intact, true);
  });

  it("knows no event before an incident was opened", () => {
    const { journal } = world();
    assert.throws(() => journal.append([fixStartedOf("ghost")]), /its first event is "fix-started"/);
    assert.deepEqual(journal.verify(), { intact: true, events: 0 });
  });

  it("refuses a step within a step", () => {
    const { journal } = world();
    assert.throws(() => journal.atomically(() => journal.atomically(() => undefined)), /nest/);
    journal.append([opening("i1")]);
  });
});

describe("the canonical form", () => {
  it("is one text for one value, whatever the order of its keys", () => {
    assert.equal(canonical({ b: [{ d: 1, c: 2 }], a: "x" }), '{"a":"x","b":[{"c":2,"d":1}]}');
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        assert.equal(canonical(turned), canonical(value));
        assert.deepEqual(JSON.parse(canonical(value)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("the journal's file", () => {
  const fails = (fault: string, says: RegExp) => (error: unknown) => {
    assert.ok(error instanceof JournalError, String(error));
    assert.equal(error.fault, fault, error.message);
    assert.match(error.message, says);
    assert.ok(!error.message.includes("\n"));
    return true;
  };

  it("is held by one writer, who is named to the next; given back, it can be taken", () => {
    const place = folder();
    const first = openJournal(place, { now });
    assert.throws(() => openJournal(place, { now }), fails("locked", new RegExp(`process ${process.pid}, since 2026`)));
    first.append([opening("i1")]);
    first.close();
    first.close();
    openJournal(place, { now }).close();
  });

  it("is for its owner alone, also in a folder that is open to all", () => {
    const place = folder();
    mkdirSync(place, { mode: 0o755 });
    const journal = openJournal(place, { now });
    journal.append([opening("i1")]);
    for (const file of readdirSync(place).filter((name) => name.startsWith("journal."))) {
      assert.equal(statSync(join(place, file)).mode & 0o777, 0o600, file);
    }
    journal.close();
  });

  it("can be read beside its writer, and not written", () => {
    const place = folder();
    const writer = openJournal(place, { now });
    writer.append([opening("i1")]);
    const reader = readJournal(place, { now });
    writer.append([fixStartedOf("i1")]);
    assert.equal(reader.incident("i1")?.state.is, "fixing");
    assert.deepEqual(reader.verify(), { intact: true, events: 2 });
    assert.throws(() => reader.append([opening("i2", "a")]), fails("unwritable", /cannot be written/));
    reader.close();
    writer.close();
    const alone = readJournal(place, { now });
    assert.equal(alone.events("i1").length, 2);
    alone.close();
  });

  it("says when there is nothing to read", () => {
    assert.throws(() => readJournal(folder(), { now }), fails("missing", /there is none yet. Start medic serve/));
  });

  it("says that a folder cannot be written", () => {
    const file = join(root, "a-file");
    writeFileSync(file, "");
    assert.throws(() => openJournal(join(file, "data"), { now }), fails("unwritable", /Check its owner/));
    assert.throws(() => openJournal(file, { now }), fails("unwritable", /Check its owner/));
  });

  it("says that a file is no journal, and gives the folder back", () => {
    const place = folder();
    openJournal(place, { now }).close();
    writeFileSync(join(place, "journal.sqlite"), "this is no database, it is a long line of text. ".repeat(200));
    assert.throws(() => openJournal(place, { now }), fails("broken", /not a journal/));
    assert.throws(() => readJournal(place, { now }), fails("broken", /not a journal/));
    rmSync(join(place, "journal.sqlite"));
    openJournal(place, { now }).close();
  });

  it("leaves a newer Medic's journal alone", () => {
    const place = folder();
    openJournal(place, { now }).close();
    const database = new DatabaseSync(join(place, "journal.sqlite"));
    database.exec("PRAGMA user_version = 99");
    database.close();
    assert.throws(() => openJournal(place, { now }), fails("newer", /form 99.*Update Medic/));
    assert.throws(() => readJournal(place, { now }), fails("newer", /Update Medic/));
  });

  it("says that the disk is full, writes nothing in half, and goes on when there is space again", () => {
    const database = new DatabaseSync(":memory:");
    const journal = createJournal(database, "test", { now });
    journal.append([opening("i1")]);
    const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
    database.exec(`PRAGMA max_page_count = ${pages}`);
    const big: NewEvent = { incident: "i1", kind: "responder-said", responder: "claude", text: "x".repeat(100_000) };
    assert.throws(() => journal.append([fixStartedOf("i1"), big]), fails("full", /the disk is full. Free some space/));
    assert.equal(journal.events("i1").length, 1);
    database.exec("PRAGMA max_page_count = 100000");
    assert.equal(journal.trouble(), undefined);
    journal.append([fixStartedOf("i1"), big]);
    assert.deepEqual(journal.verify(), { intact: true, events: 3 });
  });

  it("says that another program holds the file, as long as it does", () => {
    const place = folder();
    const journal = openJournal(place, { now });
    const other = new DatabaseSync(join(place, "journal.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    assert.throws(() => journal.append([opening("i1")]), fails("busy", /another program holds the file/));
    assert.match(journal.trouble() ?? "", /another program/);
    other.exec("ROLLBACK");
    other.close();
    assert.equal(journal.trouble(), undefined);
    journal.append([opening("i1")]);
    journal.close();
    assert.throws(() => journal.append([opening("i2", "a")]), fails("closed", /closed/));
  });
});

function fixStartedOf(incident: string): NewEvent {
  return { ...fixStarted, incident };
}
