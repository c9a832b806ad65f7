// `systemctl` as systemd 252 prints it, over the simulated units. A unit that is not there is shown as not-found with
// exit 0, as for real.
import type { Systemd, Unit } from "../systemd.ts";
import type { Context, Program } from "../program.ts";
import { asked, fail } from "../program.ts";
import { matchesPattern } from "../shell/pattern.ts";
import type { Options } from "./options.ts";
import { readOptions } from "./options.ts";

type Verb = (options: Options, context: Context, systemd: Systemd, bootedAt: number) => number | Promise<number>;

const VALUED = ["p", "property", "n", "lines", "o", "output", "t", "type", "state", "P", "H", "M"];

const verbs: Readonly<Record<string, Verb>> = {
  show,
  "list-units": listUnits,
  "list-timers": (_options, context, systemd) => {
    for (const unit of systemd.units.values()) {
      if (unit.triggers !== undefined) context.stdout.write(`n/a n/a n/a n/a ${unit.name} ${unit.triggers}\n`);
    }
    return 0;
  },
  cat: (options, context, systemd) => {
    let exit = 0;
    for (const name of options.operands) {
      const unit = systemd.find(name);
      if (unit === undefined) exit = fail(context, `No files found for ${name}.`);
      else context.stdout.write(`# ${fragmentPath(unit)}\n${unitFile(unit)}`);
    }
    return exit;
  },
  "is-active": (options, context, systemd) =>
    eachState(options, context, systemd, (unit) => unit?.active ?? "inactive", "active", 3),
  "is-failed": (options, context, systemd) =>
    eachState(options, context, systemd, (unit) => unit?.active ?? "inactive", "failed", 1),
  "is-enabled": (options, context, systemd) => eachState(options, context, systemd, () => "enabled", "enabled", 1),
  "is-system-running": (_options, context, systemd) => {
    const isDegraded = systemd.failed().length > 0;
    context.stdout.write(isDegraded ? "degraded\n" : "running\n");
    return isDegraded ? 1 : 0;
  },
  status: (options, context, systemd) => {
    let exit = 0;
    for (const name of options.operands) {
      const unit = systemd.find(name);
      if (unit === undefined) exit = fail(context, `Unit ${name} could not be found.`, 4);
      else {
        context.stdout.write(`● ${unit.name} - ${unit.description}\n     Active: ${unit.active} (${unit.sub})\n`);
        if (unit.active !== "active") exit = 3;
      }
    }
    return exit;
  },
  start: changing(async (systemd, unit) => await systemd.start(unit)),
  stop: changing(async (systemd, unit) => await systemd.stop(unit)),
  restart: changing(async (systemd, unit) => await systemd.restart(unit)),
  reload: changing(async () => undefined),
  "reset-failed": changing(async (systemd, unit) => systemd.resetFailed(unit)),
  "daemon-reload": (_options, context) => (mayChange(context) ? 0 : 1),
};

/** The program, talking to this systemd. */
/** `systemd-analyze verify` finds nothing to say: the homelab's units are well. */
export const systemdAnalyze: Program = (args, context) =>
  args[0] === "verify" ? 0 : fail(context, `Unknown command verb ${args[0] ?? ""}.`);

export function systemctlProgram(systemd: Systemd, bootedAt: number): Program {
  return async (args, context) => {
    const options = readOptions(args, VALUED);
    if (options.has("version")) {
      context.stdout.write("systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT +SELINUX +APPARMOR\n");
      return 0;
    }
    const [name = "list-units", ...operands] = options.operands;
    const verb = verbs[name];
    if (verb === undefined) return fail(context, `Unknown command verb ${name}.`);
    return await verb({ ...options, operands }, context, systemd, bootedAt);
  };
}

