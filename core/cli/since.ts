// `--since`: how far back, as a duration (`30d`, `12h`) or as a time (`2026-11-01`, `2026-11-01T08:00:00Z`).
import { UsageError } from "./context.ts";

const MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds since 1970. Throws UsageError. */
export function sinceOf(written: string, now: number): number {
  const [, amount = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(written) ?? [];
  if (unit !== "") return Math.max(0, now - Number(amount) * (MS[unit] ?? 0));
  // Only what begins with a whole date: other texts mean something else to each runtime.
  const at = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(written) ? Date.parse(written) : Number.NaN;
  if (Number.isNaN(at)) {
    throw new UsageError(
      `Cannot read --since "${written}": write how far back, like 30d or 12h, or a time, like 2026-11-01`,
    );
  }
  return Math.max(0, at);
}
