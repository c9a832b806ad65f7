// One host's link: the queue, the one dial in flight, the slots of the one connection, and who waits for what. Knows
// neither SSH nor processes: it is given a way to dial. Every event changes the state and then calls `#pulse`, the only
// place that starts anything.
//
//   closed ──(a command waits)──▶ dialing ──▶ open ──(close)──▶ draining ──▶ ended
//     ▲                              │          │
//     ├──────(dial failed: all that wait get its error)
//     └──────(idle, lost, keepalive) ───────────┘      what was never sent waits on and is dialed for again, once
import type { Result } from "../plugin/contract.ts";
import { ChannelSlots, soonSeconds, type Lease } from "./channel-slots.ts";
import type { Channel, Connection } from "./connection.ts";
import { OpenRefused, LinkLost, TransportError, textOf } from "./errors.ts";
import type { DrainSeconds, LinkParts } from "./link-settings.ts";
import { LinkRecord, type HostStatistics } from "./link-record.ts";
import { Request, type Terms } from "./request.ts";

type State =
  | { is: "closed" }
  | { is: "dialing"; abort: AbortController }
  | {
      is: "open";
      connection: Connection;
      slots: ChannelSlots;
      connectedAt: string;
      cancelIdle?: (() => void) | undefined;
    }
  | { is: "draining"; connection: Connection; slots: ChannelSlots }
  | { is: "ended" };

/** The host's own kill of a diagnostic answers within this; ours comes after it. */
const hostKillSeconds = 1;
const killedExit = 137;

