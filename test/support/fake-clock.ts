// A clock that stands still until the test moves it.
import type { Clock } from "../../core/transport/clock.ts";

export class FakeClock implements Clock {
  #now = 0;
  #timers = new Map<number, { at: number; call: () => void }>();
  #count = 0;

  now = (): number => this.#now;

  after = (seconds: number, call: () => void): (() => void) => {
    const id = (this.#count += 1);
    this.#timers.set(id, { at: this.#now + seconds * 1000, call });
    return () => void this.#timers.delete(id);
  };

  get armed(): number {
    return this.#timers.size;
  }

  /** Runs what falls due, in order, and lets promises settle after each. */
  async advance(seconds: number): Promise<void> {
    await settled();
    const until = this.#now + seconds * 1000;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      const [id, timer] = due;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, timer.at);
      timer.call();
      await settled();
    }
    this.#now = until;
    await settled();
  }
}

/** Lets every promise that can settle do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
