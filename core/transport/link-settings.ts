// What a link is made of: the owner's limits, and what it is given to reach its host.
import type { Log } from "../log.ts";
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";

/** Seconds, counts and bytes; `0` switches idleTimeout and keepaliveInterval off. */
export type PoolSettings = {
  idleTimeout: number;
  keepaliveInterval: number;
  keepaliveCount: number;
  maxChannels: "auto" | number;
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
  dial(signal: AbortSignal): Promise<Connection>;
};

/** How long `close` waits for commands that run. */
export type DrainSeconds = { diagnostics: number; fixes: number };
