// Whether the other end of a connection still lives: asks at intervals, quickly while commands run and slowly while none
// does. Anything that comes from the host is a sign of life, so a flood of output is never taken for silence.
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";

/** While commands run; or `pool.keepaliveInterval` when that is shorter. */
const busySeconds = 5;

type Parts = {
  connection: Connection;
  clock: Clock;
  /** 0: never asks. */
  intervalSeconds: number;
  /** After so many questions without any sign of life the host counts as gone. */
  count: number;
  gone(): void;
};

export class Heartbeat {
  readonly #parts: Parts;
  #isBusy = false;
  #unanswered = 0;
  #heard = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #cancel = () => {};

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#arm();
  }

  /** Commands run, or none does any more. */
  pace(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    // Only ever sooner: commands that come and go must not put the question off for ever.
    const { now } = this.#parts.clock;
    if (isBusy && this.#dueAt - now() > this.#intervalSeconds * 1000) this.#arm();
  }

  stop(): void {
    this.#cancel();
    this.#dueAt = Number.NEGATIVE_INFINITY;
  }

  get #intervalSeconds(): number {
    const { intervalSeconds } = this.#parts;
    return this.#isBusy ? Math.min(busySeconds, intervalSeconds) : intervalSeconds;
  }

  #arm(): void {
    const { clock, connection, intervalSeconds } = this.#parts;
    if (intervalSeconds === 0 || connection.probe === undefined) return;
    this.#cancel();
    this.#dueAt = clock.now() + this.#intervalSeconds * 1000;
    this.#cancel = clock.after(this.#intervalSeconds, () => this.#ask());
  }

  #ask(): void {
    const { connection, count, gone } = this.#parts;
    const heard = connection.heard?.() ?? 0;
    if (heard !== this.#heard) this.#unanswered = 0;
    this.#heard = heard;
    if (this.#unanswered >= count) return gone();
    this.#unanswered += 1;
    // A connection that cannot be asked any more says so itself.
    connection.probe?.().catch(() => {});
    this.#arm();
  }
}
