// How often somebody may ask: for each name a bucket that holds one minute's worth and fills again evenly. Knows neither
// requests nor who the names are; there is an end to how many it remembers.
//
//   full ──take──▶ … ──take──▶ empty: refused, and told how long until one is there again

export type Taken =
  | { is: "taken" }
  | { is: "empty"; waitSeconds: number; /** The last one was still there. */ isFirst: boolean };

/** Beyond, whoever was quiet the longest is forgotten, and so begins with a full bucket again. */
const NAMES_MAX = 4096;
const MINUTE = 60_000;
/** What fractions of a millisecond may add up to. */
const ROUNDING = 0.5;

export class Rate {
  readonly #now: () => number;
  /** When each bucket is full again, and whether it was found empty; who asked last stands last. */
  readonly #buckets = new Map<string, { fullAt: number; isEmpty: boolean }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one of `perMinute`, which may differ from call to call. */
  take(name: string, perMinute: number): Taken {
    const now = this.#now();
    const { fullAt, isEmpty: wasEmpty } = this.#buckets.get(name) ?? { fullAt: now, isEmpty: false };
    // At most a minute, also when the clock was set back.
    const missing = Math.min(MINUTE, Math.max(0, fullAt - now));
    const afterwards = missing + MINUTE / perMinute;
    const isEmpty = afterwards > MINUTE + ROUNDING;
    this.#buckets.delete(name);
    this.#buckets.set(name, { fullAt: now + (isEmpty ? missing : afterwards), isEmpty });
    const [quietest] = this.#buckets.keys();
    if (this.#buckets.size > NAMES_MAX && quietest !== undefined) this.#buckets.delete(quietest);
    if (!isEmpty) return { is: "taken" };
    return { is: "empty", waitSeconds: Math.ceil((afterwards - MINUTE) / 1000), isFirst: !wasEmpty };
  }
}
