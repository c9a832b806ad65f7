// The journal: what happened, in the order in which it happened, on disk before anybody hears of it. Append-only and
// hash-chained; beside the events stands each incident as they tell it, written in the same transaction. Everything is
// synchronous, so a read, a decision and a write in one function are one step that nobody can come between. It refuses
// to know what events mean (incident.ts does) and whose turn it is (the desk does).
import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { canonical, GENESIS, linkOf, type Verified, walk } from "./chain.ts";
import { type FixHistory, type FixScope, readFixHistory } from "./fix-history.ts";
import { type IncidentRecord, isOver, type JournalEvent, type NewEvent, reduce, type State } from "./incident.ts";
import { isDatabaseError, JournalError, journalError } from "./journal-error.ts";
import { migrate, requireCurrent, rewriteVersion } from "./journal-schema.ts";
import { type Lock, lockFolder } from "./lock.ts";

export type JournalListener = (event: JournalEvent) => void;

export type JournalOptions = {
  now(): number;
  /** Hears when a listener throws: by then the event is written, so nobody else can be told. */
  onListenerError?(error: unknown): void;
};

const FILE = "journal.sqlite";
// Only readers and their checkpoints can be in the way: the folder has one writer.
const BUSY_MILLISECONDS = 1000;

/** Opens the data folder for writing, as its only writer; creates what is not there. Throws JournalError. */
export function openJournal(folder: string, options: JournalOptions): Journal {
  const doing = `Cannot open the data folder "${folder}"`;
  let lock: Lock | undefined;
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    lock = lockFolder(folder, options.now);
    const file = join(folder, FILE);
    // Findings tell a lot about a home: nobody else reads them, however open the folder is. SQLite's own files follow.
    closeSync(openSync(file, "a", 0o600));
    database = new DatabaseSync(file);
    return createJournal(database, file, options, lock);
  } catch (error) {
    database?.close();
    lock?.release();
    throw journalError(doing, error);
  }
}

/** Opens the data folder for reading, beside a `serve` that may be writing. Throws JournalError. */
export function readJournal(folder: string, options: JournalOptions): Journal {
  const file = join(folder, FILE);
  if (statSync(file, { throwIfNoEntry: false }) === undefined) {
    throw new JournalError("missing", `Cannot read the journal "${file}": there is none yet. Start medic serve first`);
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    database.exec(`PRAGMA busy_timeout = ${BUSY_MILLISECONDS}`);
    requireCurrent(database, file);
    return new Journal(database, file, options);
  } catch (error) {
    database?.close();
    throw journalError(`Cannot read the journal "${file}"`, error);
  }
}

/** A journal in memory, for dry runs and the demo: everything but the disk. */
export function createMemoryJournal(options: JournalOptions): Journal {
  return createJournal(new DatabaseSync(":memory:"), ":memory:", options);
}

/** Makes a journal of an open database; `name` is for error texts. */
export function createJournal(database: DatabaseSync, name: string, options: JournalOptions, lock?: Lock): Journal {
  database.exec(
    `PRAGMA busy_timeout = ${BUSY_MILLISECONDS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON;`,
  );
  migrate(database, name);
  return new Journal(database, name, options, lock);
}

type Row = Record<string, unknown>;
export type Head = { sequence: number; hash: string };

export class Journal {
  readonly #database: DatabaseSync;
  readonly #name: string;
  readonly #options: JournalOptions;
  readonly #lock: Lock | undefined;
  readonly #statements = new Map<string, StatementSync>();
  readonly #listeners = new Set<JournalListener>();
  /** Written and not yet told; the outermost call tells, so listeners hear events in their order. */
  readonly #untold: JournalEvent[] = [];
  #isTelling = false;
  #isWriting = false;
  #head: Head;
  #trouble: JournalError | undefined;

  constructor(database: DatabaseSync, name: string, options: JournalOptions, lock?: Lock) {
    this.#database = database;
    this.#name = name;
    this.#options = options;
    this.#lock = lock;
    this.#head = this.#readHead();
  }

