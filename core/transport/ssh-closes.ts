// What one connection still owes its ended channels: our own CLOSE, and the proof that the host has processed it, when it
// has let go of the slot. Both wait until the turn is over, so that a command that an answer brings about leaves before
// the goodbyes. Any request that the host answers is a proof of all that was sent before it; where none is sent, one that
// asks for nothing. Knows no channels.
//
//   ended ──(a request leaves, or the turn ends)──▶ asked ──(answered, or silent for too long)──▶ released
import { setTimeout } from "node:timers";

/** A host that never answers gets its slots back after this. */
const proofSeconds = 2;

export class SshCloses {
  readonly #ask: (answered: () => void) => void;
  #unsent: (() => void)[] = [];
  #unproven: (() => void)[] = [];
  /** Asked and not answered yet, oldest first; `until` then they are released all the same. */
  readonly #asked: { proven: (() => void)[]; until: number }[] = [];
  #isDue = false;
  #isWatched = false;

  /** `ask` sends a request that only wants to be answered; it may throw when the connection is gone. */
  constructor(ask: (answered: () => void) => void) {
    this.#ask = ask;
  }

  /** `close` sends our CLOSE. */
  send(close: () => void): void {
    this.#unsent.push(close);
    this.#wait();
  }

  /** `released` is called when the host has processed the CLOSE that was given to `send`, or was sent before. */
  prove(released: () => void): void {
    this.#unproven.push(released);
    this.#wait();
  }

  /** To be called right before a request; what it returns, when the request is answered. */
  ahead(): () => void {
    for (const close of this.#unsent.splice(0)) close();
    const proven = this.#unproven.splice(0);
    if (proven.length === 0) return () => {};
    const asked = { proven, until: performance.now() + proofSeconds * 1000 };
    this.#asked.push(asked);
    this.#watch();
    return () => this.#release(asked);
  }

  #release(asked: { proven: (() => void)[] }): void {
    // Answers come in order, so it is nearly always the oldest.
    const place = this.#asked.findIndex((one) => one === asked);
    if (place !== -1) this.#asked.splice(place, 1);
    for (const released of asked.proven.splice(0)) released();
  }

  // One timer for all: nearly every question is answered long before, and thousands come and go in a second.
  #watch(): void {
    const [oldest] = this.#asked;
    if (this.#isWatched || oldest === undefined) return;
    this.#isWatched = true;
    setTimeout(
      () => {
        this.#isWatched = false;
        for (const asked of this.#asked.slice()) if (asked.until <= performance.now()) this.#release(asked);
        this.#watch();
      },
      Math.max(1, oldest.until - performance.now()),
    ).unref();
  }

  #wait(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    // After the promises that this turn settles, as with the writes themselves.
    queueMicrotask(() => process.nextTick(() => this.#settle()));
  }

  #settle(): void {
    this.#isDue = false;
    const isAnswerWanted = this.#unproven.length > 0;
    const release = this.ahead();
    if (!isAnswerWanted) return;
    try {
      this.#ask(release);
    } catch {
      release();
    }
  }
}
