// One open connection of a link: its slots, its warm channels, whether it lives, and when it is left. Knows no queue: it
// is asked for a channel, and told afterwards how things stand.
//
//   open ◀──(answered)── probing        before use after long idleness
//    │ └────────────────────▲ └──(silent)──▶ gone
//    ├──(something is wrong)──▶ draining ──(its last command is over)──▶ gone
//    └──(idle, surplus, single use, lost, keepalive, close)──▶ gone
import type { ChannelLimit } from "./channel-limit.ts";
import { ChannelSlots, type Lease } from "./channel-slots.ts";
import type { Clock } from "./clock.ts";
import type { Place } from "./connection-cap.ts";
import type { Channel, Connection } from "./connection.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { PoolSettings } from "./link-settings.ts";
import { WarmChannels } from "./warm-channels.ts";

/** A connection that nobody has used for so long is asked whether it lives before a command is trusted to it. */
const longIdleSeconds = 60;
const probeSeconds = 3;
/** A second connection is there for a rush; it goes sooner than the first. */
const surplusSeconds = 10;

/** The right to a channel that is open or on its way. */
export type Passage = { over: LinkConnection; lease: Lease; channel: Channel | Promise<Channel> };

type State = { is: "open" } | { is: "probing" } | { is: "draining"; reason: string; why: string } | { is: "gone" };

type Parts = {
  connection: Connection;
  limit: ChannelLimit;
  pool: PoolSettings;
  clock: Clock;
  place: Place | undefined;
  /** It is the host's only connection, or its oldest. */
  isFirst(self: LinkConnection): boolean;
  /** Channels have come or gone without a command's doing. */
  changed(): void;
  /** Called once. */
  left(self: LinkConnection, reason: string, why?: string): void;
};

export class LinkConnection {
  readonly connectedAt = new Date().toISOString();
  readonly slots: ChannelSlots;
  /** Sent over it; the link counts. */
  commands = 0;
  readonly #parts: Parts;
  readonly #warm: WarmChannels;
  readonly #heartbeat: Heartbeat;
  readonly #abandoned = new Set<Lease>();
  #state: State = { is: "open" };
  #isTaken = false;
  #isBusy = false;
  #usedAt: number;
  #cancelIdle: (() => void) | undefined;

