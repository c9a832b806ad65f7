// Tables for the terminal: text to the left, numbers to the right; the targets with what was missed on top.
import type { FaultRow, FaultsReport } from "./faults.ts";
import type { BenchReport, Row } from "./report-shape.ts";
import type { Judged } from "./targets.ts";

type Cell = string | number;

export function columns(rows: readonly (readonly Cell[])[]): string {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => String(row[index]).length)));
  const cell = (value: Cell, width: number) =>
    typeof value === "number" ? String(value).padStart(width) : value.padEnd(width);
  return rows
    .map((row) =>
      row
        .map((value, index) => cell(value, widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export const rowHead = [
  "client",
  "at once",
  "payload",
  "p50 ms",
  "p95 ms",
  "per s",
  "CPU ms",
  "sshd CPU ms",
  "RSS MB",
  "failed",
  "connections",
] as const;

export function rowCells(row: Row): Cell[] {
  return [
    row.client,
    row.concurrency,
    row.payload,
    row.p50Ms,
    row.p95Ms,
    row.perSecond,
    row.cpuMsPerCommand,
    row.serverCpuMsPerCommand,
    row.rssMb,
    row.failed,
    row.serverConnections,
  ].map((cell) => (typeof cell === "number" && Number.isNaN(cell) ? "–" : (cell ?? "–")));
}

export function targetCells({ met, isBeside, what, wanted, bound, unit, figure, spread }: Judged): string[] {
  const suffix = unit === "ratio" ? "" : ` ${unit}`;
  const range = spread === undefined ? "" : ` (${spread[0]} – ${spread[1]})`;
  const measured = figure === null ? "not measured" : `${figure}${suffix}${range}`;
  return [
    isBeside ? "beside" : met ? "met" : "MISSED",
    what,
    `${wanted === "at most" ? "≤" : "≥"} ${bound}${suffix}`,
    measured,
  ];
}

export const faultHead = [
  "",
  "fault",
  "wanted",
  "commands",
  "done",
  "denied",
  "unknown",
  "of these ran",
  "ran twice",
  "done, not run",
  "denied, ran",
  "connections",
  "s",
] as const;

export function faultCells(row: FaultRow): Cell[] {
  return [
    row.holds ? "holds" : "BROKEN",
    row.fault,
    row.wanted,
    row.commands,
    row.done,
    row.denied,
    row.unknown,
    row.unknownRan,
    row.ranTwice,
    row.doneNotRun,
    row.deniedRan,
    row.serverConnections,
    row.seconds,
  ];
}

export function faultsTable({ server, seed, results, records }: FaultsReport): string {
  const head = `faults; ${server.version}, seed ${seed}; told by Medic, ran as the host itself recorded it (${records})`;
  const errors = results.flatMap(({ fault, errors }) =>
    Object.keys(errors).length === 0 ? [] : [`${fault}: ${JSON.stringify(errors)}`],
  );
  return [head, columns([faultHead, ...results.map(faultCells)]), ...errors].join("\n");
}

export function reportTable(report: BenchReport): string {
  const { machine, server, missing, errors } = report;
  const lines = [
    `${report.benchmark}, RTT ${report.rttMs} ms${
      report.measuredRttMs === undefined ? ", direct" : ` (an echo through the proxy: ${report.measuredRttMs} ms)`
    }; ${server.version}, MaxSessions ${server.maxSessions}, MaxStartups ${server.maxStartups}`,
    `${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, load ${machine.loadAverage}; ${report.rounds} rounds`,
    "",
    columns([["", "target", "wanted", "measured (rounds)"], ...report.targets.map(targetCells)]),
    "",
    columns([rowHead, ...report.results.map(rowCells)]),
    ...missing.map(({ client, why }) => `missing: ${client}: ${why}`),
    ...Object.entries(errors).map(([who, error]) => `first error of ${who}: ${error}`),
  ];
  return (report.targets.length === 0 ? lines.toSpliced(3, 2) : lines).join("\n");
}
