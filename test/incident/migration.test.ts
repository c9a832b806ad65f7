import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pid } from "node:process";
import { DatabaseSync } from "node:sqlite";
import { after, describe, it } from "node:test";
import { canonical, GENESIS, linkOf } from "../../core/incident/chain.ts";
import { createJournal, FILE, openJournal, readJournal } from "../../core/incident/journal.ts";
import { fakeClock } from "../support/clock.ts";
import { alert, fixStarted } from "./world.ts";

const root = mkdtempSync(join(tmpdir(), "medic-migration-"));
after(() => rmSync(root, { recursive: true, force: true }));
const { now } = fakeClock();
const formOne = readFileSync(join(import.meta.dirname, "../fixtures/journal-form-1.sql"), "utf8");
const target = { host: "nexus", plugin: "docker", service: "scrypted" };

/** A journal of the first form, as the Medic of that time left it: two incidents in five events. */
function old(database: DatabaseSync): void {
  const at = "2026-11-23T12:00:00.000Z";
  const opening = { kind: "incident-opened", target, key: "nexus/docker:scrypted", alert: alert() };
  const events = [
    { ...opening, incident: "i1" },
    { ...fixStarted, incident: "i1" },
    { kind: "resolved", by: "monitor", why: "over", incident: "i1" },
    { ...opening, incident: "i2" },
    { kind: "escalated", reason: "x", incident: "i2" },
  ];
  database.exec(`${formOne} PRAGMA user_version = 1`);
  let hash = GENESIS;
  for (const [index, event] of events.entries()) {
    const body = canonical({ ...event, sequence: index + 1, at });
    hash = linkOf(hash, body);
    database.prepare("INSERT INTO events (sequence, body, hash) VALUES (?, ?, ?)").run(index + 1, body, hash);
  }
  const row = database.prepare("INSERT INTO incidents VALUES (?, 'nexus/docker:scrypted', 'nexus', ?, ?, ?, ?, ?)");
  // What that Medic made of them is not what this one does.
  row.run("i1", "resolved", 0, 1, 3, '{"id":"i1"}');
  row.run("i2", "escalated", 1, 4, 5, '{"id":"i2"}');
}

function oldFolder(name: string): string {
  const folder = join(root, name);
  openJournal(folder, { now }).close();
  for (const file of [FILE, `${FILE}-wal`, `${FILE}-shm`]) rmSync(join(folder, file), { force: true });
  const database = new DatabaseSync(join(folder, FILE));
  old(database);
  database.close();
  return folder;
}

describe("a journal of the first form", () => {
  it("is kept as it was beside the file that is brought to this form, for its user alone", () => {
    const folder = oldFolder("kept");
    const copy = join(folder, `${FILE}.form-1`);
    openJournal(folder, { now }).close();
    const kept = new DatabaseSync(copy, { readOnly: true });
    assert.equal(kept.prepare("PRAGMA user_version").get()?.["user_version"], 1);
    assert.equal(kept.prepare("SELECT count(*) AS n FROM events").get()?.["n"], 5);
    assert.equal(kept.prepare("SELECT record FROM incidents WHERE id = 'i1'").get()?.["record"], '{"id":"i1"}');
    kept.close();
    assert.equal(statSync(copy).mode & 0o777, 0o600);
    // What is of this form already has nothing to keep.
    rmSync(copy);
    openJournal(folder, { now }).close();
    assert.equal(existsSync(copy), false);
  });

  it("is left as it is when no copy of it can be kept", () => {
    const folder = oldFolder("not-kept");
    mkdirSync(join(folder, `${FILE}.form-1.${pid}.new`, "in the way"), { recursive: true });
    assert.throws(() => openJournal(folder, { now }), /Cannot open the data folder/);
    const database = new DatabaseSync(join(folder, FILE), { readOnly: true });
    assert.equal(database.prepare("PRAGMA user_version").get()?.["user_version"], 1);
    database.close();
  });

  it("is brought to this one: its chain holds, its incidents are read anew, it can be written and pruned", () => {
    const folder = oldFolder("opens");
    const journal = openJournal(folder, { now });
    assert.deepEqual(journal.verify(), { intact: true, events: 5 });
    assert.equal(journal.incident("i1")?.state.is, "resolved");
    assert.deepEqual(journal.findLive("nexus/docker:scrypted")?.target, target);
    assert.deepEqual(
      journal.holding(alert().fingerprint).map(({ id }) => id),
      ["i2"],
    );
    assert.equal(journal.append([{ incident: "i2", kind: "dismissed", reason: "x" }])[0]?.sequence, 6);
    assert.throws(() => journal.append([{ incident: "i3", kind: "dismissed", reason: "x" }]), /Cannot replay/);
    journal.close();
    const later = openJournal(folder, { now: () => now() + 40 * 86_400_000 });
    assert.equal(later.prune(30 * 86_400)?.events, 6);
    assert.deepEqual(later.verify(), { intact: true, events: 1 });
    later.close();
  });

  it("keeps its triggers and its one live incident of a key", () => {
    const database = new DatabaseSync(":memory:");
    old(database);
    const journal = createJournal(database, "test", { now });
    for (const sql of ["DELETE FROM events WHERE sequence = 5", "UPDATE events SET body = '{}'"]) {
      assert.throws(() => database.exec(sql), /append-only/);
    }
    assert.throws(
      () =>
        journal.append([
          { incident: "i9", kind: "incident-opened", key: "nexus/docker:scrypted", target, alert: alert() },
        ]),
      { fault: "claimed" },
    );
    assert.equal(database.prepare("PRAGMA foreign_keys").get()?.["foreign_keys"], 1);
  });

  it("is not changed by who only reads: that one is told to start serve once", () => {
    assert.throws(() => readJournal(oldFolder("read"), { now }), {
      fault: "broken",
      message: /older form. Start medic serve once/,
    });
  });

  it("is left as it was when it cannot be brought over, and is brought over once it can", () => {
    const database = new DatabaseSync(":memory:");
    old(database);
    // In the way of the last thing but one that is made.
    database.exec("CREATE TABLE checkpoints (x)");
    assert.throws(() => createJournal(database, "test", { now }));
    assert.equal(database.isTransaction, false);
    assert.equal(database.prepare("PRAGMA user_version").get()?.["user_version"], 1);
    assert.equal(database.prepare("SELECT count(*) AS n FROM events").get()?.["n"], 5);
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    assert.deepEqual(
      tables.map(({ name }) => name),
      ["checkpoints", "events", "incidents"],
    );
    database.exec("DROP TABLE checkpoints");
    assert.deepEqual(createJournal(database, "test", { now }).verify(), { intact: true, events: 5 });
  });
});
