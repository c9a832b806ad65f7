// Idle eviction as the server sees it: at the set time, never with a command in flight, and never when it is `0`.
import { silent } from "../../core/log.ts";
import { createTransport, type Transport } from "../../core/transport/pool.ts";
import { benchPool } from "./pool.ts";
import type { BenchServer } from "./server.ts";

export type IdleReport = {
  benchmark: "idle";
  server: { kind: string; version: string };
  results: { claim: string; idleTimeoutSeconds: number; saw: string; passed: boolean }[];
};

const idleSeconds = 2;
/** A timer, a goodbye and a line in a log; on a busy machine. */
const lateSeconds = 1;

export async function benchIdle(server: BenchServer): Promise<IdleReport> {
  const results = [await evicts(server), await keepsInFlight(server), await keepsForEver(server)];
  return { benchmark: "idle", server: { kind: server.kind, version: server.version }, results };
}

async function evicts(server: BenchServer): Promise<IdleReport["results"][number]> {
  return withTransport(server, idleSeconds, async (run) => {
    const closedBefore = server.counts().closed;
    await run("true");
    const idleFrom = performance.now();
    const seconds = await closedAfter(server, closedBefore, idleFrom, idleSeconds + lateSeconds);
    const passed = seconds !== undefined && seconds >= idleSeconds - 0.1;
    const saw = seconds === undefined ? "not closed" : `closed after ${seconds.toFixed(1)} s`;
    return { claim: "closes an idle connection at the set time", idleTimeoutSeconds: idleSeconds, saw, passed };
  });
}

async function keepsInFlight(server: BenchServer): Promise<IdleReport["results"][number]> {
  const busySeconds = 2 * idleSeconds;
  return withTransport(server, idleSeconds, async (run) => {
    const closedBefore = server.counts().closed;
    const exit = await run("sleep", String(busySeconds));
    const isOpen = server.counts().closed === closedBefore;
    const seconds = await closedAfter(server, closedBefore, performance.now(), idleSeconds + lateSeconds);
    const passed = exit === 0 && isOpen && seconds !== undefined && seconds >= idleSeconds - 0.1;
    const after = seconds === undefined ? "not closed afterwards" : `closed ${seconds.toFixed(1)} s after its end`;
    const saw = `a command of ${busySeconds} s ended with ${exit} on an ${isOpen ? "open" : "evicted"} connection, ${after}`;
    return { claim: "never closes with a command in flight", idleTimeoutSeconds: idleSeconds, saw, passed };
  });
}

async function keepsForEver(server: BenchServer): Promise<IdleReport["results"][number]> {
  return withTransport(server, 0, async (run) => {
    const before = server.counts();
    await run("true");
    const seconds = await closedAfter(server, before.closed, performance.now(), 3 * idleSeconds);
    await run("true");
    const connections = server.counts().authenticated - before.authenticated;
    const passed = seconds === undefined && connections === 1;
    const saw = `${seconds === undefined ? "open" : "closed"} after ${3 * idleSeconds} s, ${connections} connection for both commands`;
    return { claim: "never closes when it is 0", idleTimeoutSeconds: 0, saw, passed };
  });
}

type Run = (...command: [string, ...string[]]) => Promise<number>;

async function withTransport<T>(server: BenchServer, idleTimeout: number, use: (run: Run) => Promise<T>): Promise<T> {
  const { address, port, user, identity, hostKey } = server;
  const pool = { ...benchPool, idleTimeout };
  const settings = { transport: "ssh", address, port, user, identity, hostKey, privilege: "none", pool } as const;
  const transport: Transport = createTransport({ server: settings }, { log: silent });
  const how = { kind: "diagnostic", tool: "bench", commandSeconds: 60 } as const;
  try {
    return await use(async (...command) => (await transport.run("server", command, how)).exit);
  } finally {
    await transport.close();
  }
}

async function closedAfter(
  server: BenchServer,
  closedBefore: number,
  from: number,
  withinSeconds: number,
): Promise<number | undefined> {
  for (;;) {
    const seconds = (performance.now() - from) / 1000;
    if (server.counts().closed > closedBefore) return seconds;
    if (seconds > withinSeconds) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
