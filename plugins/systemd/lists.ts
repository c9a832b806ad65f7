// Units seen together: what failed, what a unit needs and who needs it, timers, and a unit's files.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import * as v from "valibot";
import { byUnit } from "./inputs.ts";
import { blind, bounded, namesOf, numberOf, propertiesOf, unitsOf } from "./show.ts";

const UNITS_MAX = 200;
const FILE_LINES_MAX = 400;

export const systemdFailed = diagnostic({
  name: "systemd_failed",
  description: "All failed units, and the state of the system as systemd sees it.",
  input: v.strictObject({}),
  command: () =>
    script(`echo "--medic:system"
systemctl show -p SystemState -p NFailedUnits
echo "--medic:failed"
systemctl list-units --failed --no-legend --plain --no-pager`),
  parse(result) {
    const said = sections(result.stdout);
    const system = propertiesOf(said["system"] ?? "");
    if (system.get("SystemState") === undefined || said["failed"] === undefined)
      return blind(result) ?? unavailable(result);
    const failed = said["failed"].split("\n").flatMap((line) => {
      // Without `--plain`, and in some versions with it, a bullet stands before what failed.
      const parts = /^\s*(?:[●×*]\s+)?(\S+\.[a-z]+)\s+(\S+)\s+failed\s+(\S+)\s*(.*)$/.exec(line);
      return parts === null ? [] : [{ unit: parts[1] ?? "", sub: parts[3] ?? "", description: parts[4] ?? "" }];
    });
    // systemd counts them too: a list that nobody could read is not an empty one.
    const counted = numberOf(system, "NFailedUnits") ?? 0;
    if (failed.length === 0 && counted > 0)
      return unavailable(`${counted} units failed, and their list cannot be read`);
    return { system: system.get("SystemState") ?? "", failed: failed.slice(0, UNITS_MAX) };
  },
});

export const systemdDependencies = diagnostic({
  name: "systemd_dependencies",
  description: "What a unit needs, with the state of each, and which units need it.",
  input: byUnit,
  // Names of units hold no blanks, so the list may be split; `set -f` keeps the shell from globbing it.
  command: ({ unit }) =>
    script(
      `set -f
echo "--medic:unit"
systemctl show -p Id,LoadState,Requires,Requisite,BindsTo,Wants,RequiredBy,BoundBy,WantedBy,ConsistsOf,TriggeredBy -- "$1"
needed=$(systemctl show --value -p Requires -p Requisite -p BindsTo -p Wants -- "$1")
echo "--medic:needed"
if [ -n "$needed" ]; then systemctl show -p Id,LoadState,ActiveState,SubState,Result -- $needed; fi`,
      unit,
    ),
  parse(result, { unit }) {
    const said = sections(result.stdout);
    const shown = propertiesOf(said["unit"] ?? "");
    if (shown.get("Id") === undefined || said["needed"] === undefined) return blind(result) ?? unavailable(result);
    if (shown.get("LoadState") === "not-found") return { unit, exists: false } as const;
    const must = new Set(namesOf(shown, "Requires", "Requisite", "BindsTo"));
    const needs = unitsOf(said["needed"]).map((one) => ({
      unit: one.get("Id") ?? "",
      must: must.has(one.get("Id") ?? ""),
      load: one.get("LoadState") ?? "",
      active: one.get("ActiveState") ?? "",
      sub: one.get("SubState") ?? "",
    }));
    return {
      unit,
      exists: true,
      needs: needs.slice(0, UNITS_MAX),
      // A unit that is required in two ways is shown twice.
      broken: [...new Set(needs.filter((one) => one.must && one.active === "failed").map((one) => one.unit))],
      neededBy: namesOf(shown, "RequiredBy", "BoundBy", "ConsistsOf"),
      wantedBy: namesOf(shown, "WantedBy"),
      triggeredBy: namesOf(shown, "TriggeredBy"),
    } as const;
  },
});

export const systemdTimers = diagnostic({
  name: "systemd_timers",
  description: "All loaded timers: what each starts, when it last did and when it will.",
  input: v.strictObject({}),
  command: () => [
    "systemctl",
    "show",
    "-p",
    "Id,ActiveState,Unit,Result,LastTriggerUSec,NextElapseUSecRealtime,NextElapseUSecMonotonic",
    "--",
    "*.timer",
  ],
  parse(result) {
    const nobody = blind(result);
    if (nobody !== undefined || result.exit !== 0) return nobody ?? unavailable(result);
    const timers = unitsOf(result.stdout).map((timer) => ({
      timer: timer.get("Id") ?? "",
      starts: timer.get("Unit") ?? "",
      active: timer.get("ActiveState") ?? "",
      result: timer.get("Result") ?? "",
      last: timer.get("LastTriggerUSec") || "never",
      // A timer by the calendar has a date, one by uptime a span since boot.
      next: timer.get("NextElapseUSecRealtime") || timer.get("NextElapseUSecMonotonic") || "none",
    }));
    return { timers: timers.slice(0, UNITS_MAX) };
  },
});

export const systemdCat = diagnostic({
  name: "systemd_cat",
  description: "The unit file and its drop-ins, with the values of Environment= left out.",
  input: byUnit,
  command: ({ unit }) => ["systemctl", "cat", "--no-pager", "--", unit],
  parse(result, { unit }) {
    const nobody = blind(result);
    if (nobody !== undefined) return nobody;
    if (/No files found for/.test(result.stderr)) return { unit, exists: false } as const;
    if (result.exit !== 0 || !result.stdout.startsWith("# ")) return unavailable(result);
    const lines = result.stdout.trimEnd().split("\n");
    return {
      unit,
      exists: true,
      lines: withoutSecrets(lines)
        .slice(0, FILE_LINES_MAX)
        .map((line) => bounded(line)),
      ...(lines.length > FILE_LINES_MAX ? { cut: `only the first ${FILE_LINES_MAX} of ${lines.length} lines` } : {}),
    } as const;
  },
});

/** Values of environment and credentials stay on the host: they are passwords as often as not. */
function withoutSecrets(lines: readonly string[]): string[] {
  let isSecret = false;
  return lines.map((line) => {
    const goesOn = line.endsWith("\\");
    const assigned = /^\s*(Environment|SetCredential(?:Encrypted)?)\s*=(.*)$/.exec(line);
    const hidden = assigned !== null || isSecret;
    isSecret = hidden && goesOn;
    if (!hidden) return line;
    const names = (assigned?.[2] ?? line).match(/[A-Za-z_][\w.-]*(?=[=:])/g) ?? [];
    return `${assigned === null ? "  " : `${assigned[1]}=`}${names.map((name) => `${name}=…`).join(" ")}`;
  });
}
