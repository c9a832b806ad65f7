// A thousand hosts in one process: what a connection costs to have, and whether memory stays flat while all are used.
// Every connection ends in a real sshd; the peers hold fewer where theirs are only there to be compared a connection.
import type { Closing } from "./closing.ts";
import { block, raisedLimits, takeField, type Field } from "./field.ts";
import type { Driver } from "./driver.ts";
import type { BlockTime, Measured } from "./cells.ts";
import { describeMachine, type BenchReport } from "./report-shape.ts";
import type { ClientName } from "./roster.ts";
import { reportOf } from "./scenario.ts";
import { median, quantile, rounded } from "./statistics.ts";
import { judge } from "./targets.ts";

const clients = ["medic", "seed-dict", "asyncssh", "go"] as const;
const peerShare = 0.1;
/** Dials under way at once, and commands. */
const concurrency = 10;
const flatRatio = 1.1;
const roundsMin = 6;

type Scaled = { measured: Measured; rssMbRounds: number[] };

export async function benchScale(closing: Closing, connections: number, time: BlockTime): Promise<BenchReport> {
  const field = await takeField({ clients, rttMs: 0, limits: raisedLimits }, closing);
  const machine = describeMachine(field.sshd);
  const many = { ...time, rounds: Math.max(roundsMin, time.rounds) };
  const all = new Map<ClientName, Measured>();
  let ours: Scaled | undefined;
  for (const driver of field.drivers) {
    const isOurs = driver.name === "medic";
    const hosts = isOurs ? connections : Math.max(1, Math.round(connections * peerShare));
    time.say(`${driver.name}: ${hosts} connections`);
    const scaled = await hold(field, driver, hosts, many);
    if (isOurs) ours = scaled;
    all.set(driver.name, scaled.measured);
  }
  // Halves, since one look at a garbage-collected process says little.
  const rss = ours?.rssMbRounds ?? [];
  const half = Math.floor(rss.length / 2);
  const ratio = median(rss.slice(-half)) / median(rss.slice(0, half));
  const what = `memory with ${connections} pooled connections, later rounds over all, of earlier ones`;
  const target = judge({ what, wanted: "at most", bound: flatRatio }, ratio);
  const failed = judge(
    { what: `commands lost over ${connections} connections`, wanted: "at most", bound: 0, unit: "commands" },
    ours?.measured.row.failed,
  );
  return reportOf("scale", machine, field, many, [all], [target, failed]);
}

async function hold(field: Field, driver: Driver, hosts: number, { rounds, say }: BlockTime): Promise<Scaled> {
  const all = { count: hosts, hosts, concurrency };
  const run = () => block(field, driver, () => driver.run("true", all));
  const emptyMb = driver.cost().rssMb;
  const dialed = await run();
  say(`${driver.name}: ${rounded((hosts / dialed.answer.wallMs) * 1000, 0)} dials a second`);
  const blocks = [];
  for (let round = 0; round < rounds; round += 1) {
    blocks.push(await run());
  }
  await driver.release();
  const rssMbRounds = blocks.map(({ rssMb }) => rssMb);
  const latencies = blocks.flatMap(({ answer }) => answer.latenciesMs);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const failed = sum([dialed, ...blocks].map(({ answer }) => answer.failed));
  const perSecondRounds = blocks.map(({ answer }) => (answer.latenciesMs.length / answer.wallMs) * 1000);
  const rssMb = rssMbRounds.at(-1) ?? NaN;
  say(`${driver.name}: ${rounded(((rssMb - emptyMb) / hosts) * 1024, 0)} KiB a connection`);
  const error = [dialed, ...blocks].find(({ answer }) => answer.error !== undefined)?.answer.error;
  const measured: Measured = {
    row: {
      client: driver.name,
      concurrency,
      payload: `true over ${hosts} connections`,
      p50Ms: rounded(quantile(latencies, 0.5)),
      p95Ms: rounded(quantile(latencies, 0.95)),
      perSecond: rounded(median(perSecondRounds), 1),
      cpuMsPerCommand: rounded(sum(blocks.map(({ cpuMs }) => cpuMs)) / (hosts * rounds)),
      serverCpuMsPerCommand: rounded(sum(blocks.map(({ serverCpuMs }) => serverCpuMs)) / (hosts * rounds)),
      rssMb: rounded(rssMb, 1),
      failed,
      serverConnections: sum([dialed, ...blocks].map(({ connections }) => connections)),
    },
    p50Rounds: blocks.map(({ answer }) => median(answer.latenciesMs)),
    perSecondRounds,
    wallRounds: blocks.map(({ answer }) => answer.wallMs),
    ...(error === undefined ? {} : { error }),
  };
  return { measured, rssMbRounds };
}
