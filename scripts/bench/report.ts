// The report that lies beside the code: docs/benchmarks/*.json are kept runs, README.md and the charts are made of them
// and of nothing else, by one command.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { barChart } from "./chart.ts";
import type { ConnectionsReport } from "./connections.ts";
import { keepRecords } from "./fault-records.ts";
import { recount, type FaultsReport } from "./faults.ts";
import type { BenchReport, Row } from "./report-shape.ts";
import { descriptions } from "./roster.ts";
import { faultCells, faultHead, rowCells, rowHead, targetCells } from "./table.ts";
import { missedFirst } from "./targets.ts";
import { throughputMiB } from "./throughput.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "docs/benchmarks");
/** The folder of the fault table's raw records, in that folder. */
const keptRecords = "faults";
const order = ["latency", "burst", "dial", "throughput", "scale"];

type Saved = BenchReport | FaultsReport | ConnectionsReport;

export function save(report: Saved): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${nameOf(report)}.json`);
  const kept = isFaults(report) ? { ...report, records: keptRecords } : report;
  if (isFaults(report)) keepRecords(report.records, join(folder, keptRecords));
  writeFileSync(path, `${JSON.stringify(kept, null, 2)}\n`);
  format();
  process.stderr.write(`saved ${path}\n`);
}

export function writeReport(): number {
  mkdirSync(folder, { recursive: true });
  const reports = readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Saved);
  for (const report of reports.filter(isFaults)) recount(report, join(folder, report.records));
  if (reports.length === 0) throw new Error(`Cannot write a report: no runs in ${folder}. Run npm run bench -- all`);
  for (const report of reports.filter(isMeasured)) {
    for (const { file, svg } of charts(report)) writeFileSync(join(folder, file), svg);
  }
  writeFileSync(join(folder, "README.md"), readme(reports));
  format();
  process.stderr.write(`wrote ${join(folder, "README.md")}\n`);
  return 0;
}

export function readme(saved: readonly Saved[]): string {
  const reports = saved
    .filter(isMeasured)
    .toSorted((a, b) => order.indexOf(a.benchmark) - order.indexOf(b.benchmark) || a.rttMs - b.rttMs);
  const targets = missedFirst(reports.flatMap(({ targets }) => targets));
  const judged = targets.filter(({ isBeside }) => !isBeside);
  const missed = judged.filter(({ met }) => !met).length;
  return `# Benchmarks

Made by \`npm run bench -- report\` from the runs in this folder; measure them again with \`npm run bench -- all\`.
Every figure is of one run in which all clients took turns in short blocks on one machine, against a real sshd on
loopback. Ratios are taken within a round and then summed up (median; lowest and highest in brackets): absolute times
move with the machine's load, ratios hardly.

## Targets

${missed === 0 ? "All met." : `**${missed} of ${judged.length} missed**, first in the table.`} Where the time goes, what was tried and did not help, and why what is
missed is missed: [notes.md](notes.md).

Targets are judged where the host does the same work for both: the peers send the very line that Medic sends, \`exec true
</dev/null\` for a fix, with \`timeout -s KILL 60\` for a diagnostic. *Beside* is what is not alike and judged by nobody:
a limited diagnostic against the peers' plain command, and a started \`true\` against one that the peer's remote shell
answers itself.

${markdown(["", "target", "wanted", "measured"], targets.map(targetCells))}

## Who is measured

${markdown(
  ["client", "what it is"],
  Object.entries(descriptions).map(([name, what]) => [`\`${name}\``, what]),
)}

CPU is of the client's whole process tree and of sshd's, as the kernel counts it, for each command; RSS is the client's
at the end (of \`ssh\`: of the master). Connections are counted by sshd, the warm-up's included. Peers of npm run without
native add-ons, as Medic does.

**What the delay proxy hides.** A round trip of more than 0 ms is made by a TCP proxy on loopback that passes bytes on
later. It ends TCP on both of its sides and acknowledges at once, so it hides what Nagle's algorithm, delayed
acknowledgements, congestion windows and lost packets do between client and server: a client that does not switch
Nagle's algorithm off (ssh2 does not by itself) does better here than on a real line. RTT 0 is the direct path without
the proxy, and shows it.

${[...reports.map(section), ...saved.filter(isConnections).map(connectionsSection), ...saved.filter(isFaults).map(faultsSection)].join("\n")}`;
}

function isFaults(report: Saved): report is FaultsReport {
  return report.benchmark === "faults";
}

function isConnections(report: Saved): report is ConnectionsReport {
  return report.benchmark === "connections";
}

function isMeasured(report: Saved): report is BenchReport {
  return !isFaults(report) && !isConnections(report);
}

