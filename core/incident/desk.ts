// The desk gives incidents their turns: first come first served, one at a time per host, so many at once, each within its
// time. It decides what a failure of the work means: an incident always ends resolved, escalated, or to be resumed by the
// next process; never forgotten. It refuses to know how an incident is worked on (`respond` is given to it).
//
//   opened ─▶ waiting ─▶ at work ─▶ done             thrown: escalated; out of time: aborted, then escalated
//     │  ▲       └─ queue full: escalated            closing: aborted, and left for the next process to resume
//     └──┘ held: takes no place, and is looked at again; so is what a journal that could not be written left on the way
import type { Log } from "../log.ts";
import { isFromPerson } from "./alert.ts";
import { escalation } from "./ending.ts";
import { logEvent } from "./event-log.ts";
import { type Held, type IncidentRecord, isActive, type JournalEvent, type State } from "./incident.ts";
import type { Journal } from "./journal.ts";
import { endIfOver, leftBehind, settle } from "./settle.ts";

export type DeskParts = {
  journal: Pick<Journal, "append" | "events" | "incident" | "incidents" | "subscribe" | "trouble">;
  /** Works on one incident until it has ended. Must stop soon after the signal aborts. */
  respond(incident: IncidentRecord, signal: AbortSignal): Promise<void>;
  /** Why an incident is not to be worked on now; undefined when it may be. */
  heldFor(incident: IncidentRecord): Held | undefined;
  /** Whether somebody runs a fix by hand in it, where the desk does not see it. */
  isAtHand(incident: string): boolean;
  limits: {
    /** Worked on at once. */
    incidents: number;
    /** Waiting for their turn; one more is escalated. */
    queue: number;
    /** Seconds of one incident's turn. */
    incident: number;
  };
  log: Log;
  /** Rejects when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
};

export type Desk = {
  /** Takes up what an earlier process left, or `only` one incident of that. Call it once, before alerts come in. */
  resume(only?: string): void;
  /** Looks again at what is held, and at what was lost while the journal could not be written; call it now and then. */
  look(): void;
  /** Incidents whose time is over and whose work does not stop. */
  stuck(): string[];
  /** Ends when nobody works and nobody waits. */
  idle(): Promise<void>;
  /** Stops giving turns; what is at work gets this long to end, then it is aborted and stays to be resumed. */
  close(graceSeconds: number): Promise<void>;
};

/** How long work that was aborted may take to stop. */
const STOP_WITHIN_SECONDS = 10;
/** And when Medic stops: what is left then, the next process takes up from the journal. */
const CLOSE_WITHIN_SECONDS = 2;

/** Why a turn is aborted. */
class OutOfTime extends Error {
  override readonly name = "OutOfTime";
}
class Closing extends Error {
  override readonly name = "Closing";
}

/** What the desk has to see to, and what it left to people. */
const ACTIVE: readonly State["is"][] = ["open", "investigating", "fixing", "verifying"];
const WITH_PERSON: readonly State["is"][] = ["escalated", "awaiting-approval"];

type Waiting = { id: string; host: string; isAsked: boolean };
type Turn = { host: string; abort: AbortController };

/** Listens to the journal from now on: each incident that opens gets its turn. */
export function createDesk(parts: DeskParts): Desk {
  return new OneDesk(parts);
}

