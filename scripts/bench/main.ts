// `npm run bench -- <scenario>`: figures anybody can measure again. A scenario measures and returns values; printing,
// saving and the exit code are here.
import { parseArgs } from "node:util";
import { benchBinary } from "./binary.ts";
import { benchBurst } from "./burst.ts";
import { Closing } from "./closing.ts";
import { benchConnections, holds, type ConnectionsReport } from "./connections.ts";
import { benchDial } from "./dial.ts";
import { benchFaults } from "./faults.ts";
import { benchIdle, type IdleReport } from "./idle.ts";
import { benchLatency } from "./latency.ts";
import { save, writeReport } from "./report.ts";
import type { BenchReport } from "./report-shape.ts";
import { benchScale } from "./scale.ts";
import type { BlockTime } from "./cells.ts";
import { hasSshd, startSandbox, startSshd } from "./server.ts";
import { setup } from "./setup.ts";
import { columns, faultsTable, reportTable } from "./table.ts";
import { benchThroughput } from "./throughput.ts";

const usage = `usage: npm run bench -- connections [--bursts 5,10,24,50,100] [--server sshd|sandbox] [--json] [--save]
       npm run bench -- idle [--server sshd|sandbox] [--json]
       npm run bench -- latency [--rtt 0|20|50]      one command on a standing connection, one and ten at once
       npm run bench --  burst                        100 at once on a cold client
       npm run bench -- dial [--rtt 50]              from nothing to the first result
       npm run bench -- throughput                   100 MiB of output
       npm run bench -- scale [--connections 1000]   pooled connections in one process
         each of these with [--rounds 5] [--quick] [--json] [--save]
       npm run bench -- faults [--commands 10000] [--seed 1] [--json] [--save]   what breaks, and both sides' counts
       npm run bench -- binary [--save]              one file for the edge: size, start, memory; into docs/binary.md
       npm run bench -- setup [--yes]                installs sshd and the peers
       npm run bench -- report                       writes docs/benchmarks/README.md from what --save kept
       npm run bench -- all                          all of these, saved, and the report
Ends with 1 when Medic lost a command or broke a promise; missed targets are told first, and end with 0.
connections and idle use a real sshd with stock limits where /usr/sbin/sshd exists, else the sandbox; the others need sshd.`;