  /** Writes events durably, all or none, and returns them as written. Throws JournalError; then nothing was written. */
  append(events: readonly NewEvent[]): JournalEvent[] {
    const write = (): JournalEvent[] => events.map((event) => this.#write(event));
    return this.#isWriting ? write() : this.atomically(write);
  }

  /** Reads, decides and appends as one step: whatever `step` appends is durable when this returns, or none of it is. */
  atomically<T>(step: () => T): T {
    if (this.#isWriting) throw new Error("Cannot nest two steps of the journal: the inner one could not fail alone");
    const before = this.#head;
    const untold = this.#untold.length;
    this.#isWriting = true;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const result = step();
      this.#database.exec("COMMIT");
      this.#trouble = undefined;
      return result;
    } catch (error) {
      this.#head = before;
      this.#untold.length = untold;
      this.#rollBack();
      throw this.#blame(error);
    } finally {
      this.#isWriting = false;
      this.#tell();
    }
  }

  /** Hears every event once it is durable; returns how to stop hearing. */
  subscribe(listener: JournalListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  incident(id: string): IncidentRecord | undefined {
    return recordOf(this.#all("SELECT record FROM incidents WHERE id = ?", id)[0]);
  }

  /** The incident that new alerts of this key fold into. */
  findLive(key: string): IncidentRecord | undefined {
    return recordOf(this.#all("SELECT record FROM incidents WHERE key = ? AND live = 1", key)[0]);
  }

  /** The last incident of this key, live or over. */
  findLast(key: string): IncidentRecord | undefined {
    return recordOf(this.#all("SELECT record FROM incidents WHERE key = ? ORDER BY opened DESC LIMIT 1", key)[0]);
  }

  /** Newest first. */
  incidents(wanted: { states?: readonly State["is"][]; limit?: number } = {}): IncidentRecord[] {
    const { states = [], limit = -1 } = wanted;
    const where = states.length === 0 ? "" : `WHERE state IN (${states.map(() => "?").join(", ")})`;
    const rows = this.#all(`SELECT record FROM incidents ${where} ORDER BY opened DESC LIMIT ?`, ...states, limit);
    return rows.map((row) => recordOf(row) as IncidentRecord);
  }

  /** Of one incident, oldest first. */
  events(incident: string): JournalEvent[] {
    return this.#all("SELECT body FROM events WHERE incident = ? ORDER BY sequence", incident).map(eventOf);
  }

  /** Fixes that were started on a host since a time, over all incidents. */
  fixesSince(host: string, of: FixScope, sinceMs: number): FixHistory {
    return readFixHistory((sql, ...values) => this.#all(sql, ...values), host, of, sinceMs);
  }

  /** How many incidents there are of each state, and fixes of each outcome. */
  tallies(): { incidents: Record<string, number>; fixes: Record<string, number> } {
    const counted = (what: string): Record<string, number> =>
      Object.fromEntries(this.#all(what).map(({ name, number }) => [String(name), Number(number)]));
    const outcome = "SELECT body ->> '$.outcome' AS name, count(*) AS number FROM events";
    return {
      incidents: counted("SELECT state AS name, count(*) AS number FROM incidents GROUP BY state"),
      fixes: counted(`${outcome} WHERE kind = 'fix-judged' GROUP BY name`),
    };
  }

  /** The last event and its hash: whoever keeps it elsewhere can tell later whether the end was cut off. */
  head(): Head {
    return this.#readHead();
  }

  /** Walks the chain from the first event on. */
  verify(): Verified {
    const walked = walk(this.#statement("SELECT sequence, body, hash FROM events ORDER BY sequence").iterate());
    if (!walked.intact) return walked;
    const last = Number(this.#all("SELECT coalesce(max(changed), 0) AS last FROM incidents")[0]?.["last"]);
    if (last === walked.events) return walked;
    const why = "events and incidents do not end alike";
    return { intact: false, sequence: Math.min(last, walked.events) + 1, why };
  }

  /** Why nothing can be written at the moment. After a failure it tries again, so it ends when the cause does. */
  trouble(): string | undefined {
    if (this.#trouble === undefined) return undefined;
    try {
      this.atomically(() => rewriteVersion(this.#database));
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  close(): void {
    if (!this.#database.isOpen) return;
    this.#database.close();
    this.#lock?.release();
  }

  #write(event: NewEvent): JournalEvent {
    const written: JournalEvent = {
      ...event,
      sequence: this.#head.sequence + 1,
      at: new Date(this.#options.now()).toISOString(),
    };
    const body = canonical(written);
    const hash = linkOf(this.#head.hash, body);
    this.#run("INSERT INTO events (sequence, body, hash) VALUES (?, ?, ?)", written.sequence, body, hash);
    this.#project(written);
    this.#head = { sequence: written.sequence, hash };
    this.#untold.push(written);
    return written;
  }

  #project(event: JournalEvent): void {
    const before = this.incident(event.incident);
    const record = reduce(before, event);
    const live = isOver(record.state) ? 0 : 1;
    const json = JSON.stringify(record);
    const { id, key, state } = record;
    if (before === undefined) {
      const columns = "id, key, host, state, live, opened, changed, record";
      const values = [id, key, record.target.host ?? null, state.is, live, event.sequence, event.sequence, json];
      this.#run(`INSERT INTO incidents (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, ...values);
    } else {
      const set = "state = ?, live = ?, changed = ?, record = ?";
      this.#run(`UPDATE incidents SET ${set} WHERE id = ?`, state.is, live, event.sequence, json, id);
    }
  }

  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let event = this.#untold.shift(); event !== undefined; event = this.#untold.shift()) {
        for (const listener of this.#listeners) this.#tellOne(listener, event);
      }
    } finally {
      this.#isTelling = false;
    }
  }

  #tellOne(listener: JournalListener, event: JournalEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#options.onListenerError?.(error);
    }
  }

  /** The database's failures in one line, kept for `trouble`; anything else is the step's own and stays what it is. */
  #blame(error: unknown): unknown {
    if (!isDatabaseError(error)) return error;
    const blamed = journalError(`Cannot write the journal "${this.#name}"`, error);
    if (blamed.fault !== "claimed") this.#trouble = blamed;
    return blamed;
  }

  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch {
      // SQLite rolled back by itself, as it does when the disk is full.
    }
  }

  #readHead(): Head {
    const [row] = this.#all("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1");
    return row === undefined
      ? { sequence: 0, hash: GENESIS }
      : { sequence: Number(row["sequence"]), hash: String(row["hash"]) };
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.#statement(sql).all(...values);
    } catch (error) {
      throw journalError(`Cannot read the journal "${this.#name}"`, error);
    }
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }
}

// Rows are this file's own writing, so their JSON is of the shape it was written in.
function recordOf(row: Row | undefined): IncidentRecord | undefined {
  return row === undefined ? undefined : (JSON.parse(String(row["record"])) as IncidentRecord);
}

function eventOf(row: Row): JournalEvent {
  return JSON.parse(String(row["body"])) as JournalEvent;
}
