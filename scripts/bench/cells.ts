// One row for each client out of interleaved rounds: warm-up, a size for the blocks by what the client can do, then
// rounds in which everybody has a turn, each beginning with another one.
import { block, releaseAll, type Block, type Field } from "./field.ts";
import type { Driver } from "./driver.ts";
import type { Answer } from "./peers/protocol.ts";
import type { Row } from "./report-shape.ts";
import type { ClientName } from "./roster.ts";
import { median, quantile, rounded } from "./statistics.ts";

export type Cell = {
  /** An argument vector, joined by blanks: what Medic is given. */
  command: string;
  /** What the peers send; the command itself when absent. */
  line?: string;
  /** Only these clients take part. */
  only?: readonly ClientName[];
  payload: string;
  concurrency: number;
  /** Commands a block at least and at most; at least one for each that runs at once. */
  countMin: number;
  countMax: number;
  /** Every command on a new client. */
  fresh?: boolean;
  /** No warm-up: the block begins without a connection. */
  cold?: boolean;
};

export type BlockTime = {
  rounds: number;
  /** How long one client's turn is meant to take. */
  blockMs: number;
  /** The longest that a client warms up. */
  warmMs: number;
  say(progress: string): void;
};

export type Measured = {
  row: Row;
  p50Rounds: number[];
  perSecondRounds: number[];
  wallRounds: number[];
  error?: string;
};

/** Enough for every runtime to have compiled what it runs, and for every client to have learned what it learns. */
const warmCommands = 300;

type Tally = { driver: Driver; count: number; connections: number; blocks: Block[]; error?: string };

export async function measureCell(field: Field, cell: Cell, time: BlockTime): Promise<Map<ClientName, Measured>> {
  await releaseAll(field);
  const tallies: Tally[] = [];
  const drivers = field.drivers.filter(({ name }) => cell.only?.includes(name) ?? true);
  for (const driver of drivers) tallies.push(await warmUp(field, driver, cell, time));
  for (let round = 0; round < time.rounds; round += 1) {
    time.say(`${cell.payload} × ${cell.concurrency}: round ${round + 1} of ${time.rounds}`);
    for (let turn = 0; turn < tallies.length; turn += 1) {
      const tally = tallies[(turn + round) % tallies.length];
      if (tally !== undefined) await takeTurn(field, tally, cell);
    }
  }
  return new Map(tallies.map((tally) => [tally.driver.name, sumUp(tally, cell)]));
}

async function warmUp(field: Field, driver: Driver, cell: Cell, { blockMs, warmMs }: BlockTime): Promise<Tally> {
  const tally: Tally = { driver, count: cell.countMax, connections: 0, blocks: [] };
  if (cell.cold === true) return tally;
  const run = (count: number) => driver.run(lineFor(driver, cell), { ...cell, count });
  const warm = await block(field, driver, async () => {
    // One alone first: what has a connection then keeps to it, what has none dials each time.
    const alone = await run(1);
    if (cell.countMax === 1) return alone;
    const startedAt = performance.now();
    let answer = alone;
    for (let commands = 1; commands < warmCommands && performance.now() - startedAt < warmMs; commands += tally.count) {
      tally.count = countFor(cell, answer, blockMs);
      answer = await run(tally.count);
    }
    tally.count = countFor(cell, answer, blockMs);
    return answer;
  });
  tally.connections = warm.connections;
  return tally;
}

/** Whole waves: a last one that is half empty would make everybody's commands per second look fewer. */
function countFor({ countMin, countMax, concurrency }: Cell, { wallMs, latenciesMs }: Answer, blockMs: number): number {
  const fitting = blockMs / (wallMs / Math.max(1, latenciesMs.length));
  return Math.max(1, Math.round(Math.min(countMax, Math.max(countMin, fitting)) / concurrency)) * concurrency;
}

function lineFor({ name }: Driver, { command, line }: Cell): string {
  return name.startsWith("medic") ? command : (line ?? command);
}

async function takeTurn(field: Field, tally: Tally, cell: Cell): Promise<void> {
  const { driver, count } = tally;
  const done = await block(field, driver, () => driver.run(lineFor(driver, cell), { ...cell, count }));
  tally.blocks.push(done);
  tally.connections += done.connections;
  if (done.answer.error !== undefined) tally.error ??= done.answer.error;
  if (cell.cold === true) await driver.release();
}

function sumUp({ driver, blocks, connections, error }: Tally, cell: Cell): Measured {
  const latencies = blocks.flatMap(({ answer }) => answer.latenciesMs);
  const failed = blocks.reduce((sum, { answer }) => sum + answer.failed, 0);
  const commands = latencies.length + failed;
  const perCommand = (pick: (done: Block) => number) =>
    rounded(blocks.reduce((sum, done) => sum + pick(done), 0) / commands);
  const perSecondRounds = blocks.map(({ answer }) => (answer.latenciesMs.length / answer.wallMs) * 1000);
  return {
    row: {
      client: driver.name,
      concurrency: cell.concurrency,
      payload: cell.payload,
      p50Ms: rounded(quantile(latencies, 0.5)),
      p95Ms: rounded(quantile(latencies, 0.95)),
      perSecond: rounded(median(perSecondRounds), 1),
      cpuMsPerCommand: perCommand(({ cpuMs }) => cpuMs),
      serverCpuMsPerCommand: perCommand(({ serverCpuMs }) => serverCpuMs),
      // A client whose processes live as long as a command has none to look at after it.
      rssMb: rounded(Math.max(...blocks.map(({ rssMb }) => rssMb)) || NaN, 1),
      failed,
      serverConnections: connections,
    },
    p50Rounds: blocks.map(({ answer }) => median(answer.latenciesMs)),
    perSecondRounds,
    wallRounds: blocks.map(({ answer }) => answer.wallMs),
    ...(error === undefined ? {} : { error }),
  };
}
