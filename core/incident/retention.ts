// How old events leave the journal: from its beginning on, whole incidents that are over, and under a checkpoint that
// stands in the chain itself and says what was there and what of it stays known. Nothing else is ever removed (a trigger sees to it). It refuses to
// know when that is done and how long the owner wants to keep things.
//
//   events  1 … … through │ through+1 …  checkpoint{through, its hash, what was removed}
//           └─ removed ──┘ └─ the chain goes on from the checkpoint's hash
import type { HostIdentity } from "./fix.ts";
import type { Checkpoint, StillKnown, Written } from "./house-event.ts";
import type { Row, Sql } from "./sql.ts";

export type Pruned = { through: number; events: number; incidents: number };

/** Some 5000 at once: nothing else happens meanwhile, and connections have to be kept alive. */
const AT_ONCE = 5000;

export type PruneParts = {
  sql: Sql;
  /** The owner's setting; seconds. */
  retain: number;
  now(): number;
  /** Writes the checkpoint before anything goes. */
  sign(checkpoint: Checkpoint): void;
  /** Ends an incident that nobody works on (it waits for a person, or is held) and that was quiet for all that time. */
  dismiss(incident: string, reason: string): void;
};

/** Call it in a transaction, and again until it answers with undefined: then there is nothing more to remove. */
export function prune({ sql, retain, now, sign, dismiss }: PruneParts): Pruned | undefined {
  const before = new Date(now() - retain * 1000).toISOString();
  dismissForgotten(sql, before, (id) => dismiss(id, `nothing was heard of it for ${Math.floor(retain / 86_400)} days`));
  const through = lastToGo(sql, before);
  const [row] = sql.all("SELECT hash FROM events WHERE sequence = ?", through);
  if (row === undefined) return undefined;
  const count = (what: string): number => Number(sql.all(`SELECT count(*) AS n FROM ${what} <= ?`, through)[0]?.["n"]);
  const went = { events: count("events WHERE sequence"), incidents: count("incidents WHERE changed") };
  const checkpoint = readCheckpoint(sql);
  const last = checkpoint?.removed ?? { incidents: {}, fixes: {} };
  const removed = {
    incidents: added(last.incidents, sql.all(`${INCIDENTS} WHERE changed <= ? GROUP BY name`, through)),
    fixes: added(last.fixes, sql.all(`${FIXES} AND sequence <= ? GROUP BY name`, through)),
  };
  const known = stillKnown(sql, through, checkpoint?.known);
  sign({ kind: "checkpoint", through, hash: String(row["hash"]), retain, ...went, removed, known });
  sql.run("DELETE FROM incidents WHERE changed <= ?", through);
  sql.run("DELETE FROM events WHERE sequence <= ?", through);
  return { through, ...went };
}

/** The newest one. */
export function readCheckpoint(sql: Sql): (Checkpoint & Written) | undefined {
  // By its index alone, which needs no event to be readable.
  const from = "FROM events INDEXED BY checkpoints WHERE kind = 'checkpoint'";
  const [row] = sql.all(`SELECT body ${from} ORDER BY sequence DESC LIMIT 1`);
  return row === undefined ? undefined : (JSON.parse(String(row["body"])) as Checkpoint & Written);
}

/** Which machine a host was, by what was removed. */
export function readRemovedIdentity(sql: Sql, host: string): HostIdentity | undefined {
  const identities = readCheckpoint(sql)?.known?.identities ?? {};
  return Object.hasOwn(identities, host) ? identities[host] : undefined;
}

/** Whether a channel was there already, by what was removed. */
export function wasChannel(sql: Sql, channel: string): boolean {
  return readCheckpoint(sql)?.known?.channels.includes(channel) ?? false;
}

/** How many incidents there were of each state, and fixes of each outcome; also those that were removed. */
export function readTallies(sql: Sql): Checkpoint["removed"] {
  const { incidents, fixes } = readCheckpoint(sql)?.removed ?? { incidents: {}, fixes: {} };
  return {
    incidents: added(incidents, sql.all(`${INCIDENTS} GROUP BY name`)),
    fixes: added(fixes, sql.all(`${FIXES} GROUP BY name`)),
  };
}

/** What shows that a channel was there. */
export const TELLINGS = "('channel-added', 'notification-sent', 'notification-given-up')";

const INCIDENTS = "SELECT state AS name, count(*) AS number FROM incidents";
const FIXES = "SELECT body ->> '$.outcome' AS name, count(*) AS number FROM events WHERE kind = 'fix-judged'";

function added(to: Readonly<Record<string, number>>, rows: readonly Row[]): Record<string, number> {
  const sum = { ...to };
  for (const { name, number } of rows) sum[String(name)] = (sum[String(name)] ?? 0) + Number(number);
  return sum;
}

function stillKnown(sql: Sql, through: number, last: StillKnown = { identities: {}, channels: [] }): StillKnown {
  const met = sql.all(
    `SELECT coalesce(incidents.host, events.body ->> '$.host') AS host, events.body -> '$.identity' AS identity
       FROM events LEFT JOIN incidents ON incidents.id = events.incident
      WHERE events.kind IN ('fix-started', 'host-accepted') AND events.sequence <= ? ORDER BY events.sequence`,
    through,
  );
  const told = sql.all(
    `SELECT DISTINCT body ->> '$.channel' AS channel FROM events WHERE kind IN ${TELLINGS} AND sequence <= ?`,
    through,
  );
  const identities = met.map(({ host, identity }) => [String(host), JSON.parse(String(identity)) as HostIdentity]);
  return {
    identities: { ...last.identities, ...(Object.fromEntries(identities) as StillKnown["identities"]) },
    channels: [...new Set([...last.channels, ...told.map(({ channel }) => String(channel))])].sort(),
  };
}

function dismissForgotten(sql: Sql, before: string, dismiss: (id: string) => void): void {
  const forgotten = sql.all(
    `SELECT incidents.id AS id FROM incidents JOIN events ON events.sequence = incidents.changed
      WHERE incidents.state IN ('escalated', 'open') AND events.at < ?`,
    before,
  );
  for (const { id } of forgotten) dismiss(String(id));
}

/** The end of a beginning that is old enough and cuts through no incident; not longer than need be for one step. */
function lastToGo(sql: Sql, before: string): number {
  const [young] = sql.all("SELECT sequence FROM events WHERE at >= ? ORDER BY sequence LIMIT 1", before);
  const [ends] = sql.all("SELECT coalesce(min(sequence), 0) AS first, coalesce(max(sequence), 0) AS last FROM events");
  const first = Number(ends?.["first"]);
  const old = young === undefined ? Number(ends?.["last"]) : Number(young["sequence"]) - 1;
  const last = endOfWhole(sql, Math.min(old, first + AT_ONCE - 1));
  return last >= first ? last : endOfWhole(sql, old);
}

function endOfWhole(sql: Sql, upTo: number): number {
  for (let last = upTo; ;) {
    const cut = "SELECT min(opened) AS opened FROM incidents WHERE opened <= ? AND (live = 1 OR changed > ?)";
    const opened = sql.all(cut, last, last)[0]?.["opened"];
    if (opened === null || opened === undefined) return last;
    last = Number(opened) - 1;
  }
}
