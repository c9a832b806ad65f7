// One channel's queue: the newest change of each incident that the channel has not been told of, oldest incident first,
// one try at a time. What is due is read from the journal at the start and heard from then on; that it was sent is written
// to the journal after the answer. So nothing is lost, and only a kill between the two (or an answer that never came)
// repeats a message, with the same id.
//
//   due ─▶ sending ─ sent ───▶ notification-sent
//    ▲        ├───── refused, or older than it may get ─▶ notification-given-up
//    └─ wait ─┴───── down
import type { IncidentEvent, JournalEvent } from "../incident/incident.ts";
import type { Log } from "../log.ts";
import { changeOf } from "./change.ts";
import type { Channel } from "./channel.ts";
import type { Message } from "./message.ts";

export type LaneParts = {
  /** Durable when it returns; throws when the journal cannot be written. */
  record(incident: string, event: IncidentEvent): void;
  /** Undefined when there is nothing to tell of it any more. */
  messageOf(event: JournalEvent): Message | undefined;
  /** How long a message is tried, from its change on. */
  withinSeconds(): number;
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  log: Log;
};

/** `failed` counts tries, the others messages. */
export type LaneNumbers = { channel: string; sent: number; failed: number; givenUp: number; waiting: number };

const WAIT_FIRST_MS = 1000;
const WAIT_MAX_MS = 5 * 60_000;

export class Lane {
  readonly #parts: LaneParts;
  readonly #due = new Map<string, JournalEvent>();
  /** Ends waiting; what is on its way may still arrive. */
  readonly #stop = new AbortController();
  /** Ends what is on its way. */
  readonly #cut = new AbortController();
  readonly #ended: Promise<void>;
  readonly #counts = { sent: 0, failed: 0, givenUp: 0 };
  #channel: Channel;
  #wake: () => void = () => undefined;
  #waitMs = WAIT_FIRST_MS;

  constructor(parts: LaneParts, channel: Channel, due: Iterable<JournalEvent>) {
    this.#parts = parts;
    this.#channel = channel;
    for (const event of due) this.hear(event);
    this.#ended = this.#work();
  }

  /** What it is told from now on goes this way. */
  set channel(channel: Channel) {
    this.#channel = channel;
    this.#waitMs = WAIT_FIRST_MS;
    for (const event of this.#due.values()) this.hear(event);
  }

  hear(event: JournalEvent): void {
    const change = changeOf(event);
    if (change === undefined) return;
    // It keeps its place, and what it replaces is old news that nobody is told any more.
    if (this.#channel.on.includes(change)) this.#due.set(event.incident, event);
    else this.#due.delete(event.incident);
    this.#wake();
  }

  numbers(): LaneNumbers {
    return { channel: this.#channel.name, ...this.#counts, waiting: this.#due.size };
  }

  /** What is on its way gets this long; what waits is found in the journal by the next process. */
  async close(graceSeconds: number): Promise<void> {
    this.#stop.abort();
    this.#wake();
    const grace = new AbortController();
    const late = this.#parts.sleep(graceSeconds * 1000, grace.signal).then(
      () => this.#cut.abort(),
      () => undefined,
    );
    await this.#ended;
    grace.abort();
    await late;
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const [event] = this.#due.values();
      if (event === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else await this.#tell(event).catch((error: unknown) => this.#missed(event, error));
    }
  }

  /** The journal that a message is made from could not be read. */
  async #missed(event: JournalEvent, error: unknown): Promise<void> {
    const { log } = this.#parts;
    const retry_in = this.#waitMs / 1000;
    log.error("notification_not_made", {
      channel: this.#channel.name,
      incident: event.incident,
      error: String(error),
      retry_in,
    });
    this.#putLast(event);
    await this.#pause();
  }

  async #tell(event: JournalEvent): Promise<void> {
    const { now, log, messageOf, withinSeconds } = this.#parts;
    const channel = this.#channel.name;
    const message = messageOf(event);
    if (message === undefined) return this.#done(event);
    if (now() - Date.parse(event.at) > withinSeconds() * 1000) {
      return this.#giveUp(event, `it was not taken within ${withinSeconds()} s (limits.notifyWithin in hosts.yaml)`);
    }
    const sent = await this.#channel.send(message, this.#cut.signal);
    if (sent.is === "sent") {
      this.#waitMs = WAIT_FIRST_MS;
      this.#counts.sent++;
      log.info("notification_sent", { channel, message: message.id, change: message.change });
      return this.#settle(event, { kind: "notification-sent", channel, of: event.sequence });
    }
    this.#counts.failed++;
    if (sent.is === "refused") return this.#giveUp(event, sent.why);
    if (this.#stop.signal.aborted) return;
    log.warning("notification_failed", { channel, message: message.id, why: sent.why, retry_in: this.#waitMs / 1000 });
    this.#putLast(event);
    await this.#pause();
  }

  /** One message that nobody takes must not stand before all others. */
  #putLast(event: JournalEvent): void {
    if (this.#due.get(event.incident) !== event) return;
    this.#due.delete(event.incident);
    this.#due.set(event.incident, event);
  }

  async #giveUp(event: JournalEvent, why: string): Promise<void> {
    const channel = this.#channel.name;
    this.#counts.givenUp++;
    this.#parts.log.error("notification_given_up", { channel, incident: event.incident, why });
    await this.#settle(event, { kind: "notification-given-up", channel, of: event.sequence, why });
  }

  /** Until it is written nothing else is sent: sending it again would be our doing. */
  async #settle(event: JournalEvent, outcome: IncidentEvent): Promise<void> {
    for (;;) {
      try {
        this.#parts.record(event.incident, outcome);
        return this.#done(event);
      } catch (error) {
        this.#parts.log.error("notification_not_recorded", { incident: event.incident, error: String(error) });
        if (this.#stop.signal.aborted) return;
        await this.#pause();
      }
    }
  }

  #done(event: JournalEvent): void {
    if (this.#due.get(event.incident) === event) this.#due.delete(event.incident);
  }

  async #pause(): Promise<void> {
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(waitMs * 2, WAIT_MAX_MS);
    await this.#parts.sleep(waitMs, this.#stop.signal).catch(() => undefined);
  }
}
