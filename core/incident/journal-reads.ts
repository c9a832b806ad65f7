// What is read from the journal's tables and is not a line of SQL: the questions that other files of this room ask. Knows no
// writing.
import { GENESIS, type Head } from "./chain.ts";
import type { MaintenanceEvent, Written } from "./house-event.ts";
import type { IncidentRecord, State } from "./incident.ts";
import { WAITING } from "./journal-schema.ts";
import { recordOf } from "./projection.ts";
import type { Row, Sql } from "./sql.ts";

/** The last event and its hash. */
export function readHead(sql: Sql): Head {
  const [row] = sql.all("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1");
  return row === undefined
    ? { sequence: 0, hash: GENESIS }
    : { sequence: Number(row["sequence"]), hash: String(row["hash"]) };
}

export type Wanted = { states?: readonly State["is"][]; limit?: number };

/** Newest first. */
export function readIncidents(sql: Sql, { states = [], limit = -1 }: Wanted): IncidentRecord[] {
  const where = states.length === 0 ? "" : `WHERE state IN (${states.map(() => "?").join(", ")})`;
  return recordsOf(sql.all(`SELECT record FROM incidents ${where} ORDER BY opened DESC LIMIT ?`, ...states, limit));
}

/** Over for the host, and not yet for the monitor; oldest first. */
export function readWaiting(sql: Sql): IncidentRecord[] {
  return recordsOf(sql.all(`SELECT record FROM incidents WHERE ${WAITING} ORDER BY opened`));
}

export const HOLDING = `SELECT record FROM firing JOIN incidents ON incidents.id = firing.incident
                         WHERE fingerprint = ? ORDER BY opened`;

/** Those that hold this fingerprint as firing and are live, or wait for their monitor; oldest first. */
export function readHolding(sql: Sql, fingerprint: string): IncidentRecord[] {
  return recordsOf(sql.all(HOLDING, fingerprint));
}

/** What people said of maintenance since a time, oldest first. */
export function readMaintenance(sql: Sql, sinceMs: number): (MaintenanceEvent & Written)[] {
  const kinds = "('maintenance-started', 'maintenance-ended')";
  const since = new Date(sinceMs).toISOString();
  const rows = sql.all(`SELECT body FROM events WHERE kind IN ${kinds} AND at >= ? ORDER BY sequence`, since);
  return rows.map((row) => JSON.parse(String(row["body"])) as MaintenanceEvent & Written);
}

function recordsOf(rows: readonly Row[]): IncidentRecord[] {
  return rows.map((row) => recordOf(row) as IncidentRecord);
}
