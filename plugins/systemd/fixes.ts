// The fixes of systemd units. Each acts on the id that was seen, touches listed units only, and is judged by what
// systemd shows afterwards: InvocationID names a run, and counts only once no job is pending.
import { fix, call, matches, refuse } from "medic/plugin";
import type { Command, Found, Plan, Refusal } from "medic/plugin";
import { byUnit, type SystemdOptions } from "./inputs.ts";
import { hitStartLimit, neverRan, systemdStatus, type UnitStatus } from "./status.ts";

const watch = ({ unit }: { unit: string }) => ({ status: call(systemdStatus, { unit }) });
type Seen = Found<ReturnType<typeof watch>>;

/** A job that was asked for shows at once, and one that is over shows its marker: nothing pending soon means nothing. */
export const settleSeconds = 10;

/** Units whose restart can cut Medic off from the host, end Medic itself, or stop everything at once. */
const delicate: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^(?:ssh|sshd|dropbear)(?:@.*)?\.(?:service|socket)$/, "it carries Medic's own connection"],
  [
    /^(?:networking|network|NetworkManager|systemd-networkd|systemd-resolved|dhcpcd|dhclient|connman|wpa_supplicant|iwd|tailscaled|zerotier-one|nftables|firewalld|ufw)(?:@.*)?\.(?:service|socket|target)$/,
    "the host may not be reachable afterwards",
  ],
  [/^medic(?:[@-].*)?\.service$/, "it is Medic itself"],
  [/^(?:docker|containerd|podman|lxc|lxd|incus)(?:[@-].*)?\.(?:service|socket)$/, "it stops every container"],
  [
    /^(?:dbus|dbus-broker|systemd-logind|systemd-journald|systemd-udevd|polkit|init)(?:@.*)?\.(?:service|scope|socket)$/,
    "the whole system leans on it",
  ],
  [/\.(?:target|slice|scope|mount|swap|device)$/, "it is no service: much else can go with it"],
];

export const systemdStart = fix({
  name: "systemd_start",
  description: "Starts a listed unit that is not running; a start limit is forgotten first.",
  risk: "reversible",
  input: byUnit,
  watch,
  *plan({ unit }, options: SystemdOptions, { status }) {
    const found = usable(unit, status, options);
    if ("refused" in found) return found;
    if (found.active === "active" || found.active === "reloading") return refuse(`"${found.id}" is running`);
    const not = cannotStart(found);
    if (not !== undefined) return refuse(not);
    return planOf(freed("start", found), found, [found.id]);
  },
  marker,
  pending,
  healthy: isWell,
  hopeless: ({ status }) => overFor(status),
  withinSeconds: 120,
  settleSeconds,
  stableSeconds: 30,
  timeoutSeconds: 120,
});

export const systemdRestart = fix({
  name: "systemd_restart",
  description: "Restarts a listed unit; units that require it are restarted with it.",
  risk: "disruptive",
  input: byUnit,
  watch,
  *plan({ unit }, options: SystemdOptions, { status }) {
    const found = usable(unit, status, options);
    if ("refused" in found) return found;
    const not = cannotStart(found);
    if (not !== undefined) return refuse(not);
    return planOf(freed("restart", found), found, [found.id, ...found.carries], options);
  },
  marker,
  pending,
  healthy: isWell,
  hopeless: ({ status }) => overFor(status),
  withinSeconds: 120,
  settleSeconds,
  stableSeconds: 30,
  timeoutSeconds: 120,
});

export const systemdReload = fix({
  name: "systemd_reload",
  description: "Makes a running, listed unit read its configuration again, where it can.",
  risk: "reversible",
  input: byUnit,
  watch,
  *plan({ unit }, options: SystemdOptions, { status }) {
    const found = usable(unit, status, options);
    if ("refused" in found) return found;
    if (found.active !== "active")
      return refuse(`"${found.id}" is ${found.active}, and only a running unit can reload`);
    if (!found.canReload) return refuse(`"${found.id}" cannot reload (CanReload=no): it would have to be restarted`);
    return planOf([["root", "systemctl", "reload", "--", found.id]], found, [found.id]);
  },
  // A reload keeps the run. systemd stamps the way through "reloading" and back, and nothing else tells of it.
  marker: ({ status }) =>
    status.exists && status.job === 0 && status.active !== "reloading"
      ? `${status.invocation} since ${status.stateChangeMicroseconds}`
      : undefined,
  pending,
  healthy: ({ status }, before) =>
    isRunning(status) &&
    status.exists &&
    status.reloadFailed === undefined &&
    before.status.exists &&
    status.invocation === before.status.invocation,
  hopeless: ({ status }) => overFor(status) ?? notReloaded(status),
  withinSeconds: 60,
  settleSeconds,
  stableSeconds: 10,
  timeoutSeconds: 90,
});

