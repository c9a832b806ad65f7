// What one link has done: its counters and its lines in the log. The log's names are those of the incident that began
// Medic, so that the greps published with it count the same things here.
import type { Log } from "../log.ts";
import type { TransportError } from "./errors.ts";
import type { Connection } from "./connection.ts";
import { LatencyHistogram, type Latency, type LatencyPhase } from "./latency.ts";
import type { Request } from "./request.ts";

export type HostStatistics = {
  host: string;
  transport: "ssh" | "local";
  state: "closed" | "dialing" | "open" | "draining";
  /** Open connections; more than one only where the measured limits ask for it. */
  open: number;
  /** Begun, whether they succeeded or not. */
  dials: number;
  /** Commands that found an open connection. */
  reuses: number;
  /** Commands that were sent. */
  commands: number;
  /** Commands that hold a channel: opening, running or closing. */
  inFlight: number;
  waiting: number;
  /** Of channels that a command asked for. */
  refusedOpens: number;
  /** Channels at once on one connection, as learned or set. */
  channelLimit: number;
  /** Channels opened ahead that no command uses yet. */
  warm: number;
  /** Ended connections by reason. */
  closes: Record<string, number>;
  latency: Record<LatencyPhase, Latency>;
  /** Seconds until the next dial is tried, while the last ones have failed in a row. */
  nextDialSeconds?: number;
  /** ISO 8601; of the oldest connection that is open. */
  connectedAt?: string;
  /** `SHA256:…`, of the same connection. */
  hostKey?: string;
  lastError?: string;
};

type Tallies = Pick<HostStatistics, "dials" | "reuses" | "commands" | "refusedOpens" | "closes" | "lastError">;
type Counted = Tallies & Pick<HostStatistics, "latency">;

export class LinkRecord {
  readonly #host: string;
  readonly #isSsh: boolean;
  readonly #log: Log;
  readonly #counted: Tallies = { dials: 0, reuses: 0, commands: 0, refusedOpens: 0, closes: {} };
  readonly #latency: Record<LatencyPhase, LatencyHistogram> = {
    queue: new LatencyHistogram(),
    dial: new LatencyHistogram(),
    open: new LatencyHistogram(),
    run: new LatencyHistogram(),
  };

  constructor(host: string, transport: "ssh" | "local", log: Log) {
    this.#host = host;
    this.#isSsh = transport === "ssh";
    this.#log = log;
  }

  get counted(): Counted {
    const { queue, dial, open, run } = this.#latency;
    const latency = { queue: queue.read(), dial: dial.read(), open: open.read(), run: run.read() };
    return { ...this.#counted, closes: { ...this.#counted.closes }, latency };
  }

  took(phase: LatencyPhase, seconds: number): void {
    this.#latency[phase].add(seconds);
  }

  dialing(waiting: number): void {
    if (!this.#isSsh) return;
    this.#counted.dials += 1;
    this.#log.debug("ssh_connection_dialing", { host: this.#host, waiting });
  }

  dialFailed(error: TransportError, waiting: number): void {
    this.#counted.lastError = error.message;
    this.#log.warning("ssh_dial_failed", { host: this.#host, kind: error.kind, waiting, error: error.message });
  }

  established({ address, fingerprint }: Connection, seconds: number): void {
    this.took("dial", seconds);
    if (this.#isSsh) {
      this.#log.info("ssh_connection_established", {
        host: this.#host,
        address,
        fingerprint,
        seconds: rounded(seconds),
      });
    }
  }

  /** `isFirst`: no command was sent over this connection before. */
  sent({ how }: Request, inFlight: number, isFirst: boolean): void {
    this.#counted.commands += 1;
    if (!this.#isSsh || isFirst) return;
    this.#counted.reuses += 1;
    this.#log.info("reusing_ssh_connection", { host: this.#host, tool: how.tool, in_flight: inFlight });
  }

  openRefused({ how }: Request, why: string, channelLimit: number): void {
    this.#counted.refusedOpens += 1;
    this.#log.debug("channel_refused", { host: this.#host, tool: how.tool, why, channel_limit: channelLimit });
  }

  timedOut({ how }: Request, seconds: number): void {
    this.#log.error("command_timeout", { host: this.#host, tool: how.tool, seconds: rounded(seconds) });
  }

  closed(reason: string, commands: number, why?: string): void {
    if (why !== undefined) this.#counted.lastError = why;
    if (!this.#isSsh) return;
    this.#counted.closes[reason] = (this.#counted.closes[reason] ?? 0) + 1;
    this.#log.info("ssh_connection_closed", {
      host: this.#host,
      reason,
      commands,
      ...(why === undefined ? {} : { why }),
    });
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