function connectionsSection({ server, results }: ConnectionsReport): string {
  const cells = results.map((row) => [
    row.client,
    row.temperature,
    row.burst,
    row.serverConnections,
    row.failed,
    row.wallMs,
  ]);
  return `## connections

What a burst costs against ${server.version} with stock limits (MaxSessions ${server.maxSessions}, MaxStartups ${server.maxStartups}), counted by sshd.

${markdown(["client", "", "burst", "connections", "failed", "ms"], cells)}
`;
}

function faultsSection({ date, server, seed, results, records }: FaultsReport): string {
  const held = results.filter(({ holds }) => holds).length;
  return `## faults

${held} of ${results.length} hold. What callers were told, and what the host itself recorded: *denied* is an error that says
nothing ran, *unknown* one that says it may have. ${date.slice(0, 10)}, ${server.version}, seed ${seed}. The raw records of both sides lie in [${records}](${records}), a folder for each row in
order: \`told.jsonl.gz\` (what each caller was told), \`ran.gz\` (each command's number, written by the command itself on the
host) and \`sshd.log.gz\`. \`npm run bench -- report\` counts them again and fails when the table says anything else.

${markdown(faultHead, results.map(faultCells))}
`;
}

function section(report: BenchReport): string {
  const { machine, server, missing, errors } = report;
  const peers = Object.entries(machine.peers).map(([name, version]) => `${name} ${version}`);
  const far = report.measuredRttMs === undefined ? "" : ` (an echo through the proxy took ${report.measuredRttMs} ms)`;
  return [
    `## ${titleOf(report)}`,
    "",
    ...charts(report).map(({ file, title }) => `![${title}](${file})\n`),
    markdown(rowHead, report.results.map(rowCells)),
    "",
    ...missing.map(({ client, why }) => `Missing: \`${client}\`: ${why}.\n`),
    ...Object.entries(errors).map(([who, error]) => `First error of ${who}: \`${error.replaceAll("`", "'")}\`\n`),
    `${report.date.slice(0, 10)}, commit ${machine.commit}; ${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, load ${machine.loadAverage} before the run; ` +
      `${server.version} (MaxSessions ${server.maxSessions}, MaxStartups ${server.maxStartups}), RTT ${report.rttMs} ms${far}, ${report.rounds} rounds; ` +
      `Node ${machine.node}, ssh2 ${machine.ssh2}, ${peers.join(", ")}.`,
    "",
  ].join("\n");
}

type Drawing = {
  title: string;
  unit: string;
  of: (row: Row) => number;
  cells: [payload: string, concurrency: number][];
};

const drawings: Readonly<Record<string, Drawing[]>> = {
  latency: [
    { title: "one at a time, p50", unit: "ms", of: (row) => row.p50Ms, cells: [["4 KiB", 1]] },
    { title: "ten at once", unit: "commands/s", of: (row) => row.perSecond, cells: [["4 KiB", 10]] },
  ],
  burst: [
    { title: "connections opened", unit: "", of: (row) => row.serverConnections, cells: [["true", 100]] },
    { title: "commands lost", unit: "", of: (row) => row.failed, cells: [["true", 100]] },
  ],
  dial: [{ title: "cold dial to first result, p50", unit: "ms", of: (row) => row.p50Ms, cells: [["dial + true", 1]] }],
  throughput: [
    {
      title: `${throughputMiB} MiB of output`,
      unit: "MiB/s",
      of: (row) => Math.round(row.perSecond * throughputMiB),
      cells: [[`${throughputMiB} MiB`, 1]],
    },
  ],
};

function charts(report: BenchReport): { file: string; title: string; svg: string }[] {
  return (drawings[report.benchmark] ?? []).flatMap(({ title, unit, of, cells }, index) =>
    cells.flatMap(([payload, concurrency]) => {
      const rows = report.results.filter((row) => row.payload === payload && row.concurrency === concurrency);
      if (rows.length === 0) return [];
      const full = `${titleOf(report)}: ${payload}, ${title}`;
      const bars = rows.map((row) => ({ label: row.client, value: of(row) ?? 0, isOurs: row.client === "medic" }));
      return [{ file: `${nameOf(report)}-${index + 1}.svg`, title: full, svg: barChart({ title: full, unit, bars }) }];
    }),
  );
}

function nameOf(report: Saved): string {
  const { benchmark } = report;
  const isByDistance = isMeasured(report) && (benchmark === "latency" || benchmark === "dial");
  return isByDistance ? `${benchmark}-rtt-${report.rttMs}` : benchmark;
}

function titleOf({ benchmark, rttMs }: BenchReport): string {
  return benchmark === "latency" || benchmark === "dial" ? `${benchmark}, RTT ${rttMs} ms` : benchmark;
}

function markdown(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function format(): void {
  const said = spawnSync("node_modules/.bin/oxfmt", ["docs/benchmarks"], { cwd: root, encoding: "utf8" });
  if (said.status !== 0) process.stderr.write(`Cannot format ${folder}: ${said.error?.message ?? said.stderr}\n`);
}
