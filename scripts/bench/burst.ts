// A hundred commands at once on a cold client, against sshd with stock limits: what a first incident does. Who opens how
// many connections, who loses commands, and how long until the last one is through.
import { measureCell, type BlockTime, type Measured } from "./cells.ts";
import type { Closing } from "./closing.ts";
import { takeField } from "./field.ts";
import { describeMachine, type BenchReport } from "./report-shape.ts";
import type { ClientName } from "./roster.ts";
import { reportOf } from "./scenario.ts";
import { judge, judgeRatio } from "./targets.ts";

const clients = ["medic", "per-command", "seed-dict", "node-ssh", "ssh-mcp", "openssh-mux", "asyncssh", "go"] as const;
const burst = 100;
const roundsMax = 3;

export async function benchBurst(closing: Closing, rttMs: number, time: BlockTime): Promise<BenchReport> {
  const field = await takeField({ clients, rttMs }, closing);
  const machine = describeMachine(field.sshd);
  const few = { ...time, rounds: Math.min(roundsMax, time.rounds) };
  const cells: Map<ClientName, Measured>[] = [];
  for (const command of ["true", "sleep 0.2"]) {
    const cell = { command, payload: command, concurrency: burst, countMin: burst, countMax: burst, cold: true };
    cells.push(await measureCell(field, cell, few));
  }
  const [fast, slow] = cells;
  const medic = slow?.get("medic");
  // A connection for each command is the faster the more of them sshd drops: that is told beside the figure.
  const lost = slow?.get("per-command")?.row.failed ?? 0;
  const what = `wall time of ${burst} × sleep 0.2, cold, of per-command's (which lost ${lost} of ${burst * few.rounds})`;
  const targets = [
    judgeRatio({ what, wanted: "at most", bound: 0.55 }, medic?.wallRounds, slow?.get("per-command")?.wallRounds),
    ...[fast, slow].map((cell) => {
      const ours = cell?.get("medic")?.row;
      return judge(
        {
          what: `commands lost of ${burst} × ${ours?.payload ?? ""}, cold`,
          wanted: "at most",
          bound: 0,
          unit: "commands",
        },
        ours?.failed,
      );
    }),
  ];
  return reportOf("burst", machine, field, few, cells, targets);
}
