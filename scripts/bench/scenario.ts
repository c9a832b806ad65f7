// From what was measured to what is handed over, the same for all scenarios.
import type { BlockTime, Measured } from "./cells.ts";
import type { BenchReport, Machine } from "./report-shape.ts";
import type { Field } from "./field.ts";
import type { ClientName } from "./roster.ts";
import { missedFirst, type Judged } from "./targets.ts";

/** `machine` is described before the run: the run itself is load. */
export function reportOf(
  benchmark: string,
  machine: Machine,
  field: Field,
  { rounds }: BlockTime,
  cells: readonly ReadonlyMap<ClientName, Measured>[],
  targets: readonly Judged[],
): BenchReport {
  const { kind, version, maxSessions, maxStartups } = field.sshd;
  const all = cells.flatMap((cell) => [...cell.values()]);
  const errors = all.flatMap(({ row, error }) =>
    error === undefined ? [] : [[`${row.client}, ${row.payload} × ${row.concurrency}`, error] as const],
  );
  return {
    benchmark,
    date: new Date().toISOString(),
    machine,
    rttMs: field.rttMs,
    ...(field.measuredRttMs === undefined ? {} : { measuredRttMs: field.measuredRttMs }),
    server: { kind, version, maxSessions, maxStartups },
    rounds,
    results: all.map(({ row }) => row),
    targets: missedFirst(targets),
    missing: field.missing,
    errors: Object.fromEntries(errors),
  };
}
