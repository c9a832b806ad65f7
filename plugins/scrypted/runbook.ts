// What to do when an alert says that Scrypted does not answer. It restarts it once, when nothing says that a restart
// would be wrong: a second instance on its database, a full disk, a missing device, a start that is not over yet.
import { call, look, matches, mayHaveRun, need, pause, runbook } from "medic/plugin";
import type { Call, Decision, Inquiry, Seen } from "medic/plugin";
import {
  brief,
  composeLine,
  composeObjection,
  dockerComposeConfig,
  endedOnPurpose,
  purposeText,
} from "medic/plugins/docker";
import { scryptedBackup, scryptedBackups } from "./backup.ts";
import { logsByHand, olderImageByHand, recreateByHand, restoreByHand } from "./by-hand.ts";
import { isComplaint } from "./complaints.ts";
import { scryptedComposeUp } from "./compose-up.ts";
import type { ScryptedOptions } from "./options.ts";
import type { Probe } from "./probe.ts";
import { scryptedHttpProbe } from "./probe.ts";
import { scryptedLogs, scryptedPorts } from "./processes.ts";
import type { Logs } from "./processes.ts";
import { isWell, isYoung, scryptedRestart } from "./restart.ts";
import { scryptedStatus } from "./status.ts";
import type { ScryptedStatus } from "./status.ts";
import { isFull, scryptedDatabase, scryptedDevices, scryptedStorage, scryptedUpdateState } from "./storage.ts";

const waitSeconds = 30;
/** A container that docker restarted this often will not be saved by one more restart. */
const restartsMax = 3;
/** A run this old is not one of a loop. */
const settledSeconds = 60;

export const scryptedDoesNotAnswer = runbook({
  title: "Scrypted does not answer",
  guidance: `GET /login on its own host is the probe (scrypted_http_probe); there is no health check. scrypted_status says how it is installed.
- Logs are off by default (driver none, StandardOutput=null): unavailable is normal, not a fault.
- It may take ten minutes to start, and it heals its own plugins ("unexpectedly exited, restarting in 60000ms"): act on silence of /login, not on one plugin.
- Down with nobody on its ports and its database free: scrypted_restart, once. Stopped by a person looks the same; the alert wins unless medic.hold or onStopped says otherwise.
- Its database locked or its ports held while it is down: a second instance. A restart cannot help: find it, escalate.
- Disk full, database files missing, a device missing ("error gathering device information"): escalate, a restart makes it worse.
- Its container is gone and compose made it: scrypted_compose_up. Before anything risky: scrypted_backup.
- Restart loop: read why first (docker_explain_exit, docker_events); escalate.
- Memory that grew for days (scrypted_plugin_processes) is a plugin's leak: a restart helps for a while, say which plugin.`,
  when: (incident, options: ScryptedOptions) =>
    matches([options.container, options.unit], incident.service) && !isComplaint(incident),
  *decide(incident, options: ScryptedOptions): Inquiry<Decision> {
    for (let waitedSeconds = 0; ; waitedSeconds += waitSeconds) {
      let { status, probe } = yield* need(watched);
      if (isWell(status, probe) && mayBeDying(status)) {
        const { run } = status;
        yield* pause(waitSeconds);
        ({ status, probe } = yield* need(watched));
        if (status.run !== run) return { escalate: yield* withRemedy(keepsDying(status), status, options) };
      }
      if (isWell(status, probe)) return { well: "/login answers" };
      // A backup brings nothing back.
      const tried = incident.attempts.filter(({ fix }) => fix !== scryptedBackup.name).findLast(mayHaveRun);
      if (tried !== undefined) return { escalate: `${tried.fix} did not bring it back: ${probe.why}` };
      if (status.install === "none") {
        // Watchtower removes a container a moment before it makes the new one.
        if (waitedSeconds > 0) return yield* missing(options);
        yield* pause(waitSeconds);
        continue;
      }
      const { container } = status;
      if (container !== null && endedOnPurpose(container)) return { escalate: purposeText(container) };
      const reason = hopeless(status, options);
      if (reason !== undefined) return { escalate: yield* withRemedy(reason, status, options) };
      if (!isYoung(status, options)) return yield* restartUnlessWrong(status, probe);
      if (waitedSeconds >= options.startAllowanceSeconds) return { escalate: "it starts again and again" };
      yield* pause(waitSeconds);
    }
  },
});

const watched = { status: call(scryptedStatus, {}), probe: call(scryptedHttpProbe, {}) };

/** No Scrypted is left: what compose made, compose makes again. */
function* missing({ container, unit }: ScryptedOptions): Inquiry<Decision> {
  const none = `no Scrypted is on this host: no container "${container}", no "${unit}"`;
  const { config } = yield* look({ config: call(dockerComposeConfig, { name: container }) });
  if ("unavailable" in config || config.compose === null) return { escalate: none };
  const objection = composeObjection(container, config);
  if (objection === undefined) return { fix: call(scryptedComposeUp, {}) };
  return {
    escalate: `${none}. ${objection}. Then run: ${composeLine(config.compose, "up", "-d", config.compose.service)}`,
  };
}

