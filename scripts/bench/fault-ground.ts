// Where a fault happens: a real sshd behind a link that can break, Medic's transport in front of it, and a file on the
// host in which every command writes its number before anything else. Both sides' raw records are kept.
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silent } from "../../core/log.ts";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import { createTransport, TransportError, type How, type PoolSettings } from "../../core/transport/pool.ts";
import { startFaultProxy, type FaultProxy } from "./fault-proxy.ts";
import { benchPool } from "./pool.ts";
import { childrenOf } from "./process-cost.ts";
import type { Told } from "./reckoning.ts";
import { startSshd, type ServerLimits, type Sshd } from "./server.ts";

export type Ground = {
  sshd: Sshd;
  proxy: FaultProxy;
  /** Starts them all at once; each writes its number on the host, then sleeps. */
  run(count: number, sleepSeconds?: number, kind?: How["kind"]): Promise<void>;
  /** Until so many of the commands have begun on the host. */
  begun(count: number): Promise<void>;
  /** The processes that sshd runs for those who are logged in, as that user. */
  sessions(): number[];
  /** sshd reads its files again; connections stay. */
  reload(): Promise<void>;
  /** Cuts the link, until Medic has noticed. */
  lose(): Promise<void>;
  revokeKey(): void;
  changeHostKey(): void;
  /** Until nothing of a client's runs on the host any more, so that the count is final. */
  settle(): Promise<void>;
  close(): Promise<void>;
};

/** Quick to notice a dead link, so that the whole table takes minutes, not hours. */
const pool: PoolSettings = {
  ...benchPool,
  keepaliveInterval: 1,
  keepaliveCount: 2,
  dialTimeout: 3,
  commandTimeout: 20,
};
const record = 'echo "$1" >> "$2"; sleep "$3"';

/** `keepIn`: the folder for the raw records. */
export async function takeGround(keepIn: string, limits?: ServerLimits): Promise<Ground> {
  mkdirSync(keepIn, { recursive: true });
  const sshd = await startSshd(limits);
  const proxy = await startFaultProxy(sshd.port);
  const ranPath = join(sshd.folder, "ran");
  writeFileSync(ranPath, "");
  // Whoever logs in writes there; the mode of writeFileSync would be cut by our umask.
  chmodSync(ranPath, 0o666);
  writeFileSync(join(keepIn, "told.jsonl"), "");
  const { address, user, identity, hostKey } = sshd;
  const { port } = proxy;
  const settings = { transport: "ssh", address, port, user, identity, hostKey, privilege: "none", pool } as const;
  const transport = createTransport({ host: settings }, { log: silent });
  const logPath = join(sshd.folder, "sshd.log");
  let commands = 0;
  let isClosed = false;

  const runOne = async (sleepSeconds: number, kind: How["kind"]): Promise<void> => {
    const id = String((commands += 1));
    const told = await transport
      .run("host", ["sh", "-c", record, "medic", id, ranPath, String(sleepSeconds)], { kind, tool: "bench" })
      .then(({ exit }): Told => ({
        id,
        told: exit === 0 ? "done" : "unknown",
        ...(exit === 0 ? {} : { error: `exit ${exit}` }),
      }))
      .catch((error: unknown): Told => {
        if (!(error instanceof TransportError)) throw error;
        return { id, told: error.dispatched ? "unknown" : "denied", error: error.kind };
      });
    appendFileSync(join(keepIn, "told.jsonl"), `${JSON.stringify(told)}\n`);
  };
  const ran = () => readFileSync(ranPath, "utf8").match(/\n/g)?.length ?? 0;
  const sessions = () => childrenOf(sshd.pid).flatMap((monitor) => childrenOf(monitor));
  const waitFor = async (what: string, isSo: () => boolean, withinSeconds = 30) => {
    for (const startedAt = performance.now(); !isSo();) {
      if (performance.now() - startedAt > withinSeconds * 1000)
        throw new Error(`Cannot go on: ${what} in ${withinSeconds} s`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return {
    sshd,
    proxy,
    async run(count, sleepSeconds = 0, kind = "diagnostic") {
      await Promise.all(Array.from({ length: count }, () => runOne(sleepSeconds, kind)));
    },
    begun: (count) => waitFor(`${count} commands did not begin`, () => ran() >= count),
    sessions,
    async reload() {
      const listens = () => readFileSync(logPath, "utf8").match(/^Server listening /gm)?.length ?? 0;
      const before = listens();
      process.kill(sshd.pid, "SIGHUP");
      await waitFor("sshd did not listen again", () => listens() > before);
    },
    async lose() {
      proxy.cut();
      await waitFor("Medic did not notice the cut", () => transport.statistics().every(({ open }) => open === 0));
    },
    revokeKey: () => writeFileSync(`${identity}.pub`, "\n"),
    changeHostKey: () => writeFileSync(join(sshd.folder, "host"), generateKeyPair().private, { mode: 0o600 }),
    async settle() {
      await transport.close();
      proxy.cut();
      await waitFor("sshd still serves somebody", () => childrenOf(sshd.pid).length === 0);
      // A shell whose sshd was killed may be about to write its number.
      await new Promise((resolve) => setTimeout(resolve, 300));
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await transport.close();
      await proxy.close();
      copyFileSync(ranPath, join(keepIn, "ran"));
      // Where this machine keeps its temporary files is nobody's business.
      const log = readFileSync(logPath, "utf8").replaceAll(sshd.folder, "FOLDER");
      writeFileSync(join(keepIn, "sshd.log"), log);
      await sshd.close();
    },
  };
}
