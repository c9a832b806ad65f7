// The journal: what happened, in the order in which it happened, on disk before anybody hears of it. Append-only and
// hash-chained; beside the events stands each incident as they tell it, written in the same transaction. Everything is
// synchronous, so a read, a decision and a write in one function are one step that nobody can come between. It refuses
// to know what events mean (incident.ts does) and whose turn it is (the desk does).
import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Audience, type JournalListener } from "./audience.ts";
import { audit, type Audited, exportLines, type Kept } from "./audit.ts";
import { canonical, type Head, linkOf, type Verified } from "./chain.ts";
import {
  type FixHistory,
  type FixScope,
  type Query,
  readFixHistory,
  readIdentity,
  readUnhelped,
} from "./fix-history.ts";
import type { HostIdentity } from "./fix.ts";
import type { HouseEvent, MaintenanceEvent, Written } from "./house-event.ts";
import type { IncidentRecord, JournalEvent, NewEvent } from "./incident.ts";
import { isDatabaseError, JournalError, journalError } from "./journal-error.ts";
import { keepOld, migrate, requireCurrent, rewriteVersion } from "./journal-schema.ts";
import { readHead, readHolding, readIncidents, readMaintenance, readWaiting, type Wanted } from "./journal-reads.ts";
import { type Lock, lockFolder } from "./lock.ts";
import { eventOf, project, recordOf } from "./projection.ts";
import { prune, type Pruned, readRemovedIdentity, readTallies } from "./retention.ts";
import { Sql } from "./sql.ts";
import { readTold, type Told } from "./told.ts";

export type JournalOptions = {
  now(): number;
  /** Hears when a listener throws: by then the event is written, so nobody else can be told. */
  onListenerError?(error: unknown): void;
};

/** Its name in the data folder. */
export const FILE = "journal.sqlite";
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
    keepOld(database, file);
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
  return readJournalFile(file, options);
}