function show(options: Options, context: Context, systemd: Systemd, bootedAt: number): number {
  const wanted = options
    .values("p", "property", "P")
    .flatMap((list) => list.split(","))
    .filter((property) => property !== "");
  const isValueOnly = options.has("value", "P");
  const lines = (properties: Readonly<Record<string, string>>) =>
    Object.entries(properties)
      .filter(([key]) => wanted.length === 0 || wanted.includes(key))
      .map(([key, value]) => (isValueOnly ? value : `${key}=${value}`))
      .join("\n");
  if (options.operands.length === 0) {
    context.stdout.write(`${lines(managerProperties(systemd, bootedAt))}\n`);
    return 0;
  }
  const names = options.operands.flatMap((name) =>
    /[*?[]/.test(name) ? [...systemd.units.keys()].filter((unit) => matchesPattern(name, unit)) : [name],
  );
  const stampOf = options.value("timestamp") === "unix" ? (at: number) => `@${Math.floor(at / 1000)}` : stamp;
  const shown = names.map((name) => lines(unitProperties(systemd.find(name), name, { systemd, bootedAt, stampOf })));
  context.stdout.write(shown.length === 0 ? "" : `${shown.join("\n\n")}\n`);
  return 0;
}

function managerProperties(systemd: Systemd, bootedAt: number): Record<string, string> {
  const failed = systemd.failed().length;
  return {
    Version: "252.39-1~deb12u1",
    Virtualization: "none",
    UserspaceTimestamp: stamp(bootedAt),
    NFailedUnits: String(failed),
    NJobs: "0",
    SystemState: failed > 0 ? "degraded" : "running",
  };
}

type Showing = { systemd: Systemd; bootedAt: number; stampOf(at: number): string };

function unitProperties(unit: Unit | undefined, name: string, showing: Showing): Record<string, string> {
  const { systemd, bootedAt, stampOf } = showing;
  const full = name.includes(".") ? name : `${name}.service`;
  if (unit === undefined) {
    return {
      Id: full,
      Description: full,
      LoadState: "not-found",
      ActiveState: "inactive",
      SubState: "dead",
      Result: "success",
      NRestarts: "0",
      Names: full,
    };
  }
  const others = [...systemd.units.values()];
  const monotonic = (at: number) => String(Math.max(0, Math.round((at - bootedAt) * 1000)));
  const isService = unit.name.endsWith(".service");
  const isTimer = unit.triggers !== undefined;
  return {
    Type: unit.type,
    Restart: isService ? unit.restart : "",
    TimeoutStartUSec: "1min 30s",
    RemainAfterExit: unit.type === "oneshot" ? "yes" : "no",
    MainPID: String(unit.mainPid),
    ExecMainCode: String(unit.exitCode),
    ExecMainStatus: String(unit.exitStatus),
    NRestarts: String(unit.restarts),
    ExecStart:
      unit.program === ""
        ? ""
        : `{ path=${unit.program.split(" ")[0] ?? ""} ; argv[]=${unit.program} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=${unit.mainPid} ; code=(null) ; status=0/0 }`,
    StatusText: "",
    Result: unit.result,
    MemoryCurrent: unit.mainPid === 0 ? "[not set]" : String(unit.memoryBytes),
    StandardOutput: unit.output,
    StandardError: "inherit",
    ...(isTimer
      ? {
          Unit: unit.triggers ?? "",
          LastTriggerUSec: stampOf(bootedAt),
          NextElapseUSecRealtime: stampOf(bootedAt + 86_400_000),
          NextElapseUSecMonotonic: "infinity",
        }
      : {}),
    Id: unit.name,
    Names: unit.name,
    Requires: unit.requires.join(" "),
    Requisite: "",
    Wants: unit.wants.join(" "),
    BindsTo: "",
    RequiredBy: others
      .filter((other) => other.requires.includes(unit.name))
      .map((other) => other.name)
      .join(" "),
    WantedBy: unit.wantedBy.join(" "),
    BoundBy: "",
    ConsistsOf: "",
    TriggeredBy: others
      .filter((other) => other.triggers === unit.name)
      .map((other) => other.name)
      .join(" "),
    Description: unit.description,
    LoadState: "loaded",
    ActiveState: unit.active,
    SubState: unit.sub,
    FragmentPath: fragmentPath(unit),
    UnitFileState: "enabled",
    StateChangeTimestamp: stampOf(unit.changedAt),
    StateChangeTimestampMonotonic: monotonic(unit.changedAt),
    ActiveEnterTimestamp: stampOf(unit.activeSince),
    ActiveEnterTimestampMonotonic: monotonic(unit.activeSince),
    CanStart: "yes",
    CanStop: "yes",
    CanReload: unit.canReload ? "yes" : "no",
    Job: "0",
    NeedDaemonReload: "no",
    StartLimitIntervalUSec: "10s",
    StartLimitBurst: "5",
    InvocationID: unit.invocation,
  };
}

function listUnits(options: Options, context: Context, systemd: Systemd): number {
  const states = options.values("state").flatMap((list) => list.split(","));
  const type = options.value("t", "type");
  const shown = [...systemd.units.values()].filter(
    (unit) =>
      (!options.has("failed") || unit.active === "failed") &&
      (states.length === 0 || states.includes(unit.active) || states.includes(unit.sub)) &&
      (type === undefined || unit.name.endsWith(`.${type}`)) &&
      (options.operands.length === 0 || options.operands.some((pattern) => matchesPattern(pattern, unit.name))),
  );
  const width = Math.max(0, ...shown.map((unit) => unit.name.length));
  for (const unit of shown) {
    const mark = options.has("plain") ? "" : unit.active === "failed" ? "● " : "  ";
    context.stdout.write(`${mark}${unit.name.padEnd(width)} loaded ${unit.active} ${unit.sub} ${unit.description}\n`);
  }
  if (!options.has("no-legend")) context.stdout.write(`\n${shown.length} loaded units listed.\n`);
  return 0;
}

function eachState(
  options: Options,
  context: Context,
  systemd: Systemd,
  stateOf: (unit: Unit | undefined) => string,
  wanted: string,
  otherwise: number,
): number {
  const states = options.operands.map((name) => stateOf(systemd.find(name)));
  if (!options.has("q", "quiet")) context.stdout.write(states.map((state) => `${state}\n`).join(""));
  return states.every((state) => state === wanted) ? 0 : otherwise;
}

function changing(change: (systemd: Systemd, unit: Unit) => Promise<void>): Verb {
  return async (options, context, systemd) => {
    if (!mayChange(context)) return 1;
    let exit = 0;
    for (const name of options.operands) {
      const unit = systemd.find(name);
      if (unit === undefined) exit = fail(context, `Failed to start ${name}: Unit ${name} not found.`, 5);
      else await asked(change(systemd, unit), context.signal);
    }
    return exit;
  };
}

function mayChange(context: Context): boolean {
  if (context.user === "root") return true;
  fail(
    context,
    "Failed to start unit: Interactive authentication required.\nSee system logs and 'systemctl status' for details.",
  );
  return false;
}

/** Where a unit's file lies. */
export function fragmentPath({ name }: Unit): string {
  return `/lib/systemd/system/${name}`;
}

/** A unit's file, as its package brings it. */
export function unitFile(unit: Unit): string {
  const service =
    unit.program === "" ? "" : `\n[Service]\nType=${unit.type}\nExecStart=${unit.program}\nRestart=${unit.restart}\n`;
  return `[Unit]\nDescription=${unit.description}\n${service}\n[Install]\nWantedBy=${unit.wantedBy.join(" ")}\n`;
}

/** As systemd prints dates: "Mon 2026-11-23 10:00:00 UTC". */
function stamp(at: number): string {
  const [date = "", time = ""] = new Date(at).toISOString().slice(0, 19).split("T");
  const day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][new Date(at).getUTCDay()] ?? "";
  return `${day} ${date} ${time} UTC`;
}
