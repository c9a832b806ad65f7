// Everything that runs while a scenario measures: sshd, the network in between, one process for each client. The clients
// take turns in short blocks, so that a machine that is slow for a while is slow for all; nobody else runs meanwhile.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Closing } from "./closing.ts";
import { startDelay } from "./delay.ts";
import { Driver } from "./driver.ts";
import type { Answer, Target } from "./peers/protocol.ts";
import { treeCost } from "./process-cost.ts";
import { muster, peerFolder, type ClientName, type Missing } from "./roster.ts";
import { startSshd, type ServerLimits, type Sshd } from "./server.ts";

export type Field = {
  sshd: Sshd;
  drivers: Driver[];
  missing: Missing[];
  rttMs: number;
  measuredRttMs?: number;
};

/** So high that no client meets them: what is measured is the work, not the refusals. */
export const raisedLimits: ServerLimits = { maxSessions: 100, maxStartups: "1000" };

export type FieldPlan = { clients: readonly ClientName[]; rttMs: number; limits?: ServerLimits };

export async function takeField({ clients, rttMs, limits }: FieldPlan, closing: Closing): Promise<Field> {
  const sshd = await startSshd(limits);
  closing.add(() => sshd.close());
  const knownHosts = join(sshd.folder, "known_hosts");
  writeFileSync(knownHosts, `bench ${sshd.hostPublicKey}\n`);
  const delay = rttMs === 0 ? { port: sshd.port } : await startDelay(closing, sshd.port, rttMs);
  const { address, user, identity, hostKey } = sshd;
  const target: Target = { address, port: delay.port, user, identity, hostKey, knownHosts, peers: peerFolder };
  const { contenders, missing } = muster(clients);
  for (const { client, why } of missing) process.stderr.write(`missing: ${client}: ${why}\n`);
  const drivers = contenders.map((contender) => new Driver(contender, target, closing));
  const measured = "measuredRttMs" in delay ? { measuredRttMs: delay.measuredRttMs } : {};
  return { sshd, drivers, missing, rttMs, ...measured };
}

export type Block = { answer: Answer; cpuMs: number; rssMb: number; serverCpuMs: number; connections: number };

/** Runs one client's block alone and asks both sides what it cost. */
export async function block({ sshd }: Field, driver: Driver, work: () => Promise<Answer>): Promise<Block> {
  const before = { client: driver.cost(), server: treeCost(sshd.pid), counts: sshd.counts() };
  const answer = await work();
  const after = driver.cost();
  const cpuMs = after.cpuMs - before.client.cpuMs;
  // The goodbyes of connections that are not kept belong to this block, not to the next client's.
  await quiet(sshd, Math.max(1, before.counts.authenticated - before.counts.closed));
  const serverCpuMs = treeCost(sshd.pid).cpuMs - before.server.cpuMs;
  const connections = sshd.counts().authenticated - before.counts.authenticated;
  return { answer, cpuMs, rssMb: after.rssMb, serverCpuMs, connections };
}

/** Every client closes what it has; the server has seen it. */
export async function releaseAll({ sshd, drivers }: Field): Promise<void> {
  for (const driver of drivers) await driver.release();
  await quiet(sshd, 0, 3000);
}

async function quiet(sshd: Sshd, standing: number, withinMs = 500): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    const { authenticated, closed } = sshd.counts();
    if (authenticated - closed <= standing || performance.now() - startedAt > withinMs) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A file of that many bytes of log lines, which the bench's user can read. */
export function writePayload({ sshd }: Field, name: string, bytes: number): string {
  const path = join(sshd.folder, name);
  const line = "2026-11-23T12:00:00.000Z info scrypted[4711]: camera front-door: stream restarted after 12.5 s\n";
  writeFileSync(path, line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes), { mode: 0o644 });
  return path;
}
