// Spares a host that cannot be reached, and whoever waits for it: after some failed dials in a row the next commands fail
// at once, until one dial is tried again, later each time.
//
//   closed ──(failures in a row)──▶ open ──(its time has passed)──▶ one try ──(connected)──▶ closed
//                                    ▲                                 │
//                                    └─────────── (failed) ────────────┘
import { TransportError } from "./errors.ts";

const failuresMax = 3;
const firstSeconds = 2;
const longestSeconds = 60;

export class DialBreaker {
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #opensAt = Number.NEGATIVE_INFINITY;
  #last: TransportError | undefined;

  /** `random`: from 0 to 1, so that hosts lost together are not dialed together. */
  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
  }

  /** Seconds until a dial is tried again; 0 when one may be tried now. */
  get waitSeconds(): number {
    return Math.max(0, (this.#opensAt - this.#now()) / 1000);
  }

  /** Why nothing is dialed now; undefined when it may be. */
  refusal(): TransportError | undefined {
    const last = this.#last;
    if (this.waitSeconds === 0 || last === undefined) return undefined;
    const { kind, host, offered } = last;
    const text = `${last.message} (not tried again: ${this.#failures} dials in a row have failed, next try in ${Math.ceil(this.waitSeconds)} s)`;
    return new TransportError(kind, host, text, offered === undefined ? {} : { offered });
  }

  failed(error: TransportError): void {
    this.#last = error;
    this.#failures += 1;
    if (this.#failures < failuresMax) return;
    const fullSeconds = Math.min(longestSeconds, firstSeconds * 2 ** (this.#failures - failuresMax));
    this.#opensAt = this.#now() + fullSeconds * 1000 * (0.75 + this.#random() / 2);
  }

  connected(): void {
    this.#failures = 0;
    this.#opensAt = Number.NEGATIVE_INFINITY;
    this.#last = undefined;
  }
}
