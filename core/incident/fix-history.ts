// What the journal says of fixes that were started, over all incidents: how many, and whether one of them may still be
// under way. Counted by what a fix touches and not only by the incident it was for, because a service has one budget,
// whoever asks: an alert of its own, one of a neighbour, or a person. Reads; knows no policy.
import type { SQLInputValue } from "node:sqlite";
import type { HostIdentity } from "./fix.ts";

/** A service, as fixes name it: the key of its incidents, and the names that a fix of it disturbs. */
export type FixScope = { key: string; touches: readonly string[] };

/** `service`: of this scope; `all`: on all hosts; `open`: the last of this scope whose end nobody knows. */
export type FixHistory = { service: number; host: number; all: number; open?: { tool: string; incident: string } };

export type Query = (sql: string, ...values: SQLInputValue[]) => Record<string, unknown>[];

const TOUCHED = `EXISTS (SELECT 1 FROM json_each(events.body, '$.touches') AS touched
                          WHERE touched.value IN (SELECT value FROM json_each(?)))`;
/** What the fix came to; one without a verdict may still be under way. */
const JUDGED = `coalesce((SELECT judged.body ->> '$.outcome' FROM events AS judged
                           WHERE judged.incident = events.incident AND judged.kind = 'fix-judged'
                             AND judged.sequence > events.sequence
                           ORDER BY judged.sequence LIMIT 1), 'unknown')`;
/** Also when its incident was opened again afterwards. */
const ENDED_WELL = `EXISTS (SELECT 1 FROM events AS ended WHERE ended.incident = events.incident
                             AND ended.kind = 'resolved' AND ended.sequence > events.sequence)`;

/** Which machine a host was when a fix was last begun there, or when a person accepted another one since. */
export function readIdentity(query: Query, host: string): HostIdentity | undefined {
  const [row] = query(
    `SELECT events.body -> '$.identity' AS identity
       FROM events LEFT JOIN incidents ON incidents.id = events.incident
      WHERE (events.kind = 'fix-started' AND incidents.host = ?)
         OR (events.kind = 'host-accepted' AND events.body ->> '$.host' = ?)
      ORDER BY events.sequence DESC LIMIT 1`,
    host,
    host,
  );
  return row === undefined ? undefined : (JSON.parse(String(row["identity"])) as HostIdentity);
}

/** Reads what became of the fixes since a time. An incident that was resolved since has shown its end. */
export function readFixHistory(query: Query, host: string, { key, touches }: FixScope, sinceMs: number): FixHistory {
  const since = new Date(sinceMs).toISOString();
  const names = JSON.stringify(touches);
  const [row] = query(
    `SELECT count(*) AS everywhere, count(*) FILTER (WHERE incidents.host = ?) AS host,
            count(*) FILTER (WHERE incidents.host = ? AND (incidents.key = ? OR ${TOUCHED})) AS service
       FROM events JOIN incidents ON incidents.id = events.incident
      WHERE events.kind = 'fix-started' AND events.at >= ?`,
    host,
    host,
    key,
    names,
    since,
  );
  const [open] = query(
    `SELECT events.body ->> '$.tool' AS tool, events.incident AS incident
       FROM events JOIN incidents ON incidents.id = events.incident
      WHERE events.kind = 'fix-started' AND events.at >= ? AND incidents.host = ? AND NOT ${ENDED_WELL}
        AND ${TOUCHED} AND ${JUDGED} IN ('unknown', 'unverified')
      ORDER BY events.sequence DESC LIMIT 1`,
    since,
    host,
    names,
  );
  const counted = {
    service: Number(row?.["service"]),
    host: Number(row?.["host"]),
    all: Number(row?.["everywhere"]),
  };
  if (open === undefined) return counted;
  return { ...counted, open: { tool: String(open["tool"]), incident: String(open["incident"]) } };
}

/**
 * Services of a host that fixes did not help: their last word was no success, or what Medic had healed came back. One
 * that never began says nothing. Named by what was touched. Counted since a time, or since somebody looked at the host itself: a person asked for that, or an
 * incident of the host was resolved.
 */
export function readUnhelped(query: Query, host: string, sinceMs: number): string[] {
  const since = new Date(sinceMs).toISOString();
  const [looked] = query(
    `SELECT coalesce(max(events.sequence), 0) AS sequence
       FROM events JOIN incidents ON incidents.id = events.incident
      WHERE incidents.key = ? AND events.at >= ?
        AND (events.kind = 'resolved' OR events.body ->> '$.alert.source' = 'person')`,
    `${host}/-`,
    since,
  );
  const values = [host, since, Number(looked?.["sequence"])];
  const rows = query(
    `SELECT (SELECT started.body ->> '$.touches[0]' FROM events AS started
              WHERE started.incident = events.incident AND started.kind = 'fix-started'
                AND started.sequence < events.sequence ORDER BY started.sequence DESC LIMIT 1) AS service
       FROM events JOIN incidents ON incidents.id = events.incident
      WHERE events.kind = 'fix-judged' AND incidents.host = ? AND events.at >= ? AND events.sequence > ?
        AND events.body ->> '$.outcome' IN ('not-fixed', 'failed', 'unknown', 'unverified')
        AND events.body ->> '$.facts.began' IS NOT 'no'
      UNION
     SELECT incidents.record ->> '$.target.service' AS service
       FROM events JOIN incidents ON incidents.id = events.incident
      WHERE events.kind = 'reopened' AND incidents.host = ? AND events.at >= ? AND events.sequence > ?
        AND coalesce(events.body ->> '$.alert.source', '') <> 'person'
        AND (SELECT ended.body ->> '$.by' FROM events AS ended
              WHERE ended.incident = events.incident AND ended.kind = 'resolved'
                AND ended.sequence < events.sequence ORDER BY ended.sequence DESC LIMIT 1) = 'medic'
      ORDER BY service`,
    ...values,
    ...values,
  );
  return rows.flatMap(({ service }) => (typeof service === "string" ? [service] : []));
}
