// One host's link: the queue, and the way of each command over a channel. Knows neither SSH nor processes, and leaves to
// `LinkConnections` how many connections there are. Every event changes the state and then calls `#pulse`, the only place
// that starts anything.
//
//   serving ──(close)──▶ draining ──(what runs is over)──▶ ended
//
// What was never sent when its connection went away waits on and is dialed for again, once.
import type { Result } from "../plugin/contract.ts";
import { soonSeconds } from "./channel-slots.ts";
import type { Channel } from "./connection.ts";
import { OpenRefused, LinkLost, textOf, type TransportError } from "./errors.ts";
import type { LinkConnection, Passage } from "./link-connection.ts";
import { LinkConnections } from "./link-connections.ts";
import type { DrainSeconds, LinkParts } from "./link-settings.ts";
import { LinkRecord, type HostStatistics } from "./link-record.ts";
import { Request, type Terms } from "./request.ts";

/** The host's own kill of a diagnostic answers within this; ours comes after it. */
const hostKillSeconds = 1;
const killedExit = 137;
/** An open without an answer for so long speaks against the connection, not only against the command's deadline. */
const stalledSeconds = 3;

export class Link {
  readonly #parts: LinkParts;
  readonly #record: LinkRecord;
  readonly #connections: LinkConnections;
  readonly #waiting: Request[] = [];
  readonly #sent = new Set<Request>();
  #requests = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#record = new LinkRecord(parts.host, parts.transport, parts.log);
    this.#connections = new LinkConnections(parts, this.#record, {
      changed: () => this.#pulse(),
      failed: (error) => {
        for (const request of this.#waiting.splice(0)) request.fail(error);
      },
    });
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
    const { host, transport } = this.#parts;
    const waiting = this.#waiting.length;
    return { host, transport, ...this.#record.counted, waiting, ...this.#connections.statistics() };
  }

  /** Takes no more commands, waits for those that run (a fix longer than a diagnostic), then ends the connections. */
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
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      const passage = this.#connections.take(next.acceptedAt);
      if (passage === undefined) break;
      this.#waiting.shift();
      void this.#carry(next, passage);
    }
    const [first] = this.#waiting;
    const { length: count } = this.#waiting;
    this.#connections.settle(first === undefined ? undefined : { count, firstSince: first.acceptedAt });
  }

  async #carry(request: Request, passage: Passage): Promise<void> {
    const refusal = await this.#overChannel(request, passage);
    if (refusal !== undefined) this.#refused(request, passage.over, refusal.message);
    this.#pulse();
  }

  /** The way of one command over one channel, top to bottom. Holds the lease until the host has let go. */
  async #overChannel(request: Request, { over, lease, channel: given }: Passage): Promise<OpenRefused | undefined> {
    using held = lease;
    let channel: Channel | undefined;
    const { clock } = this.#parts;
    request.phase = { is: "opening", since: clock.now(), stalled: (why) => over.abandon(held, why) };
    this.#sent.add(request);
    try {
      // A warm channel is open: its command leaves within this very call.
      channel = given instanceof Promise ? await given : given;
      held.confirm(channel);
      // Given up while the host was opening: nothing may be sent any more.
      if (request.isOver) channel.close();
      else await this.#exec(request, channel, over);
    } catch (error) {
      if (error instanceof OpenRefused) return error;
      this.#broken(request, error, over);
    } finally {
      held.closing();
      over.answered(held);
      this.#sent.delete(request);
    }
    await channel?.released;
    return undefined;
  }

  async #exec(request: Request, channel: Channel, over: LinkConnection): Promise<void> {
    const { clock } = this.#parts;
    const { kind, commandSeconds } = request.how;
    const now = clock.now();
    const openingAt = request.phase.is === "opening" ? request.phase.since : now;
    this.#record.took("queue", (openingAt - request.acceptedAt) / 1000);
    this.#record.took("open", (now - openingAt) / 1000);
    request.phase = { is: "running", channel, since: now };
    const ownSeconds = commandSeconds + (kind === "diagnostic" ? hostKillSeconds : 0);
    const leftSeconds = (request.deadlineAt - now) / 1000;
    request.armDeadline(clock.after(Math.min(ownSeconds, leftSeconds), () => this.#expire(request)));
    this.#record.sent(request, over.running, over.commands === 0);
    over.commands += 1;
    const exit = await channel.exec(request.line, request.output);
    const ranSeconds = (clock.now() - now) / 1000;
    this.#record.took("run", ranSeconds);
    if (request.phase.is !== "running") return;
    const isKilledByHost = exit === killedExit && kind === "diagnostic" && ranSeconds >= commandSeconds;
    if (isKilledByHost) request.fail(this.#timeout(request, ranSeconds));
    else request.succeed(exit);
  }

  #refused(request: Request, over: LinkConnection, reason: string): void {
    const again = over.slots.refused();
    this.#record.openRefused(request, reason, this.#connections.channelLimit);
    if (again === "soon") this.#parts.clock.after(soonSeconds, () => this.#pulse());
    const why = `the host opens no channel, although none of ours is open: ${reason}. Look at its MaxSessions and its log`;
    if (again === "never") request.fail(request.error("ChannelRefused", why));
    this.#requeue(request);
  }

  #broken(request: Request, error: unknown, over: LinkConnection): void {
    const dispatched = !(error instanceof LinkLost) || error.dispatched;
    const lost = (rest: string) => request.error("ConnectionLost", `${textOf(error)}${rest}`, dispatched);
    if (dispatched) return request.fail(lost("; it may have run"));
    // Other commands may still run over it; if it is gone, it says so itself.
    over.drain("lost", textOf(error));
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
    const now = this.#parts.clock.now();
    switch (request.phase.is) {
      case "waiting": {
        const { isOpen } = this.#connections;
        const why = isOpen ? `no channel became free ${within}` : `the connection was not there ${within}`;
        this.#giveUp(request, request.error(isOpen ? "QueueTimeout" : "DialTimeout", `${why}; nothing ran`));
        return this.#pulse();
      }
      case "opening": {
        const { since, stalled } = request.phase;
        const why = "the host did not answer the opening of a channel";
        this.#giveUp(request, request.error("ChannelRefused", `${why} ${within}; nothing ran`));
        if (now - since < stalledSeconds * 1000) return;
        stalled(why);
        return this.#pulse();
      }
      case "running":
        // The command has ended, only something it left behind holds its output open.
        if (request.phase.channel.exit !== undefined) return this.#giveUp(request, request.phase.channel.exit);
        return this.#giveUp(request, this.#timeout(request, (now - request.phase.since) / 1000));
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

  async #drain(reason: string, seconds: DrainSeconds): Promise<void> {
    const closed = (request: Request) =>
      this.#giveUp(request, request.error("Closed", "Medic is shutting down", request.phase.is === "running"));
    for (const request of this.#waiting.slice()) closed(request);
    this.#connections.close();
    for (const request of this.#sent) if (request.phase.is === "opening") closed(request);
    const bound = (kind: Terms["kind"], bySeconds: number) =>
      this.#parts.clock.after(bySeconds, () => {
        for (const request of this.#sent) if (request.how.kind === kind) closed(request);
      });
    const cancels = [bound("diagnostic", seconds.diagnostics), bound("fix", seconds.fixes)];
    await Promise.allSettled([...this.#sent].map((request) => request.promise));
    for (const cancel of cancels) cancel();
    this.#connections.leave(reason);
  }
}
