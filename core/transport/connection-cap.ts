// How many connections there may be at once, over all hosts. When there is no room, the one that has been idle longest
// makes some; when all are busy, a dial waits.

/** The right to have one connection, from the dial on. Released exactly once. */
export type Place = Disposable & {
  /** `undefined`: in use. Otherwise since when it is not. */
  idleSince: number | undefined;
};

type Held = Place & { drain: () => void };

export class ConnectionCap {
  readonly #max: number;
  readonly #held = new Set<Held>();
  #waiting = new Set<() => void>();

  constructor(connectionsMax: number) {
    this.#max = connectionsMax;
  }

  /** `drain` ends this very connection when it is the one to make room; it releases the place. Undefined: all are busy. */
  take(drain: () => void): Place | undefined {
    if (this.#held.size >= this.#max) this.#longestIdle()?.drain();
    if (this.#held.size >= this.#max) return undefined;
    let idleSince: number | undefined;
    const freed = () => this.#freed();
    const release = () => {
      if (this.#held.delete(place)) freed();
    };
    const place: Held = {
      drain,
      get idleSince() {
        return idleSince;
      },
      set idleSince(since) {
        const isFreed = idleSince === undefined && since !== undefined;
        idleSince = since;
        if (isFreed) freed();
      },
      [Symbol.dispose]: release,
    };
    this.#held.add(place);
    return place;
  }

  /** Calls once when there may be room again. */
  whenRoom(call: () => void): void {
    this.#waiting.add(call);
  }

  #longestIdle(): Held | undefined {
    let found: Held | undefined;
    for (const held of this.#held) {
      if (held.idleSince !== undefined && held.idleSince < (found?.idleSince ?? Infinity)) found = held;
    }
    return found;
  }

  // Asked on a later turn: whoever gives room back is in the middle of a change of its own.
  #freed(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    queueMicrotask(() => {
      for (const call of waiting) call();
    });
  }
}
