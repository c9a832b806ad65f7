// What the real servers of the tests have in common: a folder, a user, keys, a ledger, and a transport that reaches them.
// Says whether this machine can run one; a test that cannot run says so and why.
import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command, Result } from "../../core/plugin/contract.ts";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import {
  createTransport,
  type HostSettings,
  type HostStatistics,
  type How,
  type PoolSettings,
  type Transport,
  type TransportOptions,
} from "../../core/transport/pool.ts";
import { Ledger } from "./ledger.ts";
import { keptLog, testPool } from "./ssh-host.ts";
import { makeSystemUser, type SystemUser } from "./system-user.ts";

export type RealServer = {
  address: string;
  port: number;
  user: SystemUser;
  /** Path of the private key. */
  identity: string;
  /** `SHA256:…` */
  readonly hostKey: string;
  ledger: Ledger;
};

export type Ground = { folder: string; user: SystemUser; identity: string; publicKey: string; ledger: Ledger };

/** Why this machine cannot run such a server; undefined when it can. */
export function unfit(...programs: readonly string[]): string | false {
  if (userInfo().uid !== 0) return "needs root, to make a user and start a server";
  const missing = programs.find((program) => !existsSync(program));
  return missing === undefined ? false : `needs ${missing}`;
}

/** A folder, a user in it and its key; the ledger is the user's to write. */
export async function makeGround(): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), "medic-fault-"));
  chmodSync(folder, 0o755);
  const user = await makeSystemUser(join(folder, "home"));
  const { uid, gid } = statSync(user.home);
  const key = generateKeyPair();
  const identity = join(folder, "client");
  writeFileSync(identity, key.private, { mode: 0o600 });
  const ledger = new Ledger(join(folder, "ledger"));
  writeFileSync(ledger.path, "");
  chownSync(ledger.path, uid, gid);
  return { folder, user, identity, publicKey: key.public, ledger };
}

export async function removeGround({ folder, user }: Ground): Promise<void> {
  await user.remove();
  rmSync(folder, { recursive: true, force: true });
}

/** Starts a server and waits for its pid file: a TCP probe would be one more connection in its log. */
export async function startServer(program: string, args: readonly string[], pidFile: string): Promise<ChildProcess> {
  rmSync(pidFile, { force: true });
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  for (let tries = 0; tries < 400 && child.exitCode === null; tries += 1) {
    if (existsSync(pidFile)) return child;
    await sleep(10);
  }
  child.kill("SIGKILL");
  throw new Error(`Cannot start ${program}: it said "${said.trim()}"`);
}

export async function endServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

export async function freePort(address: string): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, address, resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

export type Reach = AsyncDisposable & {
  transport: Transport;
  run(command: Command, how?: Partial<How>): Promise<Result>;
  statistics(): HostStatistics;
  logged(event: string): Record<string, unknown>[];
};

type ReachOptions = {
  pool?: Partial<PoolSettings>;
  host?: Partial<HostSettings>;
  clock?: NonNullable<TransportOptions["clock"]>;
  agentSocket?: string;
  /** In place of the server itself, e.g. a proxy before it. */
  through?: { address: string; port: number };
};

/** A transport to one server. Commands are fixes unless said otherwise: what is never sent twice and never signalled. */
export function reach(server: RealServer, { pool, host, clock, agentSocket, through }: ReachOptions = {}): Reach {
  const { log, events } = keptLog();
  const settings: HostSettings = {
    transport: "ssh",
    address: server.address,
    port: server.port,
    user: server.user.name,
    identity: server.identity,
    hostKey: server.hostKey,
    privilege: "none",
    pool: { ...testPool, ...pool },
    ...through,
    ...host,
  };
  const drainSeconds = { diagnostics: 0.2, fixes: 0.4 };
  const transport = createTransport(
    { nexus: settings },
    { log, drainSeconds, agentSocket, ...(clock === undefined ? {} : { clock }) },
  );
  return {
    transport,
    run: (command, how) => transport.run("nexus", command, { kind: "fix", tool: "test", commandSeconds: 20, ...how }),
    statistics() {
      const [statistics] = transport.statistics();
      if (statistics === undefined) throw new Error("there is no host");
      return statistics;
    },
    logged: (event) => events.filter((one) => one.event === event).map((one) => one.fields),
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

/** Waits for something that nobody tells of; answers with how long it took. */
export async function untilSeconds(withinSeconds: number, what: string, holds: () => boolean): Promise<number> {
  const began = performance.now();
  for (;;) {
    const seconds = (performance.now() - began) / 1000;
    if (holds()) return seconds;
    if (seconds > withinSeconds) throw new Error(`did not come true within ${withinSeconds} s: ${what}`);
    await sleep(10);
  }
}
