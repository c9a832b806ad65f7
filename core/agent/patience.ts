// How long to keep asking for one reply that does not come. Two kinds of trouble, two bounds: a link that breaks is asked
// again shortly and seldom; an API that is busy is given the time it asks for, up to a total. There is one client and
// seldom two requests at once, so waits need no randomness. It refuses to know what is asked.

/** What stood in the way: `broken` may go well at once, `busy` wants to be left alone for a while. */
export type Trouble = { is: "broken" | "busy"; retryAfterSeconds?: number };

const BREAKS_MAX = 2;
const BUSY_MAX = 5;
/** All waiting for one reply; a longer `retry-after` is not waited for. */
const WAIT_SECONDS_MAX = 120;

/** Made anew for each reply. */
export class Patience {
  #broken = 0;
  #busy = 0;
  #waitedSeconds = 0;

  /** Seconds to wait before asking again; undefined when it is time to give up. */
  waitFor(trouble: Trouble): number | undefined {
    if (trouble.is === "broken") this.#broken++;
    else this.#busy++;
    if (this.#broken > BREAKS_MAX || this.#busy > BUSY_MAX) return undefined;
    const seconds = trouble.retryAfterSeconds ?? 2 ** (this.#broken + this.#busy);
    if (this.#waitedSeconds + seconds > WAIT_SECONDS_MAX) return undefined;
    this.#waitedSeconds += seconds;
    return seconds;
  }

  /** What was tried, in words. */
  get tried(): string {
    const tries = this.#broken + this.#busy;
    return `${tries} ${tries === 1 ? "try" : "tries"} and ${this.#waitedSeconds} s of waiting`;
  }
}
