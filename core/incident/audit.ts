// Whether the journal still says what was written: the chain from its first event (or from the checkpoint that stands for
// what was removed) to its last, and each incident against a replay of its events. Also the events as text for somebody
// who keeps them elsewhere. Reads only, one event at a time, so it may look at a journal that a `serve` is writing.
import { canonical, type Head, type Verified, walk, GENESIS } from "./chain.ts";
import type { Checkpoint, HouseEvent, Written } from "./house-event.ts";
import { type IncidentRecord, type JournalEvent } from "./incident.ts";
import { reduce } from "./reduce.ts";
import { recordOf } from "./projection.ts";
import { readCheckpoint } from "./retention.ts";
import type { Sql } from "./sql.ts";

/** A head that somebody kept: its hash or the beginning of it. */
export type Kept = { hash: string; sequence?: number };

export type Audited =
  | {
      intact: true;
      events: number;
      head: Head;
      checkpoint?: Checkpoint & Written;
      /** Where the kept head was found; `pruned`: before the checkpoint, so nobody can say. */
      kept?: { is: "found"; sequence: number; eventsAfter: number } | { is: "missing" } | { is: "pruned" };
    }
  | { intact: false; sequence: number; why: string };

/** Looks at everything there is. `kept` tells a cut tail, which the chain alone cannot. Call it in a snapshot. */
export function audit(sql: Sql, kept?: Kept): Audited {
  const checkpoint = readCheckpoint(sql);
  const start: Head = checkpoint === undefined ? ORIGIN : { sequence: checkpoint.through, hash: checkpoint.hash };
  let [head, found] = [start, isKept(start, kept) ? start.sequence : undefined];
  const replay = new Replay(sql);
  const walked = walk(sql.each("SELECT sequence, body, hash FROM events ORDER BY sequence"), start, (at, body) => {
    head = at;
    if (isKept(at, kept)) found = at.sequence;
    return replay.see(at.sequence, body);
  });
  const verified = walked.intact ? replay.end(walked, head.sequence) : walked;
  if (!verified.intact) return verified;
  const answer = { ...verified, head, ...(checkpoint === undefined ? {} : { checkpoint }) };
  if (kept === undefined) return answer;
  if (found !== undefined) {
    return { ...answer, kept: { is: "found", sequence: found, eventsAfter: head.sequence - found } };
  }
  const isPruned = kept.sequence !== undefined && kept.sequence < start.sequence;
  return { ...answer, kept: { is: isPruned ? "pruned" : "missing" } };
}

/** Each event as one line of JSON with its sequence and hash; `body` is the very text that was hashed. */
export function* exportLines(sql: Sql, wanted: { sinceMs?: number; incident?: string }): Generator<string> {
  const since = new Date(wanted.sinceMs ?? 0).toISOString();
  const [where, values] = wanted.incident === undefined ? ["", []] : ["AND incident = ?", [wanted.incident]];
  const rows = sql.each(
    `SELECT sequence, hash, body FROM events WHERE at >= ? ${where} ORDER BY sequence`,
    since,
    ...values,
  );
  for (const { sequence, hash, body } of rows) {
    yield `{"sequence":${String(sequence)},"hash":${JSON.stringify(hash)},"body":${String(body)}}`;
  }
}

const ORIGIN: Head = { sequence: 0, hash: GENESIS };

function isKept({ sequence, hash }: Head, kept: Kept | undefined): boolean {
  if (kept === undefined || !hash.startsWith(kept.hash)) return false;
  return kept.sequence === undefined || kept.sequence === sequence;
}

/** Folds the incidents again, each until the event that its record claims to end with. */
class Replay {
  readonly #sql: Sql;
  readonly #open = new Map<string, IncidentRecord>();
  #incidents = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** What is wrong with the event, if anything. */
  see(sequence: number, body: string): string | undefined {
    const event = JSON.parse(body) as JournalEvent | (HouseEvent & Written & { incident?: undefined });
    if (event.incident === undefined) return undefined;
    const id = event.incident;
    const [row] = this.#sql.all("SELECT changed, record FROM incidents WHERE id = ?", id);
    const changed = Number(row?.["changed"] ?? 0);
    if (changed < sequence) return `incident "${id}" does not tell of it`;
    const record = replayed(this.#open.get(id), event);
    if (typeof record === "string") return record;
    if (changed > sequence) {
      this.#open.set(id, record);
      return undefined;
    }
    this.#open.delete(id);
    this.#incidents++;
    if (canonical(record) === canonical(recordOf(row))) return undefined;
    return `incident "${id}" is not what its events tell`;
  }

  end(walked: Verified & { intact: true }, last: number): Verified {
    const [row] = this.#sql.all("SELECT count(*) AS incidents, coalesce(max(changed), 0) AS changed FROM incidents");
    if (Number(row?.["changed"]) > last) {
      return { intact: false, sequence: last + 1, why: "events and incidents do not end alike" };
    }
    if (Number(row?.["incidents"]) === this.#incidents) return walked;
    return { intact: false, sequence: last, why: "there are incidents up to it of which no event tells" };
  }
}

function replayed(before: IncidentRecord | undefined, event: JournalEvent): IncidentRecord | string {
  try {
    return reduce(before, event);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