class OneDesk implements Desk {
  readonly #parts: DeskParts;
  readonly #unsubscribe: () => void;
  readonly #turns = new Map<string, Turn>();
  readonly #stuck = new Set<string>();
  #waiting: Waiting[] = [];
  #idlers: (() => void)[] = [];
  #isPulseDue = false;
  #isClosing = false;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.journal.subscribe((event) => this.#hear(event));
  }

  resume(only?: string): void {
    const { journal, log } = this.#parts;
    for (const record of journal.incidents({ states: ACTIVE }).reverse()) {
      if (only !== undefined && record.id !== only) continue;
      const is = this.#takeUpLeft(record);
      log.info("incident_resumed", { incident: record.id, key: record.key, was: record.state.is, is });
    }
    if (only !== undefined) return;
    // Their turn had ended, and the process with it, before it was written down what the monitor said meanwhile.
    for (const record of journal.incidents({ states: WITH_PERSON })) endIfOver(journal, record);
  }

  look(): void {
    const { journal, isAtHand } = this.#parts;
    // Each of them would fail again, and fill the log with it.
    if (journal.trouble() !== undefined) return;
    for (const record of journal.incidents({ states: ACTIVE }).reverse()) {
      if (!isAtHand(record.id)) this.#takeUpLeft(record);
    }
  }

  stuck(): string[] {
    return [...this.#stuck];
  }

  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => void this.#idlers.push(resolve));
  }

  async close(graceSeconds: number): Promise<void> {
    this.#isClosing = true;
    this.#unsubscribe();
    this.#waiting = [];
    this.#pulseSoon();
    const grace = new AbortController();
    const allDone = this.idle();
    await Promise.race([allDone, this.#parts.sleep(graceSeconds * 1000, grace.signal).catch(() => undefined)]);
    grace.abort();
    for (const { abort } of this.#turns.values()) abort.abort(new Closing("Medic is stopping"));
    const stop = new AbortController();
    await Promise.race([allDone, this.#parts.sleep(CLOSE_WITHIN_SECONDS * 1000, stop.signal).catch(() => undefined)]);
    stop.abort();
  }

  #hear(event: JournalEvent): void {
    const { journal, log } = this.#parts;
    logEvent(log, event, journal.incident(event.incident)?.durationSeconds);
    switch (event.kind) {
      case "incident-opened":
        return this.#takeUp(event);
      case "approval-given":
        return this.#takeUp(event);
      case "reopened":
        return this.#takeUp(event, event.alert !== undefined && isFromPerson(event.alert));
      case "alert-folded": {
        const record = journal.incident(event.incident);
        // A person who asks is not kept waiting: Medic looks, though no fix runs.
        if (record !== undefined && heldOf(record) !== undefined) this.#offer(record, isFromPerson(event.alert));
      }
    }
  }

  #takeUpLeft(record: IncidentRecord): State["is"] | undefined {
    // Its end is the turn's to write.
    if (this.#turns.has(record.id)) return record.state.is;
    const now = leftBehind(this.#parts.journal, record);
    if (now !== undefined && isActive(now.state)) this.#offer(now);
    return now?.state.is;
  }

  /** Unclear ones, and what its monitor never called over, were escalated in the same breath. */
  #takeUp({ incident }: JournalEvent, isAsked?: boolean): void {
    const record = this.#parts.journal.incident(incident);
    if (record !== undefined && isActive(record.state) && record.byHand !== true) this.#offer(record, isAsked);
  }

  #offer(record: IncidentRecord, isAsked = isFromPerson(record.alert) || record.agreed !== undefined): void {
    const { journal, limits } = this.#parts;
    if (this.#turns.has(record.id) || this.#waiting.some(({ id }) => id === record.id)) return;
    if (!isAsked && this.#hold(record)) return;
    if (heldOf(record) !== undefined) {
      const why = isAsked ? "a person asked" : "nothing holds it any more";
      journal.append([{ incident: record.id, kind: "released", why }]);
    }
    // A host's turns are one queue; without a host there is nothing to keep apart.
    const host = record.target.host ?? record.id;
    const isFree = this.#turns.size < limits.incidents && this.#waiting.length === 0;
    if (!isFree && this.#waiting.length >= limits.queue) {
      const reason = `${this.#waiting.length} incidents are waiting already (limits.queue in hosts.yaml)`;
      journal.append(escalation(record, [], reason).map((event) => ({ ...event, incident: record.id })));
      return;
    }
    this.#waiting.push({ id: record.id, host, isAsked });
    this.#pulseSoon();
  }

  /** Writes down that it is held, if it is; once for each reason. Work that began is never held: its gates decide. */
  #hold(record: IncidentRecord): boolean {
    if (record.state.is !== "open") return false;
    const held = this.#parts.heldFor(record);
    if (held === undefined) return false;
    const before = heldOf(record);
    if (before?.why !== held.why) this.#parts.journal.append([{ incident: record.id, kind: "held", ...held }]);
    return true;
  }

  /** Every change of state ends here. Not at once: whoever wrote the event answers first. */
  #pulseSoon(): void {
    if (this.#isPulseDue) return;
    this.#isPulseDue = true;
    setImmediate(() => {
      this.#isPulseDue = false;
      this.#pulse();
    });
  }

  #pulse(): void {
    while (!this.#isClosing && this.#turns.size < this.#parts.limits.incidents) {
      const busy = new Set([...this.#turns.values()].map(({ host }) => host));
      const next = this.#waiting.findIndex(({ host }) => !busy.has(host));
      if (next < 0) break;
      const [taken] = this.#waiting.splice(next, 1);
      if (taken !== undefined) this.#tryToGive(taken);
    }
    if (!this.#isIdle()) return;
    for (const idler of this.#idlers.splice(0)) idler();
  }

  /** Nobody waits for this call, so nobody else could hear of it. */
  #tryToGive(taken: Waiting): void {
    try {
      this.#give(taken);
    } catch (error) {
      // The next look finds it neither at work nor waiting, and offers it again.
      this.#parts.log.error("turn_not_given", { incident: taken.id, error: messageOf(error) });
    }
  }

  #give({ id, host, isAsked }: Waiting): void {
    const record = this.#parts.journal.incident(id);
    // Resolved by its monitor, or dismissed, while it waited.
    if (record === undefined || !isActive(record.state)) return;
    if (!isAsked && this.#hold(record)) return;
    const abort = new AbortController();
    this.#turns.set(id, { host, abort });
    void this.#turn(record, abort).finally(() => {
      this.#turns.delete(id);
      this.#stuck.delete(id);
      this.#pulseSoon();
    });
  }

  async #turn(record: IncidentRecord, abort: AbortController): Promise<void> {
    const { respond, limits, log } = this.#parts;
    const { id, key } = record;
    const timer = new AbortController();
    void this.#abortLate(id, abort, limits.incident, timer.signal);
    log.info("incident_started", { incident: id, key });
    // In a promise from the start, so that a throw before the first wait is no different from one after it.
    const ended = await Promise.resolve()
      .then(() => respond(record, abort.signal))
      .then(() => "the work on it ended without a conclusion", messageOf);
    timer.abort();
    const why: unknown = abort.signal.reason;
    if (why instanceof Closing) return log.info("incident_left", { incident: id, key });
    this.#settle(id, why instanceof OutOfTime ? why.message : ended);
  }

  async #abortLate(id: string, abort: AbortController, seconds: number, signal: AbortSignal): Promise<void> {
    const late = new OutOfTime(`it took longer than ${seconds} s (limits.incident in hosts.yaml)`);
    try {
      await this.#parts.sleep(seconds * 1000, signal);
      abort.abort(late);
      await this.#parts.sleep(STOP_WITHIN_SECONDS * 1000, signal);
    } catch {
      return; // The turn ended.
    }
    // Its host stays taken, since what does not stop may still be changing it; but a person hears of it now.
    this.#parts.log.error("incident_stuck", { incident: id });
    this.#stuck.add(id);
    this.#settle(id, `${late.message}, and it does not stop`);
  }

  #settle(id: string, reason: string): void {
    const { journal, log } = this.#parts;
    try {
      settle(journal, id, reason);
    } catch (error) {
      // What is unfinished is taken up by the next look; what only its monitor ended, by the next process.
      log.error("incident_not_recorded", { incident: id, reason, error: messageOf(error) });
    }
  }

  #isIdle(): boolean {
    return this.#turns.size === 0 && this.#waiting.length === 0;
  }
}

function heldOf({ state }: IncidentRecord): Held | undefined {
  return state.is === "open" ? state.held : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
