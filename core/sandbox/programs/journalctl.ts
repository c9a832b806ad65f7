// `journalctl` as systemd 252 prints it. With `--since`, `-n` alone gives the newest lines only together with `-r`,
// as for real.
import type { JournalEntry, Systemd } from "../systemd.ts";
import type { Context, Program } from "../program.ts";
import { fail } from "../program.ts";
import { readOptions } from "./options.ts";

const VALUED = [
  "n",
  "lines",
  "S",
  "since",
  "U",
  "until",
  "u",
  "unit",
  "t",
  "identifier",
  "o",
  "output",
  "p",
  "priority",
  "g",
  "grep",
  "b",
];

/** The program, reading this journal. */
export function journalctlProgram(systemd: Systemd): Program {
  return (args, context) => {
    const options = readOptions(args, VALUED);
    if (options.has("disk-usage")) {
      context.stdout.write("Archived and active journals take up 104.0M in the file system.\n");
      return 0;
    }
    const since = timeOf(options.value("S", "since"), context.now());
    const until = timeOf(options.value("U", "until"), context.now());
    if (Number.isNaN(since) || Number.isNaN(until)) return fail(context, "Failed to parse timestamp: Invalid argument");
    const units = options.values("u", "unit");
    const identifiers = options.values("t", "identifier");
    const pattern = options.value("g", "grep");
    const matching = systemd.journal
      .toSorted((one, other) => one.at - other.at)
      .filter(
        (entry) =>
          entry.at >= (since ?? 0) &&
          entry.at <= (until ?? Infinity) &&
          (!options.has("k", "dmesg") || entry.identifier === "kernel") &&
          (units.length === 0 || units.some((unit) => entry.unit === unit || entry.unit === `${unit}.service`)) &&
          (identifiers.length === 0 || identifiers.includes(entry.identifier)) &&
          (pattern === undefined || new RegExp(pattern).test(entry.text)),
      );
    const count = options.has("n", "lines") ? Number(options.value("n", "lines") ?? 10) : Infinity;
    const isReversed = options.has("r", "reverse");
    if (isReversed) matching.reverse();
    const takesFirst = isReversed || since !== undefined;
    const kept = count === Infinity ? matching : takesFirst ? matching.slice(0, count) : matching.slice(-count);
    print(
      kept,
      options.value("o", "output") ?? "short",
      options.has("no-hostname"),
      options.has("q", "quiet"),
      context,
    );
    return 0;
  };
}

function print(
  entries: readonly JournalEntry[],
  format: string,
  hidesHost: boolean,
  isQuiet: boolean,
  context: Context,
): void {
  if (entries.length === 0 && !isQuiet) context.stdout.write("-- No entries --\n");
  for (const entry of entries) {
    const source = entry.identifier === "kernel" ? "kernel" : `${entry.identifier}[${entry.pid}]`;
    const host = hidesHost ? "" : "nexus ";
    if (format === "cat") context.stdout.write(`${entry.text}\n`);
    else if (format === "json") {
      const fields = {
        __REALTIME_TIMESTAMP: String(entry.at * 1000),
        SYSLOG_IDENTIFIER: entry.identifier,
        _PID: String(entry.pid),
        MESSAGE: entry.text,
      };
      context.stdout.write(`${JSON.stringify(fields)}\n`);
    } else context.stdout.write(`${timeText(entry.at, format)} ${host}${source}: ${entry.text}\n`);
  }
}

function timeText(at: number, format: string): string {
  const text = new Date(at).toISOString();
  if (format.startsWith("short-iso")) return `${text.slice(0, 19)}+0000`;
  const date = new Date(at);
  const month = date.toLocaleString("en", { month: "short", timeZone: "UTC" });
  return `${month} ${String(date.getUTCDate()).padStart(2, "0")} ${text.slice(11, 19)}`;
}

/** "15m ago", "2 hours ago", "-1h", "@seconds", a date; milliseconds since the epoch. */
function timeOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (text === "now") return now;
  if (text.startsWith("@")) return Number(text.slice(1)) * 1000;
  const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  const back = /^-?(\d+)\s*([smhdw])\w*(?:\s+ago)?$/.exec(text);
  if (back !== null) return now - Number(back[1]) * (units[back[2] ?? "s"] ?? 1) * 1000;
  return Date.parse(
    text
      .replace(/ UTC$/, "Z")
      .replace(/^(\d{4}-\d{2}-\d{2}) /, "$1T")
      .replace(/^([^Z]+)$/, "$1Z"),
  );
}
