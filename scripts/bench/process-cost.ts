// What a process and all that it started have cost so far, as the kernel counts it: the same measure for a client in
// Node, Go or Python, for `ssh` with its children, and for sshd. Children that have ended are in their parent's figure.
import { readdirSync, readFileSync } from "node:fs";

export type ProcessCost = { cpuMs: number; rssMb: number };

/** The kernel's USER_HZ, 100 on every Linux that Node runs on. */
const msPerTick = 10;

/** `childrenOnly`: for a client whose root process is only our harness around other programs. */
export function treeCost(pid: number, childrenOnly = false): ProcessCost {
  const cost = { cpuMs: 0, rssMb: 0 };
  const visit = (at: number) => {
    const stat = read(`/proc/${at}/stat`);
    // It ended meanwhile: its parent has its figure, or will.
    if (stat === undefined) return;
    const { own, children } = cpuTicks(stat);
    cost.cpuMs += Math.max(own * msPerTick, scheduledMs(at)) + children * msPerTick;
    if (at !== pid || !childrenOnly) cost.rssMb += residentKb(read(`/proc/${at}/status`) ?? "") / 1024;
    for (const child of childrenOf(at)) visit(child);
  };
  visit(pid);
  return cost;
}

/** User and system time, own and of children that were waited for. The name in parentheses may hold anything. */
export function cpuTicks(stat: string): { own: number; children: number } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15).map(Number);
  return { own: user + system, children: childrenUser + childrenSystem };
}

/** In nanoseconds where a tick is 10 ms, but only of threads that live, and not on every kernel. */
function scheduledMs(pid: number): number {
  const runtimes = threadsOf(pid).map((thread) => read(`/proc/${pid}/task/${thread}/schedstat`)?.split(" ")[0]);
  return runtimes.reduce((sum, runtime) => sum + Number(runtime ?? 0), 0) / 1e6;
}

function residentKb(status: string): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}

// Each thread has its own list: a Go program forks from any of them.
export function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) =>
    (read(`/proc/${pid}/task/${thread}/children`) ?? "")
      .split(" ")
      .filter((child) => child !== "")
      .map(Number),
  );
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