  constructor(parts: Parts) {
    const { connection, limit, pool, clock, changed } = parts;
    this.#parts = parts;
    this.#usedAt = clock.now();
    this.slots = new ChannelSlots(limit, clock.now);
    const isOn = pool.warmChannels !== "off" && !this.#isSingleUse;
    this.#warm = new WarmChannels({ connection, slots: this.slots, limit, isOn, now: clock.now, changed });
    this.#heartbeat = new Heartbeat({
      connection,
      clock,
      intervalSeconds: pool.keepaliveInterval,
      count: pool.keepaliveCount,
      gone: () => this.#dead("keepalive", "the host no longer answers keepalives"),
    });
    void connection.gone.then(({ reason, why }) => this.leave(reason, why));
  }

  /** Channels that a command holds: opening, running or closing. */
  get running(): number {
    return this.slots.taken - this.#warm.held;
  }

  get hostKey(): string | undefined {
    return this.#parts.connection.fingerprint;
  }

  get warm(): number {
    return this.#warm.open;
  }

  /** It will take a command now or as soon as a channel is free. */
  get takesMore(): boolean {
    const isSpent = this.#isSingleUse && this.#isTaken;
    return (this.#state.is === "open" || this.#state.is === "probing") && !isSpent;
  }

  get isDraining(): boolean {
    return this.#state.is === "draining";
  }

  get isProbing(): boolean {
    return this.#state.is === "probing";
  }

  /**
   * For a command that was asked for at `acceptedAt`. Undefined when all channels are in use, or the connection has to
   * prove itself first.
   */
  take(acceptedAt: number): Passage | undefined {
    if (!this.takesMore || this.#state.is !== "open") return undefined;
    const idleSeconds = (this.#parts.clock.now() - this.#usedAt) / 1000;
    if (this.running === 0 && idleSeconds > longIdleSeconds && this.#parts.connection.probe !== undefined) {
      this.#probe(idleSeconds);
      return undefined;
    }
    const warm = this.#warm.take();
    const lease = warm?.lease ?? this.slots.take();
    if (lease === undefined) return undefined;
    this.#isTaken = true;
    if (this.slots.taken + 1 >= this.#parts.limit.value) this.#parts.limit.carried(acceptedAt);
    return { over: this, lease, channel: warm?.channel ?? warm?.opening ?? this.#parts.connection.open() };
  }

  /** The host has not answered an open for so long that nobody should wait for this connection any more. */
  abandon(lease: Lease, why: string): void {
    this.#abandoned.add(lease);
    this.drain("stalled", why);
  }

  /** The abandoned open was answered after all. */
  answered(lease: Lease): void {
    this.#abandoned.delete(lease);
  }

  /** Takes no more commands; ends when those that run are over. */
  drain(reason: string, why: string): void {
    if (this.#state.is === "gone" || this.#state.is === "draining") return;
    this.#state = { is: "draining", reason, why };
    this.#stopIdle();
  }

  /** After every change: fills up what commands do not need, minds idleness, leaves when it is over. */
  settle(isWanting: boolean): void {
    const { running } = this;
    const state = this.#state;
    if (state.is === "gone") return;
    this.#heartbeat.pace(running > 0);
    if (running > 0 || this.#isBusy) this.#usedAt = this.#parts.clock.now();
    this.#isBusy = running > 0;
    if (state.is === "draining") {
      if (running - this.#abandoned.size <= 0) this.leave(state.reason, state.why);
      return;
    }
    if (this.#isSingleUse && this.#isTaken && running === 0) return this.leave("single-use");
    if (state.is === "open") this.#warm.refill(running, isWanting);
    this.#mindIdleness(running === 0 && !isWanting);
  }

  /** Says goodbye; commands that still run on the host go on. */
  leave(reason: string, why?: string): void {
    if (this.#state.is === "gone") return;
    this.#state = { is: "gone" };
    this.#stopIdle();
    this.#heartbeat.stop();
    this.#parts.connection.end();
    this.#parts.place?.[Symbol.dispose]();
    this.#parts.left(this, reason, why);
  }

  get #isSingleUse(): boolean {
    return this.#parts.pool.reuse === "off";
  }

  // Nobody is there to say goodbye to, and whoever waits for an answer on it has waited long enough.
  #dead(reason: string, why: string): void {
    this.leave(reason, why);
    this.#parts.connection.cut?.();
  }

  #probe(idleSeconds: number): void {
    const { clock, connection, changed } = this.#parts;
    this.#state = { is: "probing" };
    const silent = () => {
      if (this.#state.is !== "probing") return;
      this.#dead("probe", `no answer within ${probeSeconds} s after ${Math.round(idleSeconds)} s without use`);
    };
    const cancel = clock.after(probeSeconds, silent);
    const answered = () => {
      cancel();
      if (this.#state.is !== "probing") return;
      this.#state = { is: "open" };
      this.#usedAt = clock.now();
      changed();
    };
    const broken = () => {
      cancel();
      silent();
    };
    connection.probe?.().then(answered, broken);
  }

  #mindIdleness(isIdle: boolean): void {
    const { clock, place, pool } = this.#parts;
    if (place !== undefined) place.idleSince = isIdle ? this.#usedAt : undefined;
    if (!isIdle) return this.#stopIdle();
    const bound = this.#idleBound();
    if (bound === undefined || this.#cancelIdle !== undefined) return;
    const leftSeconds = bound - (clock.now() - this.#usedAt) / 1000;
    this.#cancelIdle = clock.after(Math.max(0, leftSeconds), () => {
      this.#cancelIdle = undefined;
      const isOver = clock.now() - this.#usedAt >= (this.#idleBound() ?? Number.POSITIVE_INFINITY) * 1000;
      // It may have become the oldest one meanwhile, whose time is longer.
      if (!isOver) return this.#mindIdleness(true);
      const isIdleForAll = pool.idleTimeout > 0 && clock.now() - this.#usedAt >= pool.idleTimeout * 1000;
      this.leave(isIdleForAll ? "idle" : "surplus");
    });
  }

  /** Seconds; undefined: for ever. */
  #idleBound(): number | undefined {
    const { pool, isFirst } = this.#parts;
    const own = pool.idleTimeout > 0 ? pool.idleTimeout : undefined;
    return isFirst(this) ? own : Math.min(surplusSeconds, own ?? surplusSeconds);
  }

  #stopIdle(): void {
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
  }
}
