// A hundred commands at once on a cold client: what a first incident does. Who opens how many connections, who loses
// commands, and how long until the last one is through. Against sshd with stock limits, and against one that lets every
// login in: only there does a connection for each command do all of the work, so only there are wall times compared.
import { measureCell, type BlockTime, type Measured } from "./cells.ts";
import type { Closing } from "./closing.ts";
import { takeField } from "./field.ts";
import { describeMachine, type BenchReport } from "./report-shape.ts";
import type { ClientName } from "./roster.ts";
import { reportOf } from "./scenario.ts";
import { stockLimits } from "./server.ts";
import { judge, judgeRatio, type Judged } from "./targets.ts";

const clients = ["medic", "per-command", "seed-dict", "node-ssh", "ssh-mcp", "openssh-mux", "asyncssh", "go"] as const;
const burst = 100;
const roundsMax = 3;
const openDoor = { ...stockLimits, maxStartups: "1000" };

export async function benchBurst(closing: Closing, rttMs: number, time: BlockTime): Promise<BenchReport> {
  const few = { ...time, rounds: Math.min(roundsMax, time.rounds) };
  const stock = await takeField({ clients, rttMs }, closing);
  const machine = describeMachine(stock.sshd);
  const open = await takeField({ clients, rttMs, limits: openDoor }, closing);
  const measure = (field: typeof stock, command: string, payload = command) =>
    measureCell(field, { ...cold, command, payload }, few);
  const fast = await measure(stock, "true");
  const slow = await measure(stock, "sleep 0.2");
  const admitted = await measure(open, "sleep 0.2", `sleep 0.2, MaxStartups ${openDoor.maxStartups}`);
  const targets = [
    wallTime(admitted, few.rounds),
    ...[fast, slow, admitted].map((cell) => {
      const ours = cell.get("medic")?.row;
      const what = `commands lost of ${burst} × ${ours?.payload ?? ""}, cold`;
      return judge({ what, wanted: "at most", bound: 0, unit: "commands" }, ours?.failed);
    }),
  ];
  return reportOf("burst", machine, stock, few, [fast, slow, admitted], targets);
}

const cold = { concurrency: burst, countMin: burst, countMax: burst, cold: true };

function wallTime(cell: ReadonlyMap<ClientName, Measured>, rounds: number): Judged {
  const theirs = cell.get("per-command");
  const lost = theirs?.row.failed ?? 0;
  const what =
    `wall time of ${burst} × sleep 0.2, cold, where MaxStartups lets every login in, of per-command's ` +
    `(which lost ${lost} of ${burst * rounds})`;
  return judgeRatio({ what, wanted: "at most", bound: 0.55 }, cell.get("medic")?.wallRounds, theirs?.wallRounds);
}
