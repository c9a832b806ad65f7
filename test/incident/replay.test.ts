import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { IncidentRecord, JournalEvent } from "../../core/incident/incident.ts";
import { createJournal } from "../../core/incident/journal.ts";
import { reduce } from "../../core/incident/reduce.ts";

type Recorded = { events: JournalEvent[]; incidents: Record<string, IncidentRecord> };

describe("events of a journal that exists", () => {
  it("are read as they were when they were written; what reads them otherwise is another form of the journal", () => {
    const database = new DatabaseSync(":memory:");
    createJournal(database, "test", { now: Date.now });
    const form = String(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    const fixture = join(import.meta.dirname, `../fixtures/journal-form-${form}.json`);
    assert.ok(
      existsSync(fixture),
      `record "${fixture}": the events of the last form, and what reduce makes of them now`,
    );
    const { events, incidents } = JSON.parse(readFileSync(fixture, "utf8")) as Recorded;
    const told: Record<string, IncidentRecord> = {};
    for (const event of events) told[event.incident] = reduce(told[event.incident], event);
    assert.deepEqual(
      told,
      incidents,
      "incidents that were stored no longer are what their events tell: add a step (it may be empty) to journal-schema.ts",
    );
  });
});
