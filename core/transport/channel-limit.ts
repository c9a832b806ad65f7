// How many channels a host allows on one connection: learned once per host and remembered over its connections. Begins at
// sshd's default. Lowered on honest evidence only (see channel-slots); raised step by step by probes, opens beyond the limit
// that carry no command, so that a refusal costs nothing.

/** sshd's default MaxSessions, and what `auto` begins with. */
const beginning = 10;
/** As far as `auto` ever goes. */
const highest = 100;
/** Commands carried near the limit before the first probe. */
const carriedFirst = 30;
/** After so long without it the next ones are another burst. */
const calmSeconds = 10;
/** A host that has allowed more than it was thought to is asked again sooner. */
const carriedNext = 10;
const carriedMost = 10_000;
/** How long the host's no to a probe, or to a command, stands. */
const refusalSeconds = 3600;

export class ChannelLimit {
  readonly #isAuto: boolean;
  readonly #now: () => number;
  #value: number;
  #knownMax = highest;
  #carried = 0;
  /** Since when the limit is felt: what had been asked for by then is one burst, and a burst is no reason to probe. */
  #feltSince = Number.NEGATIVE_INFINITY;
  #feltAt = Number.NEGATIVE_INFINITY;
  #carriedNeeded = carriedFirst;
  #step = 1;
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
    this.probed(open, "no");
  }

  /** A command that was asked for at `acceptedAt` took the last channel there was room for, or the last but one. */
  carried(acceptedAt: number): void {
    const now = this.#now();
    if (now - this.#feltAt > calmSeconds * 1000) this.#feltSince = now;
    this.#feltAt = now;
    if (acceptedAt > this.#feltSince) this.#carried += 1;
  }

  /**
   * Best while no channel is closing, when a refusal is clear. Commands that come and go all the time may leave no such
   * moment, so the longer it takes, the more may be closing.
   */
  mayProbe(closing: number): boolean {
    return (
      this.#isAuto &&
      this.#value < this.#knownMax &&
      this.#carried >= this.#carriedNeeded + 2 * closing &&
      this.#now() >= this.#standsUntil
    );
  }

  /** So many channels a probe asks the host for. */
  get probeTo(): number {
    return Math.min(this.#knownMax, this.#value + this.#step);
  }

  /** `proven`: so many were certainly open at once. `unclear`: refused, but channels were closing that may have counted. */
  probed(proven: number, answer: "all" | "no" | "unclear"): void {
    this.#value = Math.max(this.#value, proven);
    this.#carried = 0;
    // More than sshd's default was set by a person, and rarely to just one more: from there on it is asked for twice as many.
    this.#step = answer === "all" ? this.#value : 1;
    if (answer === "all") this.#carriedNeeded = carriedNext;
    else this.#carriedNeeded = Math.min(carriedMost, Math.max(carriedFirst, this.#carriedNeeded * 2));
    if (answer === "no") this.#standsUntil = this.#now() + refusalSeconds * 1000;
  }
}
