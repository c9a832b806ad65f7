// Who hears of the journal's events, once they are durable and in their order. Knows no database; what a listener does wrong
// keeps nobody else from hearing.
import type { JournalEvent } from "./incident.ts";

export type JournalListener = (event: JournalEvent) => void;

export class Audience {
  readonly #listeners = new Set<JournalListener>();
  readonly #onError: ((error: unknown) => void) | undefined;
  /** Written and not yet told; the outermost call tells. */
  readonly #untold: JournalEvent[] = [];
  #isTelling = false;

  constructor(onError: ((error: unknown) => void) | undefined) {
    this.#onError = onError;
  }

  /** Returns how to stop hearing. */
  add(listener: JournalListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How many events wait to be told. */
  get waiting(): number {
    return this.#untold.length;
  }

  expect(event: JournalEvent): void {
    this.#untold.push(event);
  }

  /** What was not written after all; `kept` were there before. */
  forget(kept: number): void {
    this.#untold.length = kept;
  }

  /** A listener that writes is told of it after everybody heard of what it heard. */
  tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let event = this.#untold.shift(); event !== undefined; event = this.#untold.shift()) {
        for (const listener of this.#listeners) this.#tellOne(listener, event);
      }
    } finally {
      this.#isTelling = false;
    }
  }

  #tellOne(listener: JournalListener, event: JournalEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#onError?.(error);
    }
  }
}
