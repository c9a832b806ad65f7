// One command with 100 MiB of log as its output. A client that keeps all of it shows that in its memory; Medic keeps the
// newest part, as it does for users.
import { measureCell, type BlockTime } from "./cells.ts";
import type { Closing } from "./closing.ts";
import { raisedLimits, takeField, writePayload } from "./field.ts";
import { describeMachine, type BenchReport } from "./report-shape.ts";
import { reportOf } from "./scenario.ts";
import { judgeRatio } from "./targets.ts";

const clients = ["medic", "seed-dict", "node-ssh", "ssh-mcp", "openssh-mux", "asyncssh", "go"] as const;
export const throughputMiB = 100;

export async function benchThroughput(closing: Closing, time: BlockTime): Promise<BenchReport> {
  const field = await takeField({ clients, rttMs: 0, limits: raisedLimits }, closing);
  const machine = describeMachine(field.sshd);
  const path = writePayload(field, "large.log", throughputMiB * 1024 * 1024);
  const cell = {
    command: `cat ${path}`,
    payload: `${throughputMiB} MiB`,
    concurrency: 1,
    countMin: 1,
    countMax: 1,
  };
  const few = { ...time, rounds: Math.min(3, time.rounds) };
  const measured = await measureCell(field, cell, few);
  const target = judgeRatio(
    { what: `speed of ${throughputMiB} MiB of output, of ssh's`, wanted: "at least", bound: 1 },
    measured.get("medic")?.perSecondRounds,
    measured.get("openssh-mux")?.perSecondRounds,
  );
  return reportOf("throughput", machine, field, few, [measured], [target]);
}
