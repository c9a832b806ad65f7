// What to do about a unit that an alert names. It starts what stopped, once; what fails again, fails for a reason that
// only a person can mend, and that reason is what the escalation tells.
import { call, look, matches, mayHaveRun, need, pause, runbook } from "medic/plugin";
import type { Attempt, Decision, Incident, Inquiry } from "medic/plugin";
import { systemdRestartDependency } from "./dependency.ts";
import { systemdStart } from "./fixes.ts";
import type { SystemdOptions } from "./inputs.ts";
import { systemdJournal, systemdOom } from "./journal.ts";
import { systemdDependencies } from "./lists.ts";
import { neverRan, systemdStatus, type UnitStatus } from "./status.ts";
import { systemdVerify } from "./verify.ts";

/** Restarts by systemd itself come within seconds; a run this old is not one of a loop. */
const SETTLED_SECONDS = 60;
const LOOK_AGAIN_SECONDS = 20;
const CAUSE_LINES = 3;

export const unitNotRunning = runbook({
  title: "Unit is not running",
  guidance:
    "Read systemd_status first: Result and the exit status say how it ended, systemd_journal says why. A failed unit is " +
    "started once. A start limit (5 starts in 10 s by default) refuses manual starts too; systemd_start forgets it first, " +
    "so start only if the cause may be gone. Exit 203, 200, 217, 226: the program never ran, a start " +
    "cannot help. A unit in auto-restart is being restarted by systemd already: find the cause in the journal, do not " +
    "restart it. A failed requirement has to be healed first (systemd_restart_dependency). Masked or bad-setting: systemd_verify names the line. Exit 137 or Result=oom-kill: look at systemd_oom. " +
    "StandardOutput=null: the journal has only systemd's own lines.",
  when: (incident, options: SystemdOptions) => matches(options.units, incident.service),
  *decide(incident, options: SystemdOptions) {
    const unit = incident.service ?? "";
    let { status } = yield* need({ status: call(systemdStatus, { unit }) });
    if (!status.exists) return { escalate: `there is no unit "${unit}" on "${incident.host}"` };
    if (status.load !== "loaded") return yield* notLoaded(unit, status);
    if (isMoving(status) || mayLoop(status)) {
      const before = status;
      yield* pause(LOOK_AGAIN_SECONDS);
      ({ status } = yield* need({ status: call(systemdStatus, { unit }) }));
      if (!status.exists) return { escalate: `"${unit}" is gone from "${incident.host}"` };
      if (isBetweenRuns(status) || (status.restarts > before.restarts && status.restarts > 0)) {
        return yield* escalation(unit, `it fails again and again: ${status.restarts} restarts by systemd`, status);
      }
      if (isMoving(status)) {
        return yield* escalation(unit, `still ${status.active} (${status.sub}) after ${LOOK_AGAIN_SECONDS} s`, status);
      }
    }
    if (status.active === "active") return running(status, incident);
    return yield* stopped(unit, status, incident.attempts, options);
  },
});

/** systemd would not start it, whoever asks: masked by a person, or its file does not say what to run. */
function* notLoaded(unit: string, status: UnitStatus): Inquiry<Decision> {
  if (status.load === "masked") {
    const run = `sudo systemctl unmask ${unit} && sudo systemctl start ${unit}`;
    return { escalate: `"${unit}" is masked, so nothing can start it. If that is not meant, run: ${run}` };
  }
  const { file } = yield* look({ file: call(systemdVerify, { unit }) });
  if (!("faults" in file)) return { escalate: `"${unit}" is ${status.load}` };
  const faults = file.faults.map((one) =>
    one.file === undefined ? one.fault : `${one.file} line ${one.line}: ${one.fault}`,
  );
  const newest = file.edited.toSorted((one, other) => other.at.localeCompare(one.at))[0];
  const edited = newest === undefined ? "" : `; ${newest.file} was edited at ${newest.at}`;
  const said = faults.length > 0 ? faults.join("; ") : (file.loadError ?? "systemd does not say why");
  const run = `sudo systemctl daemon-reload && sudo systemctl start ${unit}`;
  return {
    escalate: `"${unit}" cannot be loaded (${status.load}): ${said}${edited}. Mend that line, then run: ${run}`,
  };
}

/** systemd waits to start it again; from 254 on it is also "auto-restart-queued". */
function isBetweenRuns({ sub }: UnitStatus): boolean {
  return sub.startsWith("auto-restart");
}

/** A job is under way, or systemd is between two runs. */
function isMoving(status: UnitStatus): boolean {
  return status.job !== 0 || ["activating", "deactivating", "reloading"].includes(status.active);
}

function mayLoop(status: UnitStatus): boolean {
  return status.active === "active" && status.restarts > 0 && (status.inStateSeconds ?? 0) < SETTLED_SECONDS;
}

