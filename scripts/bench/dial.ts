// From nothing to the first result: a new client, its handshake, its login, one `true`. Nothing is kept between two.
import { measureCell, type BlockTime } from "./cells.ts";
import type { Closing } from "./closing.ts";
import { raisedLimits, takeField } from "./field.ts";
import { describeMachine, type BenchReport } from "./report-shape.ts";
import { reportOf } from "./scenario.ts";
import { judgeRatio } from "./targets.ts";

const clients = ["medic", "per-command", "node-ssh", "ssh-mcp", "openssh", "asyncssh", "go"] as const;

export async function benchDial(closing: Closing, rttMs: number, time: BlockTime): Promise<BenchReport> {
  const field = await takeField({ clients, rttMs, limits: raisedLimits }, closing);
  const machine = describeMachine(field.sshd);
  const cell = { command: "true", payload: "dial + true", concurrency: 1, countMin: 3, countMax: 20, fresh: true };
  const measured = await measureCell(field, cell, { ...time, blockMs: 2 * time.blockMs });
  const target = judgeRatio(
    // per-command is ssh2 as its README has it: each of its commands is one such dial.
    { what: `cold dial to first result at RTT ${rttMs}, of ssh2's default`, wanted: "at most", bound: 0.66 },
    measured.get("medic")?.p50Rounds,
    measured.get("per-command")?.p50Rounds,
  );
  return reportOf("dial", machine, field, time, [measured], rttMs >= 50 ? [target] : []);
}
