// How long one command takes over a connection that is there already, and how many go through ten at once: nothing but
// the way there and back, `true` and 4 KiB of output, near and far.
import { measureCell, type BlockTime, type Cell, type Measured } from "./cells.ts";
import type { Closing } from "./closing.ts";
import { raisedLimits, takeField, writePayload } from "./field.ts";
import { describeMachine, type BenchReport } from "./report-shape.ts";
import type { ClientName } from "./roster.ts";
import { reportOf } from "./scenario.ts";
import { bestPeer, judge, judgeRatio, type Judged } from "./targets.ts";

const clients = [
  "medic",
  "medic-fix",
  "per-command",
  "seed-dict",
  "node-ssh",
  "ssh-mcp",
  "openssh-mux",
  "asyncssh",
  "go",
] as const;

type Cells = readonly { cell: Cell; measured: ReadonlyMap<ClientName, Measured> }[];

export async function benchLatency(closing: Closing, rttMs: number, time: BlockTime): Promise<BenchReport> {
  const field = await takeField({ clients, rttMs, limits: raisedLimits }, closing);
  const machine = describeMachine(field.sshd);
  const output = writePayload(field, "4k.log", 4096);
  const payloads = [
    ["true", "true"],
    ["4 KiB", `cat ${output}`],
  ] as const;
  const cells: { cell: Cell; measured: Map<ClientName, Measured> }[] = [];
  for (const concurrency of [1, 10]) {
    for (const [payload, command] of payloads) {
      const cell = { payload, command, concurrency, countMin: 2 * concurrency, countMax: 200 };
      cells.push({ cell, measured: await measureCell(field, cell, time) });
    }
  }
  const targets = rttMs === 0 ? nearTargets(cells) : rttMs >= 50 ? farTargets(cells, rttMs) : [];
  return reportOf(
    "latency",
    machine,
    field,
    time,
    cells.map(({ measured }) => measured),
    targets,
  );
}

function nearTargets(cells: Cells): Judged[] {
  const against = [
    ["seed-dict", 0.1],
    ["asyncssh", 0.5],
    ["openssh-mux", 0.3],
    ["go", 1.05],
  ] as const;
  return cells
    .filter(({ cell }) => cell.concurrency === 1)
    .flatMap(({ cell, measured }) =>
      against.map(([peer, bound]) =>
        judgeRatio(
          { what: `p50 of ${cell.payload} at RTT 0, of ${peer}'s`, wanted: "at most", bound },
          measured.get("medic")?.p50Rounds,
          measured.get(peer)?.p50Rounds,
        ),
      ),
    );
}

function farTargets(cells: Cells, rttMs: number): Judged[] {
  return cells.flatMap(({ cell, measured }) => {
    const ours = measured.get("medic");
    const which = `${cell.payload} at RTT ${rttMs}`;
    if (cell.concurrency > 1) {
      const rounds = new Map([...measured].map(([name, { perSecondRounds }]) => [name, perSecondRounds]));
      const best = bestPeer(rounds, "highest");
      const what = `commands per second of ${which}, ten at once, of the best peer's (${best ?? "none is here"})`;
      const theirs = best === undefined ? [] : rounds.get(best);
      return judgeRatio({ what, wanted: "at least", bound: 1.5 }, ours?.perSecondRounds, theirs);
    }
    const rounds = new Map([...measured].map(([name, { p50Rounds }]) => [name, p50Rounds]));
    const best = bestPeer(rounds, "lowest");
    const what = `p50 of ${which}, of the best peer's (${best ?? "none is here"})`;
    const theirs = best === undefined ? [] : rounds.get(best);
    return [
      judgeRatio({ what, wanted: "at most", bound: 0.57 }, ours?.p50Rounds, theirs),
      judge({ what: `p50 of ${which}`, wanted: "at most", bound: rttMs + 12, unit: "ms" }, ours?.row.p50Ms),
    ];
  });
}