/**
 * An active unit answers an alert only if the alert was about the unit's state, or if it became active since: a unit
 * that was active all along is not what the alert is about, and to call that well would be a guess.
 */
function running(status: UnitStatus, incident: Incident): Decision {
  const since = status.activeSince === undefined ? "" : ` since ${status.activeSince}`;
  const well = { well: `"${status.id}" is active (${status.sub})${since}` };
  const ours = incident.attempts.some(({ outcome }) => outcome === "fixed");
  const { name, startsAt } = incident.alert;
  const isNewer = status.activeSince !== undefined && Date.parse(status.activeSince) >= Date.parse(startsAt);
  if (ours || isNewer || isAboutState(incident)) return well;
  return {
    escalate: `${well.well}, which is before the alert "${name}" began: the unit's state does not explain it`,
  };
}

/** Says so by its name or labels; or names a unit and no symptom, as a person does who only asks how it is. */
function isAboutState({ alert }: Incident): boolean {
  const { name, labels, annotations } = alert;
  if ("state" in labels || /systemd|unit/i.test(name)) return true;
  const where = new Set(["host", "service"]);
  return Object.keys(annotations).length === 0 && Object.keys(labels).every((label) => where.has(label));
}

function* stopped(
  unit: string,
  status: UnitStatus,
  attempts: readonly Attempt[],
  options: SystemdOptions,
): Inquiry<Decision> {
  if (neverRan(status)) return yield* escalation(unit, "its program never ran", status);
  const { needs } = yield* look({ needs: call(systemdDependencies, { unit }) });
  const tried = attempts.filter(mayHaveRun);
  if ("broken" in needs && needs.broken.length > 0) {
    const [dependency, another] = needs.broken;
    const mayHeal = another === undefined && matches(options.units, dependency);
    if (mayHeal && dependency !== undefined && !tried.some(({ fix }) => fix === systemdRestartDependency.name)) {
      return { fix: call(systemdRestartDependency, { unit: status.id, dependency }) };
    }
    return yield* escalation(unit, `it requires "${needs.broken.join('", "')}", which failed`, status);
  }
  const started = tried.find(({ fix }) => fix === systemdStart.name);
  if (started !== undefined) {
    return yield* escalation(
      unit,
      `a start was tried (${started.outcome}: ${started.why}), and it is ${status.active} again`,
      status,
    );
  }
  return { fix: call(systemdStart, { unit: status.id }) };
}

/** Everything a person needs to go on: how it ended, and what it said last. */
function* escalation(unit: string, why: string, status: UnitStatus): Inquiry<Decision> {
  const { journal, oom } = yield* look({
    journal: call(systemdJournal, { unit, since: "1h", lines: 20 }),
    oom: call(systemdOom, { since: "1h" }),
  });
  const ended = status.exit === "" ? status.result : `${status.result}, exit ${status.exit}`;
  const killed = "killed" in oom && oom.killed.length > 0 ? `; out of memory: killed ${oom.killed.join(", ")}` : "";
  const isKill = status.exit.startsWith("signal 9") || status.result === "oom-kill";
  const hint = isKill ? memoryHint(unit, killed !== "") : "";
  return {
    escalate: `"${unit}": ${why}; ended with ${ended}${killed}${hint}; ${lastWords(journal)}${placeIn(journal)}`,
  };
}

/** SIGKILL has two senders: the kernel for want of memory, whose log a plain login may not read, and somebody. */
function memoryHint(unit: string, isKnown: boolean): string {
  const mend = `raise MemoryMax= of ${unit}, or find the leak`;
  if (isKnown) return ` (${mend})`;
  return ` (killed for memory, or by somebody: sudo dmesg | grep "Killed process" tells; if for memory, ${mend})`;
}

/** "…/app.conf:3: unknown directive": the line a program complains about is where a person has to look. */
function placeIn(journal: object): string {
  const lines = "lines" in journal && Array.isArray(journal.lines) ? (journal.lines as string[]) : [];
  const found = lines
    .map((line) => /(\/[\w./@-]+\.\w+)(?::| line )(\d+)\b/.exec(line))
    .findLast((match) => match !== null);
  return found === undefined || found === null ? "" : `; look at ${found[1]} line ${found[2]}`;
}

function lastWords(journal: { lines: string[]; note?: string } | { unavailable: string } | object): string {
  if ("unavailable" in journal) return `its journal cannot be read: ${journal.unavailable}`;
  const lines = "lines" in journal ? journal.lines : [];
  // systemd's own lines say that it failed; the unit's own say why.
  const own = lines.filter((line) => !/^\S+ systemd\[1\]: /.test(line));
  const said = (own.length > 0 ? own : lines).slice(-CAUSE_LINES);
  if (said.length === 0) return "its journal is empty";
  return `it said last: ${said.map((line) => line.replace(/^\S+ /, "")).join(" | ")}`;
}
