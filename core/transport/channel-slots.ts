// How many commands one connection may carry at once, and who may. A slot is taken from the channel's opening until the
// other side has let go of it. With `auto` the host's own limit is learned, from honest evidence only: a refused open
// while other channels are certainly open, and none has just closed (a server frees a slot later than it says so).

/** sshd's default MaxSessions, and what `auto` begins with. */
const autoLimit = 10;
const recentSeconds = 1;
/** After a refusal no more than were open then, for so long; after that the limit is tried again. */
const cautionSeconds = 5;
/** When nothing of ours is open and the host still refuses, because a close of ours is not done there. */
export const soonSeconds = 0.1;

/** The right to use one channel. Released exactly once, however often it is disposed. */
export type Lease = Disposable & {
  /** The channel is open: from now on it is evidence of what the host allows. */
  confirm(): void;
};

export class ChannelSlots {
  readonly #isAuto: boolean;
  readonly #now: () => number;
  #limit: number;
  #taken = 0;
  #confirmed = 0;
  #caution: { limit: number; until: number } | undefined;
  #freedAt = Number.NEGATIVE_INFINITY;

  /** `knownMax` bounds what `auto` begins with; a number in hosts.yaml stands. */
  constructor(maxChannels: "auto" | number, now: () => number, knownMax = autoLimit) {
    this.#isAuto = maxChannels === "auto";
    this.#limit = maxChannels === "auto" ? Math.min(autoLimit, knownMax) : maxChannels;
    this.#now = now;
  }

  get limit(): number {
    return this.#limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Undefined when all are taken. */
  take(): Lease | undefined {
    if (this.#caution !== undefined && this.#now() >= this.#caution.until) this.#caution = undefined;
    if (this.#taken >= Math.min(this.#limit, this.#caution?.limit ?? this.#limit)) return undefined;
    this.#taken += 1;
    return this.#lease();
  }

  /**
   * What a refused open means, after its lease was given back: ask again `when-freed`, ask again `soon`, or `never`:
   * nothing of ours is in the way.
   */
  refused(): "when-freed" | "soon" | "never" {
    const now = this.#now();
    const isCloseRecent = now - this.#freedAt < recentSeconds * 1000;
    if (this.#taken === 0) {
      if (!isCloseRecent) return "never";
      this.#caution = { limit: 0, until: now + soonSeconds * 1000 };
      return "soon";
    }
    this.#caution = { limit: this.#taken, until: now + cautionSeconds * 1000 };
    if (this.#isAuto && !isCloseRecent && this.#confirmed > 0) this.#limit = Math.min(this.#limit, this.#confirmed);
    return "when-freed";
  }

  #lease(): Lease {
    let isReleased = false;
    let isConfirmed = false;
    return {
      confirm: () => {
        if (isReleased || isConfirmed) return;
        isConfirmed = true;
        this.#confirmed += 1;
      },
      [Symbol.dispose]: () => {
        if (isReleased) return;
        isReleased = true;
        this.#taken -= 1;
        // A refused open frees nothing on the host, so it is no recent close.
        if (isConfirmed) {
          this.#confirmed -= 1;
          this.#freedAt = this.#now();
        }
      },
    };
  }
}
