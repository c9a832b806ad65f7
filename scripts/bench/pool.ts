// The pool's defaults, as hosts.yaml gives them; a benchmark measures what users get.
import type { PoolSettings } from "../../core/transport/pool.ts";

export const benchPool: PoolSettings = {
  idleTimeout: 300,
  keepaliveInterval: 15,
  keepaliveCount: 3,
  maxChannels: "auto",
  dialTimeout: 10,
  commandTimeout: 60,
  queue: 1000,
  outputBytes: 1024 * 1024,
};