/** What no restart mends, as its state alone shows. */
function hopeless(status: ScryptedStatus, options: ScryptedOptions): string | undefined {
  const { container, unit } = status;
  if (container?.hold === true) return `"${container.name}" has the label medic.hold=true: its owner wants no fix`;
  if (container !== null && container.error !== "") return `docker cannot start it: ${brief(container.error)}`;
  if (isDying(status, options)) return keepsDying(status);
  if (unit?.result === "start-limit-hit") return `systemd gave up on "${unit.name}": start limit hit`;
  return undefined;
}

function isDying(status: ScryptedStatus, options: ScryptedOptions): boolean {
  const { container } = status;
  const restarts = container?.restartCount ?? 0;
  return container?.state === "restarting" || (restarts >= restartsMax && isYoung(status, options));
}

/** Docker started it again a moment ago: it counts as well once that run stands, for a second one may be who answers. */
function mayBeDying({ container }: ScryptedStatus): boolean {
  return (container?.restartCount ?? 0) > 0 && (container?.ageSeconds ?? 0) < settledSeconds;
}

function keepsDying({ container }: ScryptedStatus): string {
  return `docker restarted it ${container?.restartCount ?? 0} times by itself, the last time with exit ${container?.exit ?? 0}: it keeps dying`;
}

/** The reason, and the commands for a person where its container has to be made anew. */
function* withRemedy(
  reason: string,
  { container, install }: ScryptedStatus,
  { watchtower }: ScryptedOptions,
): Inquiry<string> {
  if (container === null || container.hold || (install !== "compose" && install !== "docker")) return reason;
  const { config, update } = yield* look({
    config: call(dockerComposeConfig, { name: container.name }),
    update: call(scryptedUpdateState, {}),
  });
  const compose = "compose" in config ? config.compose : null;
  if (container.error !== "") {
    if (!/device/i.test(container.error)) return reason;
    return `${reason}. Plug it in, or take it out of its devices and run: ${recreateByHand(container.name, compose)}`;
  }
  const isSilent = container.logDriver === "none";
  const see = isSilent
    ? `; what it says goes nowhere (logging driver none). To see why, ${logsByHand(container, compose)}`
    : "";
  const runs = "image" in update && update.image.exists ? (update.image.runs?.digests[0] ?? null) : null;
  return `${reason}${see}. ${olderImageByHand(container, { runs, watchtower, compose })}`;
}

/** The second round, before a restart: what only shows around it. Each may be unavailable; that forbids nothing. */
function* restartUnlessWrong(status: ScryptedStatus, probe: Probe): Inquiry<Decision> {
  const startedAt = status.container?.startedAt;
  const around = yield* look({
    ...surroundings,
    // Old runs mislead: only what this run said counts.
    logs: call(scryptedLogs, startedAt === undefined ? {} : { since: startedAt }),
  });
  const wrong = wrongAround(status, around);
  if (wrong !== undefined) return { escalate: wrong };
  return { fix: call(scryptedRestart, { reason: status.running ? probe.why : "it does not run" }) };
}

const surroundings = {
  backups: call(scryptedBackups, {}),
  database: call(scryptedDatabase, {}),
  storage: call(scryptedStorage, {}),
  devices: call(scryptedDevices, {}),
  ports: call(scryptedPorts, {}),
};
type Around = Seen<typeof surroundings & { logs: Call<Logs> }>;

/** Why a restart would not help, or would do harm. */
function wrongAround(status: ScryptedStatus, around: Around): string | undefined {
  const { backups, database, storage, devices, ports, logs } = around;
  if (!("unavailable" in database)) {
    if (!database.intact) {
      const restore = restoreByHand(status, database.path, "unavailable" in backups ? null : backups);
      return `its database is damaged, look before it starts: ${database.problems.join("; ")}. ${restore}`;
    }
    if (!status.running && database.heldBy !== null) {
      return `process ${database.heldBy} holds its database "${database.path}": a second instance`;
    }
  }
  if (!("unavailable" in logs) && logs.lines.some((line) => /LEVEL_LOCKED/.test(line))) {
    return "its log says LEVEL_LOCKED: another process holds its database, a second instance";
  }
  if (!("unavailable" in ports) && !status.running) {
    const held = ports.ports.find(({ listeners }) => listeners.length > 0);
    const holder = held?.listeners[0];
    if (held !== undefined) {
      return `it is down, but ${holder?.process ?? "a process"} (pid ${holder?.pid ?? "unknown"}) holds its port ${held.port}`;
    }
  }
  if (!("unavailable" in storage) && storage.volume !== null && isFull(storage.volume)) {
    return `its disk takes no more, so it cannot start well: ${storage.problems.join("; ")}`;
  }
  if (!("unavailable" in devices)) {
    const missing = devices.mapped.filter(({ present }) => !present).map(({ path }) => path);
    if (missing.length > 0) return `docker could not start it again, its device is missing: ${missing.join(", ")}`;
  }
  return undefined;
}
