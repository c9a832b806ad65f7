// The journal's tables, as steps from one form of the file to the next. `events` is the truth: its columns are made from
// the body, so nothing can be said twice and differently. `incidents` is what the events amount to; every step ends with
// making it anew, so a change of what `reduce` makes of old events is a step too, with no text.
import type { DatabaseSync } from "node:sqlite";
import { copyDatabase } from "./copy.ts";
import { JournalError } from "./journal-error.ts";
import { projectAnew } from "./projection.ts";
import { Sql } from "./sql.ts";

/** Which incidents wait for their monitor; as the index has it, or it would not be used. */
export const WAITING = "record ->> '$.state.alertCleared' = 'waiting'";

const STEPS: readonly string[] = [
  `CREATE TABLE events (
     sequence INTEGER PRIMARY KEY,
     body TEXT NOT NULL,
     hash TEXT NOT NULL,
     incident TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.incident') VIRTUAL,
     kind TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.kind') VIRTUAL,
     at TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.at') VIRTUAL
   ) STRICT;
   CREATE INDEX events_of_incident ON events (incident, sequence);
   CREATE INDEX events_of_kind ON events (kind, at);

   -- One after the other, and no other way to write: this also stops INSERT OR REPLACE, which fires no DELETE trigger.
   CREATE TRIGGER events_in_order BEFORE INSERT ON events
     WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM events)
     BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
   CREATE TRIGGER events_stay BEFORE DELETE ON events
     BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
   CREATE TRIGGER events_are_final BEFORE UPDATE ON events
     BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

   CREATE TABLE incidents (
     id TEXT PRIMARY KEY,
     key TEXT NOT NULL,
     host TEXT,
     state TEXT NOT NULL,
     live INTEGER NOT NULL CHECK (live IN (0, 1)),
     opened INTEGER NOT NULL REFERENCES events (sequence),
     changed INTEGER NOT NULL REFERENCES events (sequence),
     record TEXT NOT NULL
   ) STRICT;
   -- The unique insert is the claim: two alerts cannot both open an incident of one key.
   CREATE UNIQUE INDEX incidents_live ON incidents (key) WHERE live = 1;
   CREATE INDEX incidents_of_key ON incidents (key, opened);
   CREATE INDEX incidents_of_state ON incidents (state, opened);`,

  // Events of no incident, and a beginning that may go once a checkpoint has signed for it.
  `CREATE TABLE events_2 (
     sequence INTEGER PRIMARY KEY,
     body TEXT NOT NULL,
     hash TEXT NOT NULL,
     incident TEXT GENERATED ALWAYS AS (body ->> '$.incident') VIRTUAL,
     kind TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.kind') VIRTUAL,
     at TEXT NOT NULL GENERATED ALWAYS AS (body ->> '$.at') VIRTUAL
   ) STRICT;
   INSERT INTO events_2 (sequence, body, hash) SELECT sequence, body, hash FROM events ORDER BY sequence;
   DROP TABLE events;
   ALTER TABLE events_2 RENAME TO events;
   CREATE INDEX events_of_incident ON events (incident, sequence);
   CREATE INDEX events_of_kind ON events (kind, at);
   CREATE INDEX checkpoints ON events (sequence) WHERE kind = 'checkpoint';
   -- An event that goes is looked for in both.
   CREATE INDEX incidents_opened ON incidents (opened);
   CREATE INDEX incidents_changed ON incidents (changed);

   CREATE TRIGGER events_in_order BEFORE INSERT ON events
     WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM events)
     BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
   CREATE TRIGGER events_stay BEFORE DELETE ON events
     WHEN OLD.sequence > coalesce((SELECT body ->> '$.through' FROM events WHERE kind = 'checkpoint'
                                    ORDER BY sequence DESC LIMIT 1), 0)
     BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
   CREATE TRIGGER events_are_final BEFORE UPDATE ON events
     BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;`,

  `CREATE INDEX incidents_waiting ON incidents (opened) WHERE ${WAITING};`,

  // Which incident an alert belongs to, whatever its key; and attempts carry their facts from here on.
  `CREATE TABLE firing (
     fingerprint TEXT NOT NULL,
     incident TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
     PRIMARY KEY (fingerprint, incident)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX firing_of_incident ON firing (incident);`,
];

/** Keeps a copy of an older form beside the file, before `migrate` changes it: an older Medic reads only that one. */
export function keepOld(database: DatabaseSync, file: string): void {
  const found = versionOf(database);
  if (found > 0 && found < STEPS.length) copyDatabase(database, `${file}.form-${found}`, () => {});
}

/** Brings the file to this Medic's form, all steps in one transaction. Refuses a newer Medic's file. */
export function migrate(database: DatabaseSync, name: string): void {
  const found = versionOf(database);
  if (found > STEPS.length) throw newer(name, found);
  if (found === STEPS.length) return;
  // Off, because a table is dropped while others refer to it; within a transaction it cannot be switched.
  database.exec("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE");
  try {
    for (const step of STEPS.slice(found)) database.exec(step);
    projectAnew(new Sql(database, name));
    database.exec(`PRAGMA user_version = ${STEPS.length}; COMMIT`);
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** Refuses a file that this Medic cannot read as it is; for readers, which change nothing. */
export function requireCurrent(database: DatabaseSync, name: string): void {
  const found = versionOf(database);
  if (found > STEPS.length) throw newer(name, found);
  if (found < STEPS.length) {
    throw new JournalError(
      "broken",
      `Cannot read the journal "${name}": it is of an older form. Start medic serve once`,
    );
  }
}

/** Changes nothing, and is as much of a try to write as an append would be. Call it in a transaction. */
export function rewriteVersion(database: DatabaseSync): void {
  database.exec(`PRAGMA user_version = ${versionOf(database)}`);
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

function newer(name: string, found: number): JournalError {
  return new JournalError(
    "newer",
    `Cannot open the journal "${name}": a newer Medic wrote it (form ${found}, known up to ${STEPS.length}). Update Medic`,
  );
}