export class Link {
  readonly #parts: LinkParts;
  readonly #record: LinkRecord;
  readonly #waiting: Request[] = [];
  readonly #sent = new Set<Request>();
  #state: State = { is: "closed" };
  #requests = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#record = new LinkRecord(parts.host, parts.transport, parts.log);
  }

  /** `line` is rendered already. Rejects with a TransportError. */
  run(line: string, how: Terms): Promise<Result> {
    const { host, pool, clock } = this.#parts;
    const deadlineSeconds = how.deadlineSeconds ?? how.commandSeconds + pool.dialTimeout;
    const rest = { number: (this.#requests += 1), deadlineSeconds, now: clock.now(), outputBytes: pool.outputBytes };
    const request = new Request(host, line, how, rest);
    this.#accept(request);
    return request.promise;
  }

  statistics(): HostStatistics {
    const { host, transport, pool } = this.#parts;
    const state = this.#state;
    const slots = state.is === "open" || state.is === "draining" ? state.slots : undefined;
    return {
      host,
      transport,
      state: state.is === "ended" ? "closed" : state.is,
      open: state.is === "open" || state.is === "draining" ? 1 : 0,
      warm: 0,
      ...this.#record.counted,
      inFlight: slots?.taken ?? 0,
      waiting: this.#waiting.length,
      channelLimit: slots?.limit ?? new ChannelSlots(pool.maxChannels, this.#parts.clock.now).limit,
      ...(state.is === "open" ? { connectedAt: state.connectedAt } : {}),
    };
  }

  /** Takes no more commands, waits for those that run (a fix longer than a diagnostic), then ends the connection. */
  close(reason: string, drain: DrainSeconds): Promise<void> {
    this.#closing ??= this.#drain(reason, drain);
    return this.#closing;
  }

  #accept(request: Request): void {
    const { pool, clock } = this.#parts;
    const { signal } = request.how;
    if (this.#closing !== undefined) return request.fail(request.error("Closed", "Medic is shutting down"));
    if (signal?.aborted) return request.fail(request.error("Aborted", "it was called off"));
    if (this.#waiting.length >= pool.queue) {
      const why = `${pool.queue} commands wait already. Raise pool.queue, or ask for less at once`;
      return request.fail(request.error("QueueFull", why));
    }
    request.armDeadline(clock.after(request.deadlineSeconds, () => this.#expire(request)));
    const abort = () =>
      this.#giveUp(request, request.error("Aborted", "it was called off", request.phase.is === "running"));
    signal?.addEventListener("abort", abort, { once: true });
    request.whenOver(() => signal?.removeEventListener("abort", abort));
    this.#waiting.push(request);
    this.#pulse();
  }

  #pulse(): void {
    const { pool, clock } = this.#parts;
    const state = this.#state;
    if (state.is === "closed" && this.#waiting.length > 0) return this.#dial();
    if (state.is !== "open") return;
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const lease = state.slots.take();
      if (lease === undefined) break;
      this.#waiting.shift();
      void this.#carry(next, lease, state.connection);
    }
    const isIdle = state.slots.taken === 0 && this.#waiting.length === 0;
    if (!isIdle) {
      state.cancelIdle?.();
      state.cancelIdle = undefined;
    } else if (pool.idleTimeout > 0) {
      state.cancelIdle ??= clock.after(pool.idleTimeout, () => this.#leave(state.connection, "idle"));
    }
  }

  #dial(): void {
    const { clock } = this.#parts;
    const abort = new AbortController();
    const dialing: State = { is: "dialing", abort };
    const startedAt = clock.now();
    this.#state = dialing;
    this.#record.dialing(this.#waiting.length);
    const opened = (connection: Connection) => {
      if (this.#state !== dialing) return connection.end();
      this.#record.established(connection, (clock.now() - startedAt) / 1000);
      const slots = new ChannelSlots(this.#parts.pool.maxChannels, clock.now, connection.channelsMax);
      this.#state = { is: "open", connection, slots, connectedAt: new Date().toISOString() };
      void connection.gone.then(({ reason, why }) => this.#leave(connection, reason, why));
      this.#pulse();
    };
    const failed = (thrown: unknown) => {
      if (this.#state !== dialing) return;
      const error = this.#dialError(thrown);
      this.#record.dialFailed(error, this.#waiting.length);
      this.#state = { is: "closed" };
      for (const request of this.#waiting.splice(0)) request.fail(error);
    };
    this.#parts.dial(abort.signal).then(opened, failed);
  }

  #dialError(thrown: unknown): TransportError {
    if (thrown instanceof TransportError) return thrown;
    const { host } = this.#parts;
    return new TransportError("DialFailed", host, `Cannot connect to "${host}": ${textOf(thrown)}`);
  }

  async #carry(request: Request, lease: Lease, connection: Connection): Promise<void> {
    const refusal = await this.#overChannel(request, lease, connection);
    if (refusal !== undefined) this.#refused(request, refusal.message);
    this.#pulse();
  }

  /** The way of one command over one channel, top to bottom. Holds the lease until the host has let go. */
  async #overChannel(request: Request, lease: Lease, connection: Connection): Promise<OpenRefused | undefined> {
    using held = lease;
    let channel: Channel | undefined;
    request.phase = { is: "opening" };
    this.#sent.add(request);
    try {
      channel = await connection.open();
      held.confirm();
      // Given up while the host was opening: nothing may be sent any more.
      if (request.isOver) channel.close();
      else this.#answered(request, await this.#exec(request, channel));
    } catch (error) {
      if (error instanceof OpenRefused) return error;
      this.#broken(request, error, connection);
    } finally {
      this.#sent.delete(request);
    }
    await channel?.released;
    return undefined;
  }

  #exec(request: Request, channel: Channel): Promise<number> {
    const { clock } = this.#parts;
    const { kind, commandSeconds } = request.how;
    request.phase = { is: "running", channel, since: clock.now() };
    const ownSeconds = commandSeconds + (kind === "diagnostic" ? hostKillSeconds : 0);
    const leftSeconds = (request.deadlineAt - clock.now()) / 1000;
    request.armDeadline(clock.after(Math.min(ownSeconds, leftSeconds), () => this.#expire(request)));
    this.#record.sent(request, this.statistics().inFlight);
    return channel.exec(request.line, request.output);
  }

  #answered(request: Request, exit: number): void {
    if (request.phase.is !== "running") return;
    const { kind, commandSeconds } = request.how;
    const seconds = (this.#parts.clock.now() - request.phase.since) / 1000;
    const isKilledByHost = exit === killedExit && kind === "diagnostic" && seconds >= commandSeconds;
    if (isKilledByHost) request.fail(this.#timeout(request, seconds));
    else request.succeed(exit);
  }

  #refused(request: Request, reason: string): void {
    if (this.#state.is === "open") {
      const { slots } = this.#state;
      const again = slots.refused();
      this.#record.openRefused(request, reason, slots.limit);
      if (again === "soon") this.#parts.clock.after(soonSeconds, () => this.#pulse());
      const why = `the host opens no channel, although none of ours is open: ${reason}. Look at its MaxSessions and its log`;
      if (again === "never") request.fail(request.error("ChannelRefused", why));
    }
    this.#requeue(request);
  }

  #broken(request: Request, error: unknown, connection: Connection): void {
    const dispatched = !(error instanceof LinkLost) || error.dispatched;
    const lost = (rest: string) => request.error("ConnectionLost", `${textOf(error)}${rest}`, dispatched);
    if (dispatched) return request.fail(lost("; it may have run"));
    this.#leave(connection, "lost", textOf(error));
    request.timesLost += 1;
    // One more try is enough: a host that hangs up each time would be dialed for ever.
    if (request.timesLost > 1) request.fail(lost(", twice; nothing ran"));
    this.#requeue(request);
  }

  // To its old place in the queue: it has waited longest.
  #requeue(request: Request): void {
    if (request.isOver) return;
    if (this.#closing !== undefined) return request.fail(request.error("Closed", "Medic is shutting down"));
    request.phase = { is: "waiting" };
    const leftSeconds = (request.deadlineAt - this.#parts.clock.now()) / 1000;
    request.armDeadline(this.#parts.clock.after(leftSeconds, () => this.#expire(request)));
    const place = this.#waiting.findIndex((other) => other.number > request.number);
    this.#waiting.splice(place === -1 ? this.#waiting.length : place, 0, request);
  }

  #expire(request: Request): void {
    const within = `within ${request.deadlineSeconds} s`;
    switch (request.phase.is) {
      case "waiting": {
        const isOpen = this.#state.is === "open";
        const why = isOpen ? `no channel became free ${within}` : `the connection was not there ${within}`;
        return this.#giveUp(request, request.error(isOpen ? "QueueTimeout" : "DialTimeout", `${why}; nothing ran`));
      }
      case "opening":
        return this.#giveUp(
          request,
          request.error("ChannelRefused", `the host did not answer the opening of a channel ${within}; nothing ran`),
        );
      case "running":
        // The command has ended, only something it left behind holds its output open.
        if (request.phase.channel.exit !== undefined) return this.#giveUp(request, request.phase.channel.exit);
        return this.#giveUp(request, this.#timeout(request, (this.#parts.clock.now() - request.phase.since) / 1000));
      case "over":
    }
  }

  #timeout(request: Request, seconds: number): TransportError {
    this.#record.timedOut(request, seconds);
    const what = request.how.kind === "fix" ? "it was left alone and may still succeed" : "it was killed";
    const why = `it ran for ${seconds.toFixed(1)} s without an end; ${what}`;
    return request.error("CommandTimeout", why, true);
  }

  /** Ends the wait. A diagnostic is ended on the host too; a fix never: it goes on and keeps its slot. */
  #giveUp(request: Request, outcome: TransportError | number): void {
    const { phase } = request;
    if (phase.is === "waiting") this.#waiting.splice(this.#waiting.indexOf(request), 1);
    if (phase.is === "running" && request.how.kind === "diagnostic") phase.channel.kill();
    if (typeof outcome === "number") request.succeed(outcome);
    else request.fail(outcome);
  }

  #leave(connection: Connection, reason: string, why?: string): void {
    const state = this.#state;
    if ((state.is !== "open" && state.is !== "draining") || state.connection !== connection) return;
    if (state.is === "open") state.cancelIdle?.();
    this.#state = state.is === "draining" ? { is: "ended" } : { is: "closed" };
    this.#record.closed(reason, why);
    connection.end();
    this.#pulse();
  }

  async #drain(reason: string, seconds: DrainSeconds): Promise<void> {
    const state = this.#state;
    const closed = (request: Request) =>
      this.#giveUp(request, request.error("Closed", "Medic is shutting down", request.phase.is === "running"));
    for (const request of this.#waiting.slice()) closed(request);
    if (state.is === "dialing") state.abort.abort();
    if (state.is !== "open") {
      this.#state = { is: "ended" };
      return;
    }
    state.cancelIdle?.();
    this.#state = { is: "draining", connection: state.connection, slots: state.slots };
    for (const request of this.#sent) if (request.phase.is === "opening") closed(request);
    const bound = (kind: Terms["kind"], bySeconds: number) =>
      this.#parts.clock.after(bySeconds, () => {
        for (const request of this.#sent) if (request.how.kind === kind) closed(request);
      });
    const cancels = [bound("diagnostic", seconds.diagnostics), bound("fix", seconds.fixes)];
    await Promise.allSettled([...this.#sent].map((request) => request.promise));
    for (const cancel of cancels) cancel();
    this.#leave(state.connection, reason);
  }
}
