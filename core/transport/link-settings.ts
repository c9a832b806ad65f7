// What a link is made of: the owner's limits, and what it is given to reach its host.
import type { Log } from "../log.ts";
import type { Clock } from "./clock.ts";
import type { ConnectionCap } from "./connection-cap.ts";
import type { Connection } from "./connection.ts";

/** Seconds, counts and bytes; `0` switches idleTimeout and keepaliveInterval off. */
export type PoolSettings = {
  idleTimeout: number;
  keepaliveInterval: number;
  keepaliveCount: number;
  maxChannels: "auto" | number;
  /** Channels opened ahead, so that a command costs one round trip; `auto` when absent. */
  warmChannels?: "auto" | "off";
  /** Connections at once, 3 when absent. More than one only where the measured limits ask for it. */
  maxConnections?: number;
  /** `off`: a connection for each command. `on` when absent. */
  reuse?: "on" | "off";
  dialTimeout: number;
  commandTimeout: number;
  /** Waiting commands; one more is refused. */
  queue: number;
  /** Per stream. */
  outputBytes: number;
};

export type LinkParts = {
  host: string;
  transport: "ssh" | "local";
  pool: PoolSettings;
  log: Log;
  clock: Clock;
  /** Shared by all links; no bound when absent. */
  cap?: ConnectionCap | undefined;
  /** From 0 to 1; the system's when absent. */
  random?: () => number;
  dial(signal: AbortSignal): Promise<Connection>;
};

/** How long `close` waits for commands that run. */
export type DrainSeconds = { diagnostics: number; fixes: number };
