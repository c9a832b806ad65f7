// Who may use one connection's channels. A slot is taken from the channel's opening until the other side has let go of
// it. How many there are is the host's limit, learned from honest evidence only: a refused open while other channels are
// certainly open, and none has just closed (a server frees a slot later than it says so).
import type { ChannelLimit } from "./channel-limit.ts";

const recentSeconds = 1;
/** After a refusal no more than were open then, for so long; after that the limit is tried again. */
const cautionSeconds = 5;
/** When nothing of ours is open and the host still refuses, because a close of ours is not done there. */
export const soonSeconds = 0.1;

/** The right to use one channel. Released exactly once, however often it is disposed. */
export type Lease = Disposable & {
  /** The channel is open: from now on it is evidence of what the host allows. */
  confirm(channel?: Ending): void;
  /** It is closing: whether the host still counts it is not known any more. */
  closing(): void;
};

/** A channel whose command has ended closes by itself, before anybody here has asked for it. */
type Ending = { readonly exit: number | undefined };

export class ChannelSlots {
  readonly #limit: ChannelLimit;
  readonly #now: () => number;
  #taken = 0;
  #confirmed = 0;
  /** Of each lease: whether the host may have let go of it. */
  readonly #endings = new Set<() => boolean>();
  #caution: { limit: number; until: number } | undefined;
  #freedAt = Number.NEGATIVE_INFINITY;

  constructor(limit: ChannelLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Those that the host certainly counts by the time it answers what is asked next, unless it refuses one of them. */
  get certain(): number {
    return [...this.#endings].filter((isEnding) => !isEnding()).length;
  }

  /** How many may be taken now: the limit, or less for a while after a refusal. */
  get allowed(): number {
    if (this.#caution !== undefined && this.#now() >= this.#caution.until) this.#caution = undefined;
    return Math.min(this.#limit.value, this.#caution?.limit ?? this.#limit.value);
  }

  /** Undefined when all are taken. */
  take(): Lease | undefined {
    return this.#taken < this.allowed ? this.#lease() : undefined;
  }

  /** Whatever the limit says, to learn whether the host allows more. */
  takeBeyond(): Lease {
    return this.#lease();
  }

  /**
   * What a refused open of a command means, after its lease was given back: ask again `when-freed`, ask again `soon`, or
   * `never`: nothing of ours is in the way.
   */
  refused(): "when-freed" | "soon" | "never" {
    const now = this.#now();
    if (this.#taken === 0) {
      if (!this.isCloseRecent) return "never";
      this.#caution = { limit: 0, until: now + soonSeconds * 1000 };
      return "soon";
    }
    this.#caution = { limit: this.#taken, until: now + cautionSeconds * 1000 };
    this.#learn();
    return "when-freed";
  }

  /** A refused open that no command asked for: evidence all the same, but nobody has to be careful. */
  refusedAhead(): void {
    this.#learn();
  }

  /** The host may count one that we have given back already. */
  get isCloseRecent(): boolean {
    return this.#now() - this.#freedAt < recentSeconds * 1000;
  }

  #learn(): void {
    if (!this.isCloseRecent && this.#confirmed > 0) this.#limit.lower(this.#confirmed);
  }

  #lease(): Lease {
    this.#taken += 1;
    let isReleased = false;
    let isConfirmed = false;
    let isClosing = false;
    let opened: Ending | undefined;
    const isEnding = () => isClosing || opened?.exit !== undefined;
    this.#endings.add(isEnding);
    return {
      confirm: (channel) => {
        opened ??= channel;
        if (isReleased || isConfirmed) return;
        isConfirmed = true;
        this.#confirmed += 1;
      },
      closing: () => {
        isClosing = true;
      },
      [Symbol.dispose]: () => {
        if (isReleased) return;
        isReleased = true;
        this.#taken -= 1;
        this.#endings.delete(isEnding);
        // A refused open frees nothing on the host, so it is no recent close.
        if (isConfirmed) {
          this.#confirmed -= 1;
          this.#freedAt = this.#now();
        }
      },
    };
  }
}
