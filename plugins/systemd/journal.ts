// What the journal tells: a unit's lines, out-of-memory kills, its own size. An empty answer is only believed from who
// may read it: outside its groups journalctl prints nothing and exits 0.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Result, Unavailable } from "medic/plugin";
import * as v from "valibot";
import { journalTime, lines, since, unitName } from "./inputs.ts";
import { blind, bounded, propertiesOf } from "./show.ts";

const READERS = new Set(["systemd-journal", "adm", "wheel", "root"]);

const whoAmI = `echo "--medic:reader"
id -u
id -nG`;

export const systemdJournal = diagnostic({
  name: "systemd_journal",
  description:
    "Newest lines of one unit's journal, oldest of them first, with systemd's own lines about it; the newest boot and older ones.",
  input: v.strictObject({ unit: unitName, since: v.optional(since, "2h"), lines: v.optional(lines, 100) }),
  // -r: with --since, -n alone gives the oldest. -u: shows systemd's own lines even when the unit's output goes nowhere.
  command: (input) =>
    script(
      `${whoAmI}
echo "--medic:unit"
systemctl show -p LoadState,StandardOutput,StandardError -- "$1"
echo "--medic:journal"
journalctl --no-pager --no-hostname -o short-iso -r -n "$2" --since "$3" -u "$1"`,
      input.unit,
      String(input.lines),
      journalTime(input.since),
    ),
  parse(result, input) {
    const said = sections(result.stdout);
    const found = journalLines(said["journal"]).toReversed();
    const closed = mayNotRead(result, said["reader"], found);
    if (closed !== undefined) return closed;
    const unit = propertiesOf(said["unit"] ?? "");
    const exists = unit.get("LoadState") !== "not-found";
    const output = unit.get("StandardOutput") ?? "";
    const silent = output === "null" && ["null", "inherit"].includes(unit.get("StandardError") ?? "");
    return {
      unit: input.unit,
      exists,
      since: input.since,
      lines: found,
      ...(found.length >= input.lines ? { cut: `only the newest ${input.lines} lines` } : {}),
      ...(silent
        ? { note: "StandardOutput=null: what this unit says goes nowhere, only systemd's own lines are here" }
        : {}),
    };
  },
});

export const systemdOom = diagnostic({
  name: "systemd_oom",
  description: "Out-of-memory kills: the kernel's own and those systemd noticed, newest 50, oldest of them first.",
  input: v.strictObject({ since: v.optional(since, "1d") }),
  command: (input) =>
    script(
      `${whoAmI}
echo "--medic:kernel"
journalctl --no-pager --no-hostname -o short-iso -k --since "$1" | grep -E "Out of memory|oom-kill:|Killed process|oom_reaper" | tail -n 50
echo "--medic:units"
journalctl --no-pager --no-hostname -o short-iso -t systemd --since "$1" | grep -E "OOM killer|oom-kill" | tail -n 50
echo "--medic:end"`,
      journalTime(input.since),
    ),
  parse(result, input) {
    const said = sections(result.stdout);
    const kernel = journalLines(said["kernel"]);
    const units = journalLines(said["units"]);
    // Inside a pipe journalctl's exit is lost, so its last marker and its complaints have to tell.
    const closed = mayNotRead(result, said["reader"], [...kernel, ...units]);
    if (closed !== undefined) return closed;
    if (said["end"] === undefined) return unavailable(result);
    return { since: input.since, kernel, units, killed: killedIn(kernel) };
  },
});

export const systemdJournalUsage = diagnostic({
  name: "systemd_journal_usage",
  description: "How much disk the journal takes.",
  input: v.strictObject({}),
  command: () => ["journalctl", "--disk-usage"],
  parse(result) {
    const closed = ownOnly(result);
    if (closed !== undefined) return closed;
    const bytes = bytesIn(result.stdout);
    if (bytes === undefined) return blind(result) ?? unavailable(result);
    return { bytes, says: bounded(result.stdout.trim()) };
  },
});

/** journalctl shows only their own messages to those who may not see others', and says so beside. */
export function ownOnly({ stderr }: Result): Unavailable | undefined {
  if (!/insufficient permissions|not seeing messages from/.test(stderr)) return undefined;
  return unavailable("this user may not read the journal: insufficient permissions");
}

/** "Archived and active journals take up 8.0M in the file system." → bytes. */
export function bytesIn(text: string): number | undefined {
  const figure = /take up ([\d.]+)\s*([KMGT]?)B?\b/.exec(text);
  if (figure === null) return undefined;
  return Math.round(Number(figure[1]) * 1024 ** ("KMGT".indexOf(figure[2] ?? "") + (figure[2] === "" ? 0 : 1)));
}

function journalLines(text: string | undefined): string[] {
  return (text ?? "")
    .split("\n")
    .filter(
      (line) => line !== "" && !/^-- (?:No entries|(?:Journal|Logs) begins? at|Boot [0-9a-f]+|Reboot) ?/.test(line),
    )
    .map((line) => bounded(line));
}

function mayNotRead(result: Result, reader: string | undefined, found: readonly string[]): Unavailable | undefined {
  const nobody = blind(result);
  if (nobody !== undefined) return nobody;
  if (found.length > 0) return undefined;
  const closed = ownOnly(result);
  if (closed !== undefined) return closed;
  const [id, groups = ""] = (reader ?? "").split("\n");
  if (id === undefined || id === "") return unavailable(result);
  if (id === "0" || groups.split(" ").some((group) => READERS.has(group))) {
    return result.exit === 0 ? undefined : unavailable(result);
  }
  return unavailable("this user may not read the journal: it is not in the group systemd-journal");
}

function killedIn(lines: readonly string[]): string[] {
  const names = lines.flatMap((line) => /Killed process \d+ \(([^)]{1,64})\)/.exec(line)?.[1] ?? []);
  return [...new Set(names)];
}
