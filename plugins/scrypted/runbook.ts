// What to do when an alert says that Scrypted does not answer. It restarts it once, when nothing says that a restart
// would be wrong: a second instance on its database, a full disk, a missing device, a start that is not over yet.
import { call, look, matches, mayHaveRun, need, pause, runbook } from "medic/plugin";
import type { Call, Decision, Inquiry, Seen } from "medic/plugin";
import { brief } from "medic/plugins/docker";
import type { Container } from "medic/plugins/docker";
import { isComplaint } from "./complaints.ts";
import type { ScryptedOptions } from "./options.ts";
import type { Probe } from "./probe.ts";
import { scryptedHttpProbe } from "./probe.ts";
import { scryptedLogs, scryptedPorts } from "./processes.ts";
import type { Logs } from "./processes.ts";
import { isWell, isYoung, scryptedRestart } from "./restart.ts";
import { scryptedStatus } from "./status.ts";
import type { ScryptedStatus } from "./status.ts";
import { isFull, scryptedDatabase, scryptedDevices, scryptedStorage } from "./storage.ts";

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
        if (status.run !== run) return { escalate: keepsDying(status) };
      }
      if (isWell(status, probe)) return { well: "/login answers" };
      const tried = incident.attempts.findLast(mayHaveRun);
      if (tried !== undefined) return { escalate: `${tried.fix} did not bring it back: ${probe.why}` };
      const reason = hopeless(status, options);
      if (reason !== undefined) return { escalate: reason };
      if (!isYoung(status, options)) return yield* restartUnlessWrong(status, probe);
      if (waitedSeconds >= options.startAllowanceSeconds) return { escalate: "it starts again and again" };
      yield* pause(waitSeconds);
    }
  },
});

const watched = { status: call(scryptedStatus, {}), probe: call(scryptedHttpProbe, {}) };

/** What no restart mends, as its state alone shows. */
function hopeless(status: ScryptedStatus, options: ScryptedOptions): string | undefined {
  const { container, install, unit } = status;
  if (install === "none")
    return `no Scrypted is on this host: no container "${options.container}", no "${options.unit}"`;
  if (container?.hold === true) return `"${container.name}" has the label medic.hold=true: its owner wants no fix`;
  if (container !== null && container.error !== "") return `docker cannot start it: ${brief(container.error)}`;
  const restarts = container?.restartCount ?? 0;
  if (container?.state === "restarting" || (restarts >= restartsMax && isYoung(status, options))) {
    return keepsDying(status);
  }
  if (unit?.result === "start-limit-hit") return `systemd gave up on "${unit.name}": start limit hit`;
  return undefined;
}

/** Docker started it again a moment ago: it counts as well once that run stands, for a second one may be who answers. */
function mayBeDying({ container }: ScryptedStatus): boolean {
  return (container?.restartCount ?? 0) > 0 && (container?.ageSeconds ?? 0) < settledSeconds;
}

function keepsDying({ container }: ScryptedStatus): string {
  const died = `docker restarted it ${container?.restartCount ?? 0} times by itself, the last time with exit ${container?.exit ?? 0}: it keeps dying`;
  return container === null ? died : `${died}${silence(container)}`;
}

/** Scrypted's default is to log nowhere: then a person sees the reason only after turning logs on, which recreates it. */
function silence({ logDriver, name, image, composeProject }: Container): string {
  if (logDriver !== "none") return "";
  const see =
    composeProject === undefined
      ? `run it once in the foreground with the same volume: docker run --rm ${image}`
      : `set "logging: { driver: local }" for it in docker-compose.yml, then run: docker compose up -d, and docker logs ${name}`;
  return `; what it says goes nowhere (logging driver none). To see why, ${see}`;
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
  database: call(scryptedDatabase, {}),
  storage: call(scryptedStorage, {}),
  devices: call(scryptedDevices, {}),
  ports: call(scryptedPorts, {}),
};
type Around = Seen<typeof surroundings & { logs: Call<Logs> }>;

/** Why a restart would not help, or would do harm. */
function wrongAround(status: ScryptedStatus, { database, storage, devices, ports, logs }: Around): string | undefined {
  if (!("unavailable" in database)) {
    if (!database.intact) return `its database is damaged, look before it starts: ${database.problems.join("; ")}`;
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
