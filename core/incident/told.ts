// What the journal says of notifications: which changes a channel was told of, and which not yet. The outbox is no list of
// its own that could differ from what happened: a change is due because it is in the journal and its telling is not.
import type { JournalEvent } from "./incident.ts";
import { TELLINGS, wasChannel } from "./retention.ts";
import type { Sql } from "./sql.ts";

/** `changes`: of the wanted kinds, oldest first. `last`: by incident, the newest change that was told or given up. */
export type Told = { changes: JournalEvent[]; last: ReadonlyMap<string, number> };

/** Undefined for a channel that was never there before. */
export function readTold(
  sql: Sql,
  channel: string,
  { kinds, sinceMs }: { kinds: readonly string[]; sinceMs: number },
): Told | undefined {
  const told = "('notification-sent', 'notification-given-up')";
  const [first] = sql.all(
    `SELECT min(sequence) AS sequence FROM events
      WHERE kind IN ${TELLINGS} AND body ->> '$.channel' = ?`,
    channel,
  );
  // What told of it may have been removed, and then it was there before all that is left.
  const since = wasChannel(sql, channel) ? 0 : first?.["sequence"];
  if (since === undefined || since === null) return undefined;
  const rows = sql.all(
    `SELECT body FROM events
      WHERE kind IN (SELECT value FROM json_each(?)) AND at >= ? AND sequence > ? ORDER BY sequence`,
    JSON.stringify(kinds),
    new Date(sinceMs).toISOString(),
    Number(since),
  );
  const last = sql.all(
    `SELECT incident, max(body ->> '$.of') AS sequence FROM events
      WHERE kind IN ${told} AND at >= ? AND body ->> '$.channel' = ? GROUP BY incident`,
    new Date(sinceMs).toISOString(),
    channel,
  );
  return {
    changes: rows.map(({ body }) => JSON.parse(String(body)) as JournalEvent),
    last: new Map(last.map(({ incident, sequence }) => [String(incident), Number(sequence)])),
  };
}