const options = {
  bursts: { type: "string", default: "5,10,24,50,100" },
  server: { type: "string", default: hasSshd() ? "sshd" : "sandbox" },
  json: { type: "boolean", default: false },
  rtt: { type: "string" },
  rounds: { type: "string" },
  quick: { type: "boolean", default: false },
  connections: { type: "string", default: "1000" },
  commands: { type: "string" },
  seed: { type: "string", default: "1" },
  save: { type: "boolean", default: false },
  yes: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;
const fullTime = { blockMs: 400, warmMs: 2000 };
const quickTime = { blockMs: 150, warmMs: 1000 };
type Values = ReturnType<typeof parse>["values"];
type Scenario = (closing: Closing, time: BlockTime) => Promise<BenchReport>;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { positionals, values } = parse();
    if (values.help) {
      process.stdout.write(`${usage}\n`);
      return 0;
    }
    const [name = "", ...rest] = positionals;
    if (rest.length > 0) return complain(`Cannot run "${positionals.join(" ")}": one benchmark at a time`);
    if (name === "connections" || name === "idle") return await against(name, values);
    if (name === "setup") return await setup(values.yes);
    if (name === "report") return writeReport();
    if (name === "binary") return await binary(values.save);
    if (name === "faults") return await faults(values);
    const scenarios = withPeers(values);
    if (name === "all") return await runAll(values);
    const scenario = scenarios.get(name);
    if (scenario === undefined) return complain(`Cannot run "${name}": no such benchmark`);
    const report = await run(name, scenario, values);
    print(values.json, report, reportTable(report));
    if (values.save) save(report);
    return losesNothing(report) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

function parse() {
  return parseArgs({ options, allowPositionals: true });
}

function withPeers(values: Values): ReadonlyMap<string, Scenario> {
  const rttMs = (fallback: number) => whole("--rtt", values.rtt ?? String(fallback), 0, 1000);
  const connections = whole("--connections", values.connections, 1, 5000);
  return new Map<string, Scenario>([
    ["latency", (closing, time) => benchLatency(closing, rttMs(0), time)],
    ["burst", (closing, time) => benchBurst(closing, rttMs(0), time)],
    ["dial", (closing, time) => benchDial(closing, rttMs(50), time)],
    ["throughput", benchThroughput],
    ["scale", (closing, time) => benchScale(closing, connections, time)],
  ]);
}

async function run(name: string, scenario: Scenario, values: Values): Promise<BenchReport> {
  const rounds = whole("--rounds", values.rounds ?? (values.quick ? "2" : "5"), 1, 100);
  return closingAfter(name, (closing, say) =>
    scenario(closing, { rounds, ...(values.quick ? quickTime : fullTime), say }),
  );
}

async function closingAfter<T>(
  name: string,
  use: (closing: Closing, say: (progress: string) => void) => Promise<T>,
): Promise<T> {
  if (!hasSshd()) throw new Error(`Cannot run "${name}": there is no /usr/sbin/sshd. Run npm run bench -- setup`);
  const closing = new Closing();
  try {
    return await use(closing, (progress) => void process.stderr.write(`${name}: ${progress}\n`));
  } finally {
    await closing.close();
  }
}

async function runAll(values: Values): Promise<number> {
  let isSound = true;
  for (const rtt of ["0", "20", "50"]) {
    // Nothing is judged at 20 ms: it is there to be seen between the two.
    const isSoundThere = await runOne("latency", { ...values, rtt, quick: values.quick || rtt === "20" });
    isSound &&= isSoundThere;
  }
  for (const name of ["burst", "dial", "throughput", "scale"]) {
    isSound = (await runOne(name, values)) && isSound;
  }
  const saved = { ...values, save: true };
  const code = Math.max(await against("connections", saved), await faults(saved), isSound ? 0 : 1);
  writeReport();
  return code;
}

async function runOne(name: string, values: Values): Promise<boolean> {
  const scenario = withPeers(values).get(name);
  if (scenario === undefined) return false;
  const report = await run(name, scenario, values);
  process.stdout.write(`${reportTable(report)}\n\n`);
  save(report);
  return losesNothing(report);
}

/** A missed target is told, not an error: a busy machine misses some. A command that Medic lost is one. */
function losesNothing({ results }: BenchReport): boolean {
  return results.every(({ client, failed }) => !client.startsWith("medic") || failed === 0);
}

async function faults(values: Values): Promise<number> {
  const commands = whole("--commands", values.commands ?? (values.quick ? "1000" : "10000"), 1, 100_000);
  const seed = whole("--seed", values.seed, 0, 1_000_000);
  const report = await closingAfter("faults", (closing, say) => benchFaults(closing, { commands, seed, say }));
  print(values.json, report, faultsTable(report));
  if (values.save) save(report);
  return report.results.every(({ holds }) => holds) ? 0 : 1;
}

async function binary(isSaved: boolean): Promise<number> {
  const text = await benchBinary(isSaved, (progress) => void process.stderr.write(`binary: ${progress}\n`));
  process.stdout.write(`${text}\n`);
  return 0;
}

/** Those that compare only designs, and run where there is no sshd too. */
async function against(name: "connections" | "idle", values: Values): Promise<number> {
  const bursts = values.bursts.split(",").map((burst) => whole("--bursts", burst, 1, 1000));
  if (values.server !== "sshd" && values.server !== "sandbox") {
    return complain(`Cannot use --server "${values.server}": sshd or sandbox`);
  }
  const server = await (values.server === "sshd" ? startSshd() : startSandbox());
  const closing = new Closing();
  closing.add(() => server.close());
  try {
    if (name === "connections") {
      const report = await benchConnections(server, bursts);
      print(values.json, report, connectionsTable(report));
      if (values.save) save(report);
      return holds(report) ? 0 : 1;
    }
    const report = await benchIdle(server);
    print(values.json, report, idleTable(report));
    return report.results.every((row) => row.passed) ? 0 : 1;
  } finally {
    await closing.close();
  }
}

function whole(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new Error(`Cannot use ${option} "${text}": whole numbers from ${least} to ${most}`);
}

function complain(text: string): number {
  process.stderr.write(`${text}\n${usage}\n`);
  return 2;
}

function print(isJson: boolean, report: object, table: string): void {
  process.stdout.write(isJson ? `${JSON.stringify(report)}\n` : `${table}\n`);
}

function connectionsTable({ server, results }: ConnectionsReport): string {
  const head = `${server.kind} ${server.version}, MaxSessions ${server.maxSessions}, MaxStartups ${server.maxStartups}; counted by the server\n`;
  const rows = results.map((row) => [
    row.client,
    row.temperature,
    row.burst,
    row.serverConnections,
    row.failed,
    row.wallMs,
  ]);
  return head + columns([["client", "", "burst", "connections", "failed", "ms"], ...rows]);
}

function idleTable({ server, results }: IdleReport): string {
  const rows = results.map((row) => [row.passed ? "yes" : "NO", row.claim, row.saw]);
  return `${server.kind} ${server.version}; seen in the server's log\n${columns([["holds", "claim", "seen"], ...rows])}`;
}
