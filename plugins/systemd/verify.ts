// systemd_verify: what is wrong with a unit's files, by line. systemd says so once, when it loads them, and
// `systemd-analyze verify` says it again at any time. Reads only; the values of a line stay on the host.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import { byUnit } from "./inputs.ts";
import { blind, bounded, propertiesOf } from "./show.ts";

const FAULTS_MAX = 20;

export const systemdVerify = diagnostic({
  name: "systemd_verify",
  description: "Faults in a unit's file and drop-ins, with file and line; when each of them was last edited.",
  input: byUnit,
  command: ({ unit }) =>
    script(
      `echo "--medic:unit"
systemctl show -p LoadState,LoadError,FragmentPath,DropInPaths,NeedDaemonReload -- "$1"
echo "--medic:verify"
systemd-analyze verify --man=no --generators=no --recursive-errors=no -- "$1" 2>&1 || systemd-analyze verify --man=no --generators=no -- "$1" 2>&1
echo "--medic:edited"
for path in $(systemctl show --value -p FragmentPath -p DropInPaths -- "$1"); do stat -c '%Y %n' -- "$path"; done
echo "--medic:end"`,
      unit,
    ),
  parse(result, { unit }) {
    const said = sections(result.stdout);
    const shown = propertiesOf(said["unit"] ?? "");
    if (shown.get("LoadState") === undefined || said["end"] === undefined) return blind(result) ?? unavailable(result);
    if (shown.get("LoadState") === "not-found") return { unit, exists: false } as const;
    const verified = said["verify"] ?? "";
    if (/systemd-analyze: (?:command )?not found/.test(verified))
      return unavailable("this host has no systemd-analyze");
    const edited = (said["edited"] ?? "").split("\n").flatMap((line) => {
      const row = /^(\d{9,11}) (\/.+)$/.exec(line);
      return row === null ? [] : [{ file: row[2] ?? "", at: new Date(Number(row[1]) * 1000).toISOString() }];
    });
    const loadError = /"(.+)"/.exec(shown.get("LoadError") ?? "")?.[1];
    return {
      unit,
      exists: true,
      load: shown.get("LoadState") ?? "",
      ...(loadError === undefined ? {} : { loadError: bounded(loadError, 300) }),
      needsDaemonReload: shown.get("NeedDaemonReload") === "yes",
      faults: faultsOf(verified, unit),
      edited,
    } as const;
  },
});

/** Its own faults: "/etc/systemd/system/x.service:7: Unknown key …", "x.service: Service has no ExecStart= …". */
function faultsOf(text: string, unit: string): { file?: string; line?: number; fault: string }[] {
  const seen = new Set<string>();
  const faults = text.split("\n").flatMap((line) => {
    if (seen.has(line)) return [];
    seen.add(line);
    const placed = /^(\/\S+?):(\d+): (.+)$/.exec(line);
    if (placed !== null && (placed[1] ?? "").includes(unit)) {
      return [{ file: placed[1] ?? "", line: Number(placed[2]), fault: bounded(placed[3] ?? "", 300) }];
    }
    return line.startsWith(`${unit}: `) ? [{ fault: bounded(line.slice(unit.length + 2), 300) }] : [];
  });
  return faults.slice(0, FAULTS_MAX);
}
