// A transport to one in-process SSH server, with its key in a folder of its own, and a log that can be read.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../core/log.ts";
import { systemClock, type Clock } from "../../core/transport/clock.ts";
import { createTransport, TransportError, type HostSettings, type PoolSettings } from "../../core/transport/pool.ts";
import { startSshServer, type ServerOptions } from "./ssh-server.ts";

export const testPool: PoolSettings = {
  idleTimeout: 300,
  keepaliveInterval: 15,
  keepaliveCount: 3,
  maxChannels: "auto",
  dialTimeout: 10,
  commandTimeout: 60,
  queue: 1000,
  outputBytes: 1024 * 1024,
};

export type Logged = { level: string; event: string; fields: Record<string, unknown> };

export function keptLog(): { log: Log; events: Logged[] } {
  const events: Logged[] = [];
  const at =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}) =>
      void events.push({ level, event, fields });
  return { log: { debug: at("debug"), info: at("info"), warning: at("warning"), error: at("error") }, events };
}

type Options = {
  server?: ServerOptions;
  pool?: Partial<PoolSettings>;
  host?: Partial<HostSettings>;
  clock?: Clock;
};

/** Real timers, but nothing ever took long: for what must not depend on how busy this machine is. */
export const standingClock: Clock = { ...systemClock, now: () => 0 };

/** Everything is gone when it is disposed. `host` overrides what the server would make of it. */
export async function sshHost({ server: serverOptions, pool, host, clock = systemClock }: Options = {}) {
  const server = await startSshServer(serverOptions);
  const folder = mkdtempSync(join(tmpdir(), "medic-test-"));
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const { log, events } = keptLog();
  const settings: HostSettings = {
    transport: "ssh",
    address: "127.0.0.1",
    port: server.port,
    user: "medic",
    identity: file("key", server.clientKey.private),
    hostKey: server.fingerprint,
    privilege: "none",
    pool: { ...testPool, ...pool },
    ...host,
  };
  const start = (overrides: Partial<HostSettings> = {}, more: { agentSocket?: string } = {}) =>
    createTransport(
      { nexus: { ...settings, ...overrides } },
      { log, clock, drainSeconds: { diagnostics: 0.2, fixes: 0.4 }, ...more },
    );
  const transport = start();
  return {
    server,
    transport,
    /** A second transport to the same host, with other settings. The caller closes it. */
    start,
    file,
    folder,
    logged: (event: string) => events.filter((one) => one.event === event).map((one) => one.fields),
    async [Symbol.asyncDispose]() {
      await transport.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The TransportError that a promise must fail with. */
export async function failure(promise: Promise<unknown>): Promise<TransportError> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    if (error instanceof TransportError) return error;
    throw error;
  }
  throw new Error(`it did not fail: ${JSON.stringify(result)}`);
}
