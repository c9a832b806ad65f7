// The connections of one host: dials the first when a command waits, a further one only where the measured limits ask for
// it, and none while dials keep failing. One dial at a time, whatever happens.
//
//   none ──(a command waits)──▶ dialing ──▶ one open ──(the queue stands, or the limit is 1 or 2)──▶ more
//     ▲                            └──(failed: all that wait get its error)      └──(idle)──▶ one
import { ChannelLimit } from "./channel-limit.ts";
import type { Connection } from "./connection.ts";
import { DialBreaker } from "./dial-breaker.ts";
import { TransportError, textOf } from "./errors.ts";
import { LinkConnection, type Passage } from "./link-connection.ts";
import type { HostStatistics, LinkRecord } from "./link-record.ts";
import type { LinkParts } from "./link-settings.ts";

/** Limits so low that waiting for a free channel is worse than a second connection. */
const lowLimit = 2;
/** The first in the queue has waited so long over an open connection… */
const patienceSeconds = 1;
/** …and those behind it will wait longer than this and than some dials take, at the pace so far. */
const worthwhileSeconds = 0.5;
const worthwhileDials = 4;
/** After a further connection could not be had. */
const extraPauseSeconds = 30;
const connectionsMaxDefault = 3;
/** With `reuse: off`, where maxChannels is auto. */
const singleUseMax = 10;

/** What the queue tells of itself: undefined when it is empty. */
export type Waiting = { count: number; firstSince: number } | undefined;

type Hooks = {
  /** Something has changed by itself: who waits should be looked at. */
  changed(): void;
  /** Nobody that waits will get a connection. */
  failed(error: TransportError): void;
};