export const systemdDaemonReload = fix({
  name: "systemd_daemon_reload",
  description: "Makes systemd read the unit files again, when a listed unit's file changed on disk.",
  risk: "reversible",
  input: byUnit,
  watch,
  *plan({ unit }, options: SystemdOptions, { status }) {
    const found = usable(unit, status, options);
    if ("refused" in found) return found;
    if (!found.needsDaemonReload) return refuse(`"${found.id}" is as its file says (NeedDaemonReload=no)`);
    return { steps: [["root", "systemctl", "daemon-reload"]], touches: [found.id] };
  },
  marker: ({ status }) => (status.exists ? `NeedDaemonReload=${status.needsDaemonReload ? "yes" : "no"}` : undefined),
  healthy: ({ status }) => status.exists && !status.needsDaemonReload,
  withinSeconds: 30,
  settleSeconds,
  stableSeconds: 0,
});

export const systemdResetFailed = fix({
  name: "systemd_reset_failed",
  description: "Forgets that a listed unit failed, and its start limit. Starts nothing.",
  risk: "reversible",
  input: byUnit,
  watch,
  *plan({ unit }, options: SystemdOptions, { status }) {
    const found = usable(unit, status, options);
    if ("refused" in found) return found;
    if (found.active !== "failed") return refuse(`"${found.id}" is ${found.active}, not failed`);
    return { steps: [["root", "systemctl", "reset-failed", "--", found.id]], touches: [found.id] };
  },
  marker: ({ status }) => (status.exists ? `${status.active} after ${status.invocation || "no run"}` : undefined),
  healthy: ({ status }) => status.exists && status.active !== "failed",
  withinSeconds: 30,
  settleSeconds,
  stableSeconds: 0,
});

/** The unit, when a fix may act on it at all. */
export function usable(unit: string, status: Seen["status"], options: SystemdOptions): UnitStatus | Refusal {
  if (!status.exists) return refuse(`there is no unit "${unit}" on this host`);
  for (const name of new Set([unit, status.id])) {
    if (!matches(options.units, name)) {
      return refuse(`"${name}" is not listed under plugins.systemd.units in hosts.yaml`);
    }
  }
  if (status.load !== "loaded")
    return refuse(`"${status.id}" is ${status.load}: only a person can decide to change that`);
  if (status.job !== 0)
    return refuse(`"${status.id}" has job ${status.job} pending: something else is changing it now`);
  return status;
}

export function cannotStart(status: UnitStatus): string | undefined {
  if (!status.canStart) return `"${status.id}" cannot be started by hand (CanStart=no)`;
  if (status.type === "oneshot" && !status.remainsAfterExit) {
    return `"${status.id}" is a oneshot: it ends when it is done, so nothing would show that it is well`;
  }
  if (neverRan(status)) return `"${status.id}" cannot run its program: ${status.exit}`;
  return undefined;
}

/** A start limit refuses manual starts too, so it is forgotten first; in one fix, since one without the other is none. */
export function freed(verb: "start" | "restart", status: UnitStatus): Command[] {
  const step: Command = ["root", "systemctl", verb, "--", status.id];
  return hitStartLimit(status) ? [["root", "systemctl", "reset-failed", "--", status.id], step] : [step];
}

export function planOf(
  steps: readonly Command[],
  status: UnitStatus,
  touches: readonly string[],
  options?: SystemdOptions,
): Plan {
  const carried = options === undefined ? [] : touches.filter((name) => !matches(options.units, name));
  const why = delicate.find(([pattern]) => pattern.test(status.id))?.[1];
  const reasons = [
    ...(why === undefined ? [] : [why]),
    ...(carried.length === 0 ? [] : [`"${carried.join('", "')}" would be restarted too, and is not listed`]),
  ];
  // systemctl waits for the start itself, which may take what the unit allows.
  const withinSeconds = Math.min(600, Math.max(120, (status.startTimeoutSeconds ?? 90) + 30));
  return {
    steps,
    touches,
    ...(reasons.length === 0 ? {} : { approval: `"${status.id}": ${reasons.join("; ")}` }),
    ...(withinSeconds === 120 ? {} : { withinSeconds }),
  };
}

/** The run. While a job is pending, systemd still shows the invocation of the run that ends. */
function marker({ status }: Seen): string | undefined {
  return status.exists && status.job === 0 && status.invocation !== "" ? status.invocation : undefined;
}

/** systemd goes on with a job whose `systemctl` is gone. */
export function pending({ status }: Seen): boolean {
  return status.exists && status.job !== 0;
}

/** Why a unit will not come up by itself any more; undefined while systemd, a timer or a socket may still start it. */
export function overFor(status: Seen["status"]): string | undefined {
  if (!status.exists || status.job !== 0 || status.active === "active") return undefined;
  if (neverRan(status)) return `"${status.id}" cannot run its program: ${status.exit}`;
  const isDown = status.active === "failed" || status.active === "inactive";
  if (!isDown || status.triggeredBy.length > 0) return undefined;
  const how = status.exit === "" ? status.result : `${status.result}, exit ${status.exit}`;
  return `"${status.id}" ended again (${how}), and nothing starts it by itself`;
}

/** It runs on with what it had. */
function notReloaded(status: Seen["status"]): string | undefined {
  if (!status.exists || status.job !== 0 || status.active !== "active") return undefined;
  return status.reloadFailed && `"${status.id}" could not reload (${status.reloadFailed}), and runs as before`;
}

function isWell({ status }: Seen): boolean {
  return isRunning(status);
}

export function isRunning(status: Seen["status"]): boolean {
  return status.exists && status.active === "active" && status.job === 0 && !status.sub.startsWith("auto-restart");
}