/** Opens one file, a copy for instance, for reading. Throws JournalError. */
export function readJournalFile(file: string, options: JournalOptions): Journal {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) {
    throw new JournalError("missing", `Cannot read the journal "${file}": there is no such file`);
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

/** A journal in memory, for the demo: everything but the disk. */
export function createMemoryJournal(options: JournalOptions): Journal {
  return createJournal(new DatabaseSync(":memory:"), ":memory:", options);
}

/** Makes a journal of an open database; `name` is for error texts. */
export function createJournal(database: DatabaseSync, name: string, options: JournalOptions, lock?: Lock): Journal {
  database.exec(`PRAGMA busy_timeout = ${BUSY_MILLISECONDS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`);
  migrate(database, name);
  database.exec("PRAGMA foreign_keys = ON");
  return new Journal(database, name, options, lock);
}

export class Journal {
  readonly #database: DatabaseSync;
  readonly #name: string;
  readonly #options: JournalOptions;
  readonly #lock: Lock | undefined;
  readonly #sql: Sql;
  readonly #query: Query = (sql, ...values) => this.#sql.all(sql, ...values);
  readonly #audience: Audience;
  #isWriting = false;
  #head: Head;
  #trouble: JournalError | undefined;

  constructor(database: DatabaseSync, name: string, options: JournalOptions, lock?: Lock) {
    this.#database = database;
    this.#name = name;
    this.#options = options;
    this.#lock = lock;
    this.#sql = new Sql(database, name);
    this.#audience = new Audience(options.onListenerError);
    this.#head = readHead(this.#sql);
  }

  /** Writes events durably, all or none, and returns them as written. Throws JournalError; then nothing was written. */
  append(events: readonly NewEvent[]): JournalEvent[] {
    const write = (): JournalEvent[] => events.map((event) => this.#write(event));
    return this.#isWriting ? write() : this.atomically(write);
  }

  /** Writes an event that belongs to no incident. No listener hears of it. */
  note(event: HouseEvent): void {
    if (this.#isWriting) this.#write(event);
    else this.atomically(() => this.#write(event));
  }

  /** Reads, decides and appends as one step: whatever `step` appends is durable when this returns, or none of it is. */
  atomically<T>(step: () => T): T {
    if (this.#isWriting) throw new Error("Cannot nest two steps of the journal: the inner one could not fail alone");
    const before = this.#head;
    const untold = this.#audience.waiting;
    this.#isWriting = true;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const result = step();
      this.#database.exec("COMMIT");
      this.#trouble = undefined;
      return result;
    } catch (error) {
      this.#head = before;
      this.#audience.forget(untold);
      this.#rollBack();
      throw this.#blame(error);
    } finally {
      this.#isWriting = false;
      this.#audience.tell();
    }
  }

  /** Hears every event once it is durable; returns how to stop hearing. */
  subscribe(listener: JournalListener): () => void {
    return this.#audience.add(listener);
  }

  incident(id: string): IncidentRecord | undefined {
    return recordOf(this.#sql.all("SELECT record FROM incidents WHERE id = ?", id)[0]);
  }

  /** The incident that new alerts of this key fold into. */
  findLive(key: string): IncidentRecord | undefined {
    return recordOf(this.#sql.all("SELECT record FROM incidents WHERE key = ? AND live = 1", key)[0]);
  }

  /** The last incident of this key, live or over. */
  findLast(key: string): IncidentRecord | undefined {
    return recordOf(this.#sql.all("SELECT record FROM incidents WHERE key = ? ORDER BY opened DESC LIMIT 1", key)[0]);
  }

  /** Incidents, whatever their key, of which this alert fires: live ones, and those that wait for their monitor. */
  holding(fingerprint: string): IncidentRecord[] {
    return readHolding(this.#sql, fingerprint);
  }

  /** Newest first. */
  incidents(wanted: Wanted = {}): IncidentRecord[] {
    return readIncidents(this.#sql, wanted);
  }

  /** Over for the host, and not yet for the monitor. */
  waitingForClearing(): IncidentRecord[] {
    return readWaiting(this.#sql);
  }

  /** Of one incident, oldest first. */
  events(incident: string): JournalEvent[] {
    return this.#sql.all("SELECT body FROM events WHERE incident = ? ORDER BY sequence", incident).map(eventOf);
  }

  /** Fixes that were started on a host since a time, over all incidents. */
  fixesSince(host: string, of: FixScope, sinceMs: number): FixHistory {
    return readFixHistory(this.#query, host, of, sinceMs);
  }

  /** Services of a host that fixes did not help; see fix-history.ts. */
  unhelpedSince(host: string, sinceMs: number): string[] {
    return readUnhelped(this.#query, host, sinceMs);
  }

  /** What people said of maintenance since a time, oldest first. */
  maintenanceSince(sinceMs: number): (MaintenanceEvent & Written)[] {
    return readMaintenance(this.#sql, sinceMs);
  }

  /** Which machine fixes have met under a host's name. */
  identityOf(host: string): HostIdentity | undefined {
    return readIdentity(this.#query, host) ?? readRemovedIdentity(this.#sql, host);
  }

  /** How many incidents there were of each state, and fixes of each outcome. */
  tallies(): { incidents: Readonly<Record<string, number>>; fixes: Readonly<Record<string, number>> } {
    return this.#sql.snapshot(() => readTallies(this.#sql));
  }

  /** What a channel was told of the changes since a time; see told.ts. */
  told(channel: string, wanted: { kinds: readonly string[]; sinceMs: number }): Told | undefined {
    return readTold(this.#sql, channel, wanted);
  }

  /** Removes some of what is older, as far as whole incidents that are over go; until undefined. See retention.ts. */
  prune(retainSeconds: number): Pruned | undefined {
    return this.atomically(() =>
      prune({
        sql: this.#sql,
        retain: retainSeconds,
        now: () => this.#options.now(),
        sign: (checkpoint) => this.note(checkpoint),
        dismiss: (incident, reason) => void this.append([{ incident, kind: "dismissed", reason }]),
      }),
    );
  }

  /** The last event and its hash: whoever keeps it elsewhere can tell later whether the end was cut off. */
  head(): Head {
    return readHead(this.#sql);
  }

  /** Walks the chain and replays the incidents; see audit.ts. */
  audit(kept?: Kept): Audited {
    return this.#sql.snapshot(() => audit(this.#sql, kept));
  }

  /** As `audit`, in short. */
  verify(): Verified {
    const audited = this.audit();
    return audited.intact ? { intact: true, events: audited.events } : audited;
  }

  /** Events as lines of JSON, oldest first, read as they are taken. */
  exportLines(wanted: { sinceMs?: number; incident?: string }): Iterable<string> {
    return exportLines(this.#sql, wanted);
  }

  /** Why nothing can be written at the moment. After a failure it tries again, so it ends when the cause does. */
  trouble(isTried: boolean = this.#trouble !== undefined): string | undefined {
    if (!isTried) return undefined;
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

  #write<E extends NewEvent | HouseEvent>(event: E): E & Written {
    const at = new Date(this.#options.now()).toISOString();
    const written = { ...event, sequence: this.#head.sequence + 1, at };
    const body = canonical(written);
    const hash = linkOf(this.#head.hash, body);
    this.#sql.run("INSERT INTO events (sequence, body, hash) VALUES (?, ?, ?)", written.sequence, body, hash);
    this.#head = { sequence: written.sequence, hash };
    if (isOfIncident(written)) {
      project(this.#sql, written);
      this.#audience.expect(written);
    }
    return written;
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
}

function isOfIncident(event: (NewEvent | HouseEvent) & Written): event is JournalEvent {
  return "incident" in event;
}
