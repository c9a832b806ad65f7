// Whether a model is worth asking at all. Where requests broke several times in a row, it is not asked for a while by
// anybody: an outage costs the first incident its patience, and not every one after it. Knows no request.
//
//   closed ─(so many breaks in a row)─▶ resting ─(time over)─▶ one may try ─▶ answered: closed | broken: resting again
import type { Reply } from "./model-reply.ts";

/** `restSeconds`: how long nobody asks; 0: it is always asked. */
export type BreakerLimits = { breaks: number; restSeconds: number };

export class ModelBreaker {
  readonly #now: () => number;
  #breaks = 0;
  #restsUntil = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Why it is not to be asked now; undefined lets the caller ask, and whoever comes after it waits for the answer. */
  refusal({ breaks, restSeconds }: BreakerLimits): string | undefined {
    if (restSeconds === 0 || this.#breaks < breaks) return undefined;
    const seconds = Math.ceil((this.#restsUntil - this.#now()) / 1000);
    if (seconds > 0) {
      return `the model did not answer ${this.#breaks} times in a row, so it is left alone for ${seconds} s more (responder.rest in hosts.yaml)`;
    }
    this.#restsUntil = this.#now() + restSeconds * 1000;
    return undefined;
  }

  /** An API that is busy, or says no, is there. */
  heard(reply: Pick<Reply, "is">, { restSeconds }: BreakerLimits): void {
    if (reply.is !== "broken") {
      this.#breaks = 0;
      return;
    }
    this.#breaks++;
    this.#restsUntil = this.#now() + restSeconds * 1000;
  }
}
