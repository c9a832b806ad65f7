// What a scenario hands over: rows, the targets beside their figures, and everything a reader needs to judge them.
import { execFileSync } from "node:child_process";
import { cpus, loadavg, release } from "node:os";
import ssh2Package from "ssh2/package.json" with { type: "json" };
import { peerVersions, type ClientName, type Missing } from "./roster.ts";
import type { Sshd } from "./server.ts";
import { rounded } from "./statistics.ts";
import type { Judged } from "./targets.ts";

export type Row = {
  client: ClientName;
  concurrency: number;
  payload: string;
  p50Ms: number;
  p95Ms: number;
  perSecond: number;
  /** The client's whole process tree; what has ended counts in the kernel's ticks of 10 ms, over all rounds. */
  cpuMsPerCommand: number;
  serverCpuMsPerCommand: number;
  rssMb: number;
  failed: number;
  /** Authenticated by the server for this row, warm-up included. */
  serverConnections: number;
};

export type Machine = {
  cores: number;
  cpu: string;
  kernel: string;
  node: string;
  openssh: string;
  ssh2: string;
  /** Over the minute before the run: other work on the machine makes figures noisy. */
  loadAverage: number;
  peers: Record<string, string>;
  commit: string;
};

export type BenchReport = {
  benchmark: string;
  date: string;
  machine: Machine;
  rttMs: number;
  /** What an echo through the delay proxy saw; absent on the direct path. */
  measuredRttMs?: number;
  server: { kind: string; version: string; maxSessions: number; maxStartups: string };
  rounds: number;
  results: Row[];
  targets: Judged[];
  missing: Missing[];
  /** First error of each client that had any. */
  errors: Record<string, string>;
};

export function describeMachine(sshd: Sshd): Machine {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    kernel: release(),
    node: process.version,
    openssh: sshd.version,
    ssh2: ssh2Package.version,
    loadAverage: rounded(loadavg()[0] ?? NaN),
    peers: peerVersions(),
    commit: commit(),
  };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", cwd: import.meta.dirname }).trim();
  } catch {
    return "unknown";
  }
}
