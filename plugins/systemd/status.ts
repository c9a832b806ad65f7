// systemd_status: one unit, asked for its properties. Never `is-active` and never the text of `status`: exit codes and
// texts of those differ between versions, and a missing unit exits 0 here.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import { byUnit } from "./inputs.ts";
import { blind, namesOf, numberOf, propertiesOf, spanSeconds, type Properties } from "./show.ts";

const properties =
  "Id,Description,LoadState,ActiveState,SubState,Result,UnitFileState,FragmentPath,Type,Restart,RemainAfterExit," +
  "NRestarts,InvocationID,Job,MainPID,ExecMainCode,ExecMainStatus,StatusText,MemoryCurrent,CanStart,CanReload," +
  "NeedDaemonReload,StartLimitBurst,TimeoutStartUSec,StandardOutput,StandardError,ActiveEnterTimestampMonotonic," +
  "StateChangeTimestampMonotonic,ReloadResult,RequiredBy,BoundBy,ConsistsOf,TriggeredBy";

export const systemdStatus = diagnostic({
  name: "systemd_status",
  description:
    "State of one systemd unit: active and sub state, result, exit status, restarts, invocation, pending job, since when.",
  input: byUnit,
  command: ({ unit }) =>
    script(
      `echo "--medic:now"
date +%s
echo "--medic:uptime"
cat /proc/uptime
echo "--medic:unit"
systemctl show -p ${properties} -- "$1"`,
      unit,
    ),
  parse(result, { unit }) {
    const said = sections(result.stdout);
    const shown = propertiesOf(said["unit"] ?? "");
    if (shown.get("Id") === undefined) return blind(result) ?? unavailable(result);
    if (shown.get("LoadState") === "not-found") return { unit, exists: false } as const;
    const now = Number(said["now"]);
    const uptime = Number((said["uptime"] ?? "").split(" ")[0]);
    return { unit, exists: true, ...stateOf(shown), ...timesOf(shown, now, uptime), ...settingsOf(shown) } as const;
  },
});

function stateOf(shown: Properties) {
  return {
    // The name systemd knows it by: an alias that was asked for is not what a fix may act on.
    id: shown.get("Id") ?? "",
    description: shown.get("Description") ?? "",
    load: shown.get("LoadState") ?? "",
    active: shown.get("ActiveState") ?? "",
    sub: shown.get("SubState") ?? "",
    result: shown.get("Result") ?? "",
    // Of the last reload of this run: a service whose reload failed stays as it was, "active".
    ...(["", "success"].includes(shown.get("ReloadResult") ?? "") ? {} : { reloadFailed: shown.get("ReloadResult") }),
    restarts: numberOf(shown, "NRestarts") ?? 0,
    invocation: shown.get("InvocationID") ?? "",
    // A restart under way still shows the old invocation, and a job.
    job: numberOf(shown, "Job") ?? 0,
    mainPid: numberOf(shown, "MainPID") ?? 0,
    exit: exitOf(shown),
    ...(shown.get("StatusText") ? { says: shown.get("StatusText") } : {}),
    ...present("memoryBytes", numberOf(shown, "MemoryCurrent")),
  };
}

function settingsOf(shown: Properties) {
  return {
    type: shown.get("Type") ?? "",
    restartPolicy: shown.get("Restart") ?? "",
    remainsAfterExit: shown.get("RemainAfterExit") === "yes",
    enabled: shown.get("UnitFileState") ?? "",
    file: shown.get("FragmentPath") ?? "",
    canStart: shown.get("CanStart") === "yes",
    canReload: shown.get("CanReload") === "yes",
    needsDaemonReload: shown.get("NeedDaemonReload") === "yes",
    ...present("startLimitBurst", numberOf(shown, "StartLimitBurst")),
    ...present("startTimeoutSeconds", spanSeconds(shown.get("TimeoutStartUSec"))),
    output: shown.get("StandardOutput") ?? "",
    errorOutput: shown.get("StandardError") ?? "",
    // What a restart of this unit restarts too.
    carries: namesOf(shown, "RequiredBy", "BoundBy", "ConsistsOf"),
    triggeredBy: namesOf(shown, "TriggeredBy"),
  };
}

/** Ages from the monotonic stamps: the dates systemctl prints are in the host's time zone, whatever that is. */
function timesOf(
  shown: Properties,
  now: number,
  uptime: number,
): { inStateSeconds?: number; stateChangeMicroseconds?: number; activeSince?: string } {
  const at = (key: string): number | undefined => {
    const stamp = numberOf(shown, key);
    return stamp === undefined || stamp === 0 || !(uptime > 0) ? undefined : Math.max(0, uptime - stamp / 1e6);
  };
  const changed = at("StateChangeTimestampMonotonic");
  const active = shown.get("ActiveState") === "active" ? at("ActiveEnterTimestampMonotonic") : undefined;
  const stamp = numberOf(shown, "StateChangeTimestampMonotonic");
  // The stamp itself tells two changes of the same second apart: a reload leaves no other trace.
  const inState = {
    ...(changed === undefined ? {} : { inStateSeconds: Math.round(changed) }),
    ...(stamp === undefined || stamp === 0 ? {} : { stateChangeMicroseconds: stamp }),
  };
  const since = new Date((now - Math.round(active ?? 0)) * 1000);
  if (active === undefined || !(now > 0) || Number.isNaN(since.getTime())) return inState;
  return { ...inState, activeSince: since.toISOString() };
}

/** How the main process ended last. ExecMainCode is a CLD_ number: 1 exited, 2 killed, 3 dumped core. */
function exitOf(shown: Properties): string {
  const code = numberOf(shown, "ExecMainCode") ?? 0;
  const status = numberOf(shown, "ExecMainStatus") ?? 0;
  if (code === 0) return "";
  if (code === 1) return status in meanings ? `${status} (${meanings[status]})` : String(status);
  return `signal ${status}${code === 3 ? ", core dumped" : ""}`;
}

/** systemd's own exit statuses: the program never ran, and starting it again cannot help. */
const meanings: Readonly<Record<number, string>> = {
  200: "CHDIR: its working directory cannot be entered",
  203: "EXEC: its program cannot be executed",
  208: "STDIN",
  209: "STDOUT: its output cannot be set up",
  216: "GROUP: its group does not exist",
  217: "USER: its user does not exist",
  218: "CAPABILITIES",
  226: "NAMESPACE: its mount namespace cannot be set up",
  238: "STATE_DIRECTORY",
};

function present<K extends string>(key: K, value: number | undefined): { [P in K]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: number });
}

type Status = Exclude<ReturnType<typeof systemdStatus.parse>, { unavailable: string }>;
/** A unit that exists, as it was seen. */
export type UnitStatus = Extract<Status, { exists: true }>;

/** The start limit stops a unit from being started at all, by hand too, until reset-failed. */
export function hitStartLimit(status: UnitStatus): boolean {
  if (status.active !== "failed") return false;
  if (status.result === "start-limit-hit") return true;
  // After automatic restarts the result is that of the last run, and only the count tells.
  const burst = status.startLimitBurst ?? 0;
  return burst > 0 && status.restarts >= burst && status.restartPolicy !== "no";
}

/** Failed before its program ran: only a person can mend it. */
export function neverRan(status: UnitStatus): boolean {
  return Object.keys(meanings).some((code) => status.exit.startsWith(`${code} (`));
}
