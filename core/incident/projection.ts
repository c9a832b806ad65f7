// Each incident as its events tell it, kept beside them so that nobody has to replay. Made by one function, event by
// event, and made anew when a newer Medic reads the same events differently.
import { type IncidentRecord, isOver, type JournalEvent, waitsForClearing } from "./incident.ts";
import { reduce } from "./reduce.ts";
import type { Row, Sql } from "./sql.ts";

/** Brings the event's incident up to date. */
export function project(sql: Sql, event: JournalEvent): void {
  const before = recordOf(sql.all("SELECT record FROM incidents WHERE id = ?", event.incident)[0]);
  const record = reduce(before, event);
  const live = isOver(record.state) ? 0 : 1;
  const json = JSON.stringify(record);
  const { id, key, state } = record;
  if (before === undefined) {
    const columns = "id, key, host, state, live, opened, changed, record";
    const values = [id, key, record.target.host ?? null, state.is, live, event.sequence, event.sequence, json];
    sql.run(`INSERT INTO incidents (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, ...values);
  } else {
    const set = "state = ?, live = ?, changed = ?, record = ?";
    sql.run(`UPDATE incidents SET ${set} WHERE id = ?`, state.is, live, event.sequence, json, id);
  }
  projectFiring(sql, id, before === undefined ? [] : held(before), held(record));
}

/** The alerts that a monitor may still say something of. */
function held(record: IncidentRecord): readonly string[] {
  return !isOver(record.state) || waitsForClearing(record) ? record.firing : [];
}

function projectFiring(sql: Sql, incident: string, before: readonly string[], now: readonly string[]): void {
  for (const fingerprint of before.filter((one) => !now.includes(one))) {
    sql.run("DELETE FROM firing WHERE fingerprint = ? AND incident = ?", fingerprint, incident);
  }
  for (const fingerprint of now.filter((one) => !before.includes(one))) {
    // Two that differ in half a character only are one to the database, and no reason to take neither.
    sql.run("INSERT OR IGNORE INTO firing (fingerprint, incident) VALUES (?, ?)", fingerprint, incident);
  }
}

/** Replays all events. */
export function projectAnew(sql: Sql): void {
  sql.run("DELETE FROM firing");
  sql.run("DELETE FROM incidents");
  const events = sql.each("SELECT body FROM events WHERE incident IS NOT NULL ORDER BY sequence");
  for (const row of events) project(sql, eventOf(row));
}

// Rows are this room's own writing, so their JSON is of the shape it was written in.
export function recordOf(row: Row | undefined): IncidentRecord | undefined {
  return row === undefined ? undefined : (JSON.parse(String(row["record"])) as IncidentRecord);
}

export function eventOf(row: Row): JournalEvent {
  return JSON.parse(String(row["body"])) as JournalEvent;
}
