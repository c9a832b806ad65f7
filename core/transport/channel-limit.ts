// How many channels a host allows on one connection: learned once per host and remembered over its connections. Begins at
// sshd's default. Lowered on honest evidence only (see channel-slots); raised one at a time by probes, opens beyond the
// limit that carry no command, so that a refusal costs nothing.

/** sshd's default MaxSessions, and what `auto` begins with. */
const beginning = 10;
/** As far as `auto` ever goes. */
const highest = 100;
/** Commands carried near the limit before the first probe: a burst on a stock server never gets there. */
const carriedFirst = 100;
/** A host that has allowed more than it was thought to is asked again sooner. */
const carriedNext = 10;
/** How long the host's no to a probe, or to a command, stands. */
const refusalSeconds = 3600;

export class ChannelLimit {
  readonly #isAuto: boolean;
  readonly #now: () => number;
  #value: number;
  #knownMax = highest;
  #carried = 0;
  #carriedNeeded = carriedFirst;
  #standsUntil = Number.NEGATIVE_INFINITY;

  /** A number in hosts.yaml stands; nothing is learned then. */
  constructor(maxChannels: "auto" | number, now: () => number) {
    this.#isAuto = maxChannels === "auto";
    this.#value = maxChannels === "auto" ? beginning : maxChannels;
    this.#now = now;
  }

  get value(): number {
    return this.#value;
  }

  /** What this kind of server is known to bear. */
  bound(knownMax: number): void {
    if (!this.#isAuto) return;
    this.#knownMax = Math.min(this.#knownMax, knownMax);
    this.#value = Math.min(this.#value, knownMax);
  }

  /** The host refused one more while so many were certainly open. */
  lower(open: number): void {
    if (!this.#isAuto || open >= this.#value) return;
    this.#value = open;
    this.probed("refused");
  }

  /** A command got its channel while the connection was as full as it may be. */
  carried(): void {
    this.#carried += 1;
  }

  get mayProbe(): boolean {
    return (
      this.#isAuto &&
      this.#value < this.#knownMax &&
      this.#carried >= this.#carriedNeeded &&
      this.#now() >= this.#standsUntil
    );
  }

  probed(answer: "opened" | "refused"): void {
    this.#carried = 0;
    if (answer === "opened") {
      this.#value += 1;
      this.#carriedNeeded = carriedNext;
    } else {
      this.#carriedNeeded = carriedFirst;
      this.#standsUntil = this.#now() + refusalSeconds * 1000;
    }
  }
}