export class LinkConnections {
  readonly #parts: LinkParts;
  readonly #record: LinkRecord;
  readonly #hooks: Hooks;
  readonly #limit: ChannelLimit;
  readonly #breaker: DialBreaker;
  readonly #connectionsMax: number;
  readonly #all: LinkConnection[] = [];
  #dialing: AbortController | undefined;
  /** Of the last one that succeeded. */
  #dialSeconds = 0;
  #isClosing = false;
  #extraAfter = Number.NEGATIVE_INFINITY;
  /** How the queue has moved since it began to wait over an open connection. */
  #rush: { since: number; served: number; servedAt: number } | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(parts: LinkParts, record: LinkRecord, hooks: Hooks) {
    const { pool, clock, transport } = parts;
    const { reuse, maxChannels, maxConnections = connectionsMaxDefault } = pool;
    this.#parts = parts;
    this.#record = record;
    this.#hooks = hooks;
    this.#limit = new ChannelLimit(reuse === "off" ? 1 : maxChannels, clock.now);
    this.#breaker = new DialBreaker(clock.now, parts.random ?? Math.random);
    const singleUse = maxChannels === "auto" ? singleUseMax : maxChannels;
    this.#connectionsMax = transport === "local" ? 1 : reuse === "off" ? singleUse : maxConnections;
  }

  get isOpen(): boolean {
    return this.#all.length > 0;
  }

  get channelLimit(): number {
    return this.#limit.value;
  }

  statistics(): Pick<
    HostStatistics,
    "state" | "open" | "inFlight" | "channelLimit" | "warm" | "connectedAt" | "hostKey" | "nextDialSeconds"
  > {
    const sum = (count: (one: LinkConnection) => number) => this.#all.reduce((all, one) => all + count(one), 0);
    const nextDialSeconds = Math.ceil(this.#breaker.waitSeconds);
    const { connectedAt, hostKey } = this.#all[0] ?? {};
    return {
      state: this.#state(),
      open: this.#all.length,
      inFlight: sum(({ running }) => running),
      channelLimit: this.#limit.value,
      warm: sum(({ warm }) => warm),
      ...(connectedAt === undefined ? {} : { connectedAt }),
      ...(hostKey === undefined ? {} : { hostKey }),
      ...(nextDialSeconds === 0 ? {} : { nextDialSeconds }),
    };
  }

  /** A channel over the oldest connection that has one, so that the others fall idle. */
  take(acceptedAt: number): Passage | undefined {
    if (this.#isClosing) return undefined;
    for (const one of this.#all) {
      const passage = one.take(acceptedAt);
      if (passage === undefined) continue;
      if (this.#rush !== undefined) {
        this.#rush.served += 1;
        this.#rush.servedAt = this.#parts.clock.now();
      }
      return passage;
    }
    return undefined;
  }

  /** After every change, when all that could be sent was sent. */
  settle(waiting: Waiting): void {
    if (waiting === undefined) this.#calm();
    else if (!this.#isClosing) this.#want(waiting);
    for (const one of this.#all.slice()) one.settle(waiting !== undefined);
  }

  /** Gives no more channels and calls a dial off; what runs goes on. */
  close(): void {
    this.#isClosing = true;
    this.#calm();
    this.#dialing?.abort();
    this.#dialing = undefined;
  }

  leave(reason: string): void {
    for (const one of this.#all.slice()) one.leave(reason);
  }

  #state(): HostStatistics["state"] {
    if (this.#all.length > 0) return this.#isClosing ? "draining" : "open";
    return this.#dialing === undefined ? "closed" : "dialing";
  }

  #want(waiting: NonNullable<Waiting>): void {
    if (this.#dialing !== undefined) return;
    const staying = this.#all.filter((one) => !one.isDraining);
    const taking = staying.filter((one) => one.takesMore);
    if (taking.length === 0) {
      if (staying.length >= this.#connectionsMax) return;
      const refusal = this.#breaker.refusal();
      return refusal === undefined ? this.#dial(waiting.count, "only") : this.#hooks.failed(refusal);
    }
    const now = this.#parts.clock.now();
    this.#rush ??= { since: now, served: 0, servedAt: now };
    if (staying.length >= this.#connectionsMax || taking.some((one) => one.isProbing)) return;
    const pauseSeconds = (this.#extraAfter - now) / 1000;
    const isWanted = this.#limit.value <= lowLimit || this.#isStanding(waiting, this.#rush);
    if (isWanted && pauseSeconds <= 0) return this.#dial(waiting.count, "extra");
    this.#cancelLook ??= this.#parts.clock.after(Math.max(worthwhileSeconds, pauseSeconds), () => {
      this.#cancelLook = undefined;
      this.#hooks.changed();
    });
  }

  #isStanding(waiting: NonNullable<Waiting>, rush: { since: number; served: number; servedAt: number }): boolean {
    const now = this.#parts.clock.now();
    const waitedSeconds = (now - Math.max(waiting.firstSince, rush.since)) / 1000;
    if (waitedSeconds < patienceSeconds) return false;
    const behindSeconds = (waiting.count / rush.served) * ((now - rush.since) / 1000);
    // Where everything is slow, commands and dials alike, one more dial would only take from what there is.
    const worthwhile = Math.max(worthwhileSeconds, worthwhileDials * this.#dialSeconds);
    return (now - rush.servedAt) / 1000 >= worthwhile || behindSeconds >= worthwhile;
  }

  #calm(): void {
    this.#rush = undefined;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  #dial(waiting: number, one: "only" | "extra"): void {
    const { clock, cap, dial } = this.#parts;
    let opened: LinkConnection | undefined;
    const place = cap?.take(() => opened?.leave("evicted"));
    if (cap !== undefined && place === undefined) return cap.whenRoom(() => this.#hooks.changed());
    const abort = new AbortController();
    const startedAt = clock.now();
    this.#dialing = abort;
    this.#record.dialing(waiting);
    const succeeded = (connection: Connection) => {
      if (this.#dialing !== abort) {
        place?.[Symbol.dispose]();
        return connection.end();
      }
      this.#dialing = undefined;
      this.#breaker.connected();
      this.#dialSeconds = (clock.now() - startedAt) / 1000;
      this.#record.established(connection, this.#dialSeconds);
      if (connection.channelsMax !== undefined) this.#limit.bound(connection.channelsMax);
      opened = this.#add(connection, place);
      this.#hooks.changed();
    };
    const failed = (thrown: unknown) => {
      place?.[Symbol.dispose]();
      if (this.#dialing !== abort) return;
      this.#dialing = undefined;
      const error = this.#dialError(thrown);
      this.#record.dialFailed(error, waiting);
      // Nobody waits for an extra one alone: if the others went away meanwhile, what waits has a dial of its own.
      if (one === "extra" || this.#all.some(({ takesMore }) => takesMore)) {
        this.#extraAfter = clock.now() + extraPauseSeconds * 1000;
        return this.#hooks.changed();
      }
      this.#breaker.failed(error);
      this.#hooks.failed(error);
    };
    dial(abort.signal).then(succeeded, failed);
  }

  #add(connection: Connection, place: ReturnType<NonNullable<LinkParts["cap"]>["take"]>): LinkConnection {
    const { pool, clock } = this.#parts;
    const one = new LinkConnection({
      connection,
      limit: this.#limit,
      pool,
      clock,
      place,
      isFirst: (self) => this.#all.find((other) => !other.isDraining) === self,
      changed: () => this.#hooks.changed(),
      left: (self, reason, why) => {
        this.#all.splice(this.#all.indexOf(self), 1);
        this.#record.closed(reason, self.commands, why);
        this.#hooks.changed();
      },
    });
    this.#all.push(one);
    return one;
  }

  #dialError(thrown: unknown): TransportError {
    if (thrown instanceof TransportError) return thrown;
    const { host } = this.#parts;
    return new TransportError("DialFailed", host, `Cannot connect to "${host}": ${textOf(thrown)}`);
  }
}
