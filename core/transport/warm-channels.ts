// Channels opened ahead on one connection, each used once, so that a command costs one round trip instead of two. As many
// as commands ran at once of late. They never stand in a command's way: a command takes a warm channel before a free slot,
// one slot is left free, and what goes wrong here is nobody's error.
//
//   opening ──▶ warm ──(a command)──▶ taken, with its slot
//      │          └──(closed by the host)──▶ gone       twice: none any more on this connection
//      └──(refused)──▶ gone, and a pause
import type { ChannelLimit } from "./channel-limit.ts";
import type { ChannelSlots, Lease } from "./channel-slots.ts";
import type { Channel, Connection } from "./connection.ts";

/** A channel that is or will be open, and the slot it holds. */
export type WarmChannel = { lease: Lease; opening: Promise<Channel>; channel?: Channel };

/** At a limit of 1 or 2 a warm channel and the free slot beside it would leave nothing. */
const limitMin = 3;
const warmMax = 32;
/** What ran at once counts as recent for one to two of these. */
const windowSeconds = 30;
const pauseSeconds = 30;
const closedMax = 2;

type Parts = {
  connection: Connection;
  slots: ChannelSlots;
  limit: ChannelLimit;
  /** `pool.warmChannels` is auto. */
  isOn: boolean;
  now: () => number;
  /** Channels have come or gone without a command's doing. */
  changed(): void;
};

export class WarmChannels {
  readonly #parts: Parts;
  readonly #ahead: WarmChannel[] = [];
  readonly #peaks = { now: 0, before: 0, since: 0 };
  /** Opens of a probe that the host has not answered. */
  #probing = 0;
  #closed = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Slots held by channels that no command uses. */
  get held(): number {
    return this.#ahead.length + this.#probing;
  }

  get open(): number {
    return this.#ahead.filter(({ channel }) => channel !== undefined).length;
  }

  /** An open one first, else one whose opening is on its way. */
  take(): WarmChannel | undefined {
    const warm = this.#ahead.find(({ channel }) => channel !== undefined) ?? this.#ahead[0];
    if (warm !== undefined) this.#ahead.splice(this.#ahead.indexOf(warm), 1);
    return warm;
  }

  /** After commands have taken what they need: `running` of them hold channels, `isWanting` others wait. */
  refill(running: number, isWanting: boolean): void {
    const { slots, limit, connection } = this.#parts;
    if (connection.opensAhead !== true) return;
    this.#note(running);
    const wanted = this.#isWarming() ? Math.min(warmMax, Math.max(this.#peaks.now, this.#peaks.before)) : 0;
    const ahead = isWanting ? 0 : wanted;
    while (this.#ahead.length < ahead && slots.taken + 1 < slots.allowed) if (!this.#openAhead()) break;
    const isShort = isWanting || this.#ahead.length < wanted;
    if (isShort && this.#probing === 0 && limit.mayProbe(slots.taken - slots.certain)) this.#probe();
  }

  #isWarming(): boolean {
    const { isOn, limit, now } = this.#parts;
    return isOn && limit.value >= limitMin && this.#closed < closedMax && now() >= this.#pausedUntil;
  }

  // A window that has passed becomes the one before; what is older than that is forgotten.
  #note(running: number): void {
    const peaks = this.#peaks;
    const windows = Math.floor((this.#parts.now() - peaks.since) / (windowSeconds * 1000));
    if (windows > 0) {
      peaks.before = windows === 1 ? peaks.now : 0;
      peaks.now = 0;
      peaks.since += windows * windowSeconds * 1000;
    }
    peaks.now = Math.max(peaks.now, running);
  }

  #openAhead(): boolean {
    const lease = this.#parts.slots.take();
    if (lease === undefined) return false;
    const warm: WarmChannel = { lease, opening: this.#parts.connection.open() };
    this.#ahead.push(warm);
    warm.opening.then(
      (channel) => this.#opened(warm, channel),
      () => {
        // The command that took it meanwhile deals with the refusal as with its own.
        if (!this.#forget(warm)) return;
        this.#pausedUntil = this.#parts.now() + pauseSeconds * 1000;
        this.#parts.slots.refusedAhead();
        this.#parts.changed();
      },
    );
    return true;
  }

  #opened(warm: WarmChannel, channel: Channel): void {
    warm.lease.confirm(channel);
    warm.channel = channel;
    void channel.released.then(() => {
      if (!this.#forget(warm)) return;
      this.#closed += 1;
      this.#parts.changed();
    });
  }

  /** False when a command has taken it. */
  #forget(warm: WarmChannel): boolean {
    const place = this.#ahead.indexOf(warm);
    if (place === -1) return false;
    this.#ahead.splice(place, 1);
    warm.lease[Symbol.dispose]();
    return true;
  }

  // Channels that are closing may be gone on the host or not, so as many more are asked for: what is open then is certain.
  // Commands take those that come before they would ask for one of their own.
  #probe(): void {
    const { slots, limit, connection } = this.#parts;
    const certain = slots.certain;
    const { taken } = slots;
    const asked = limit.probeTo - certain;
    let opened = 0;
    let answered = 0;
    const answer = () => {
      answered += 1;
      this.#probing -= 1;
      if (answered < asked) return;
      const isClear = taken + opened <= limit.value && !slots.isCloseRecent;
      limit.probed(certain + opened, opened === asked ? "all" : isClear ? "no" : "unclear");
      this.#parts.changed();
    };
    for (let count = 0; count < asked; count += 1) {
      const warm: WarmChannel = { lease: slots.takeBeyond(), opening: connection.open() };
      this.#probing += 1;
      warm.opening.then(
        (channel) => {
          opened += 1;
          this.#ahead.push(warm);
          this.#opened(warm, channel);
          answer();
        },
        () => {
          warm.lease[Symbol.dispose]();
          answer();
        },
      );
    }
  }
}
