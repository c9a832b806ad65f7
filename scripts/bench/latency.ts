// How long one command takes over a connection that is there already, and how many go through ten at once: nothing but
// the way there and back, `true` and 4 KiB of output, near and far. The host does the same work for everybody: peers send
// the very line that Medic sends, with its time limit where Medic's row is a diagnostic. What is not alike is told beside.
import { render } from "../../core/transport/quote.ts";
import { measureCell, type BlockTime, type Cell, type Measured } from "./cells.ts";
import type { Closing } from "./closing.ts";
import { raisedLimits, takeField, writePayload } from "./field.ts";
import { benchPool } from "./pool.ts";
import { describeMachine, type BenchReport } from "./report-shape.ts";
import type { ClientName } from "./roster.ts";
import { reportOf } from "./scenario.ts";
import { beside, bestPeer, judge, judgeRatio, type Judged } from "./targets.ts";

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
/** Of each peer's p50 at RTT 0. */
const bounds = [
  ["seed-dict", 0.1],
  ["asyncssh", 0.5],
  ["openssh-mux", 0.3],
  ["go", 1.05],
] as const;
const judgedPeers = bounds.map(([peer]) => peer);

type Cells = readonly { cell: Cell; measured: ReadonlyMap<ClientName, Measured> }[];

export async function benchLatency(closing: Closing, rttMs: number, time: BlockTime): Promise<BenchReport> {
  const field = await takeField({ clients, rttMs, limits: raisedLimits }, closing);
  const machine = describeMachine(field.sshd);
  const output = writePayload(field, "4k.log", 4096);
  const plans = [1, 10].flatMap((concurrency) => [
    cellOf("true", ["true"], concurrency),
    cellOf("4 KiB", ["cat", output], concurrency),
  ]);
  if (rttMs === 0) plans.push(limitedCell(), shellsOwnCell());
  const cells: { cell: Cell; measured: Map<ClientName, Measured> }[] = [];
  for (const cell of plans) cells.push({ cell, measured: await measureCell(field, cell, time) });
  const targets = rttMs === 0 ? nearTargets(cells) : rttMs >= 50 ? farTargets(cells, rttMs) : [];
  const measured = cells.map((one) => one.measured);
  return reportOf("latency", machine, field, time, measured, targets);
}

function cellOf(payload: string, command: readonly [string, ...string[]], concurrency: number): Cell {
  const line = render(command, { privilege: "none" });
  return { payload, command: command.join(" "), line, concurrency, countMin: 2 * concurrency, countMax: 200 };
}

/** Medic's diagnostics carry a time limit that the host keeps; here the peers' commands do too. */
function limitedCell(): Cell {
  const line = render(["true"], { privilege: "none", killAfterSeconds: benchPool.commandTimeout });
  return { ...cellOf("true, limited", ["true"], 1), line, only: ["medic", ...judgedPeers] };
}

/** Medic starts programs; the peers' shells answer `true` themselves and start none. */
function shellsOwnCell(): Cell {
  return { ...cellOf("true, the shell's", ["true"], 1), line: "true", only: ["medic-fix", ...judgedPeers] };
}

function nearTargets(cells: Cells): Judged[] {
  const against = (payload: string, ours: ClientName, isAlike: boolean) => {
    const measured = cells.find(({ cell }) => cell.payload === payload && cell.concurrency === 1)?.measured;
    return bounds.map(([peer, bound]) => {
      const what = `p50 of ${ours}, ${payload} at RTT 0, of ${peer}'s${isAlike ? "" : ", whose host does less"}`;
      const p50Of = (client: ClientName) => measured?.get(client)?.p50Rounds;
      const judged = judgeRatio({ what, wanted: "at most", bound }, p50Of(ours), p50Of(peer));
      return isAlike ? judged : beside(judged);
    });
  };
  return [
    ...against("true", "medic-fix", true),
    ...against("4 KiB", "medic-fix", true),
    ...against("true, limited", "medic", true),
    ...against("true", "medic", false),
    ...against("true, the shell's", "medic-fix", false),
  ];
}

function farTargets(cells: Cells, rttMs: number): Judged[] {
  return cells.flatMap(({ cell, measured }) =>
    (["medic-fix", "medic"] as const).flatMap((client) => {
      const judged = farOf(client, cell, measured, rttMs);
      return client === "medic" ? judged.map(beside) : judged;
    }),
  );
}

function farOf(
  client: "medic" | "medic-fix",
  cell: Cell,
  measured: ReadonlyMap<ClientName, Measured>,
  rttMs: number,
): Judged[] {
  const ours = measured.get(client);
  const which = `${cell.payload} at RTT ${rttMs}`;
  const less = client === "medic" ? ", whose host does less" : "";
  if (cell.concurrency > 1) {
    const rounds = new Map([...measured].map(([name, { perSecondRounds }]) => [name, perSecondRounds]));
    const best = bestPeer(rounds, "highest");
    const what = `commands per second of ${client}, ${which}, ten at once, of the best peer's (${best ?? "none is here"})${less}`;
    const theirs = best === undefined ? [] : rounds.get(best);
    return [judgeRatio({ what, wanted: "at least", bound: 1.5 }, ours?.perSecondRounds, theirs)];
  }
  const rounds = new Map([...measured].map(([name, { p50Rounds }]) => [name, p50Rounds]));
  const best = bestPeer(rounds, "lowest");
  const what = `p50 of ${client}, ${which}, of the best peer's (${best ?? "none is here"})${less}`;
  const theirs = best === undefined ? [] : rounds.get(best);
  return [
    judgeRatio({ what, wanted: "at most", bound: 0.57 }, ours?.p50Rounds, theirs),
    judge({ what: `p50 of ${client}, ${which}`, wanted: "at most", bound: rttMs + 12, unit: "ms" }, ours?.row.p50Ms),
  ];
}
