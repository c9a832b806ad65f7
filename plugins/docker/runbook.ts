// What to do with a container that an alert is about. One decision tree, because the alert's name does not say what is
// wrong: the container's state does. It starts and restarts once; what would only fail again goes to a person.
//
//   gone ─▶ its image pulled, its compose service brought up; else a person
//   held, paused, restarting, not running, unhealthy, cut off ─▶ its branch below
//   running and starting up ─▶ wait ─▶ judge again
//   running and well        ─▶ well, if the host shows that it came back; else escalate: the alert sees more than docker
import { call, look, matches, mayHaveRun, need, pause, runbook } from "medic/plugin";
import type { Decision, Incident, Inquiry } from "medic/plugin";
import * as v from "valibot";
import { brief, isDaemonDown } from "./answers.ts";
import { deathsOf, memoryAdvice, otherHealer, withCause, withLastWords } from "./causes.ts";
import { composeLine, composeObjection, dockerComposeConfig } from "./compose.ts";
import { dockerComposeUp } from "./compose-up.ts";
import { daemonDown, dockerDaemon } from "./daemon.ts";
import {
  dockerNetworkReconnect,
  dockerRestart,
  dockerStart,
  dockerUnpause,
  endedOnPurpose,
  isServed,
  networkGone,
  purposeText,
  unserved,
} from "./fixes.ts";
import { dockerGone, goneText } from "./gone.ts";
import { dockerExplainExit, dockerHealthLog } from "./history.ts";
import { dockerPull } from "./images.ts";
import { containerName } from "./inputs.ts";
import type { NetworkStatus } from "./fixes.ts";
import type { DockerOptions } from "./inputs.ts";
import { dockerRecreate } from "./recreate.ts";
import { dockerStatus } from "./status.ts";
import type { Container } from "./status.ts";
import { dockerNetwork, dockerRestartLoop } from "./surroundings.ts";

const waitSeconds = 15;
const startingSecondsMax = 900;
/** A monitor notices late: a failure shortly before the alert belongs to it. */
const noticedLateSeconds = 300;

export const containerNotWell = runbook({
  title: "Container is not well",
  guidance: `Look at docker_status first: the state decides, not the alert's name.
- exited under "always" or "unless-stopped": somebody stopped it (exit codes do not show that); start it unless the owner holds it (label medic.hold=true).
- exited with 0 or 143 under policy "no": it was meant to end. Leave it.
- State.Error (a device or a program is missing), exit 126 or 127: a start fails the same way. Escalate with the text.
- OOMKilled: one start; the second time the memory limit or a leak is the problem. Escalate.
- restart count growing (docker_restart_loop): restarting does not help; its newest log lines say why. Escalate.
- unhealthy: docker_health_log tells what the check printed; restart once.
- running in a dead network namespace (docker_network): restart it, the container behind it was restarted earlier.
- the container whose network it uses is down: start that one first, then this one.
- running without the network it was made for: docker_network_reconnect.
- gone, and made by compose: docker_pull when its image is missing, then docker_compose_up. Gone and made by docker run: a person.
- its start fails because its network was removed: docker_recreate, which asks.
- restarted through docker again and again, not by us: a second healer is at work. Escalate, do not join in.
- docker does not answer at all: docker_daemon. Starting the daemon starts everything, so a person does it.
- running and healthy since before the alert: docker cannot see what the alert sees. Do not restart on suspicion.`,
  when: (incident, options: DockerOptions) =>
    v.is(containerName, incident.service) && matches(options.heals, incident.service),
  *decide(incident, options: DockerOptions): Inquiry<Decision> {
    const name = incident.service ?? "";
    for (let waitedSeconds = 0; ; waitedSeconds += waitSeconds) {
      const { status } = yield* look({ status: call(dockerStatus, { name }) });
      if ("unavailable" in status) return yield* blinded(name, status.unavailable);
      if (!status.exists) {
        // An updater removes a container a moment before it makes the new one.
        if (waitedSeconds > 0 || incident.attempts.length > 0) return yield* missing(name, incident);
        yield* pause(waitSeconds);
        continue;
      }
      if (status.hold) return { escalate: `"${name}" has the label medic.hold=true: its owner wants no fix` };
      if (!status.running) return yield* notRunning(status, incident, options);
      if (status.health !== "starting") return yield* running(status, incident, options);
      const healer = waitedSeconds === 0 ? yield* otherHealer(name, incident) : undefined;
      if (healer !== undefined) return { escalate: healer };
      if (waitedSeconds >= Math.min(status.startPeriodSeconds + 60, startingSecondsMax)) {
        return { escalate: `"${name}" is still starting after ${status.ageSeconds} s` };
      }
      yield* pause(waitSeconds);
    }
  },
});

/** Nobody could look at the container; where docker itself is down, that is what a person has to know. */
function* blinded(name: string, why: string): Inquiry<Decision> {
  const nobody = `cannot look at "${name}": ${why}`;
  if (!isDaemonDown(why)) return { escalate: nobody };
  const { daemon } = yield* look({ daemon: call(dockerDaemon, {}) });
  if ("unavailable" in daemon) return { escalate: nobody };
  return { escalate: daemon.answers ? `${nobody}; by now docker answers: ask again` : daemonDown(daemon) };
}

/** It was removed: what compose made, compose makes again, from the image it had. */
function* missing(name: string, incident: Incident): Inquiry<Decision> {
  const { gone, config } = yield* look({
    gone: call(dockerGone, { name }),
    config: call(dockerComposeConfig, { name }),
  });
  const compose = "compose" in config ? config.compose : null;
  if (compose === null || !("compose" in config)) return { escalate: goneText(name, gone) };
  const makes = composeLine(compose, "up", "-d", compose.service);
  const objection = composeObjection(name, config);
  if (objection !== undefined) return { escalate: `${goneText(name, gone, makes)}. Medic does not: ${objection}` };
  const isPullable = "last" in gone && gone.last !== null && gone.hasImage === false;
  if (isPullable && !hasBegun(incident, dockerPull.name)) return { fix: call(dockerPull, { name }) };
  if (!hasBegun(incident, dockerComposeUp.name)) return { fix: call(dockerComposeUp, { name }) };
  return { escalate: `docker_compose_up did not bring it back: ${goneText(name, gone, makes)}` };
}

function* notRunning(status: Container, incident: Incident, options: DockerOptions): Inquiry<Decision> {
  const { name } = status;
  if (status.state === "paused") {
    if (triedIn(incident, name)) return { escalate: `"${name}" was unpaused and is paused again` };
    return { fix: call(dockerUnpause, { name }) };
  }
  if (status.state === "restarting") return yield* dying(status);
  if (status.error !== "") {
    const isNetworkGone = /network \S+ not found/i.test(status.error);
    if (isNetworkGone && status.composeProject !== undefined && !triedIn(incident, name)) {
      return { fix: call(dockerRecreate, { name }) };
    }
    const why = `"${name}" cannot be started, and a start would fail again: ${brief(status.error)}`;
    return { escalate: yield* withCause(name, why, [status.error]) };
  }
  if (status.exit === 126 || status.exit === 127) {
    const why = `"${name}" ended with ${status.exit}: its program is missing or not executable`;
    return { escalate: yield* withLastWords(name, why) };
  }
  if (endedOnPurpose(status)) return { escalate: purposeText(status) };
  if (status.state !== "exited" && status.state !== "created") return { escalate: `"${name}" is ${status.state}` };
  if (status.networkMode.startsWith("container:")) {
    const { network } = yield* need({ network: call(dockerNetwork, { name }) });
    if (!isServed(network)) return serverFirst(name, network, incident, options);
  }
  if (triedIn(incident, name)) {
    const { why } = yield* look({ why: call(dockerExplainExit, { name }) });
    const cause = "cause" in why ? `${why.cause}, ${why.meaning}` : `exit ${status.exit}`;
    const hint = status.oomKilled ? `; ${yield* memoryAdvice(name)}` : "";
    return { escalate: yield* withLastWords(name, `"${name}" was started and is down again (${cause})${hint}`) };
  }
  return { fix: call(dockerStart, { name }) };
}

/** The container whose network it uses is down: that one is started first, once, where this plugin may. */
function serverFirst(name: string, network: NetworkStatus, incident: Incident, options: DockerOptions): Decision {
  const server = network.exists ? network.through?.name : undefined;
  const may = server !== null && server !== undefined && matches(options.heals, server);
  if (!may || triedIn(incident, server)) return { escalate: unserved(name, network) };
  return { fix: call(dockerStart, { name: server }) };
}

function* running(status: Container, incident: Incident, options: DockerOptions): Inquiry<Decision> {
  const { name } = status;
  if (status.health === "unhealthy") {
    const healer = yield* otherHealer(name, incident);
    if (healer !== undefined) return { escalate: healer };
    if (!triedIn(incident, name)) return { fix: call(dockerRestart, { name }) };
    const { health } = yield* look({ health: call(dockerHealthLog, { name }) });
    const said = "checks" in health ? (health.checks.at(-1)?.output ?? "") : "";
    return {
      escalate: `"${name}" was restarted and is unhealthy again: ${said === "" ? "its check says nothing" : said}`,
    };
  }
  const { network, loop, health } = yield* look({
    network: call(dockerNetwork, { name }),
    loop: call(dockerRestartLoop, { name, seconds: 5 }),
    health: call(dockerHealthLog, { name }),
  });
  const young = status.ageSeconds !== undefined && status.ageSeconds < 120;
  if (("looping" in loop && loop.looping) || (young && status.restartCount >= 3)) return yield* dying(status);
  if ("deadNamespace" in network && network.deadNamespace) {
    if (!isServed(network)) return serverFirst(name, network, incident, options);
    if (triedIn(incident, name)) return { escalate: `"${name}" was restarted and still has no network` };
    return { fix: call(dockerRestart, { name }) };
  }
  if ("lost" in network && network.lost !== null) {
    if (!network.lost.exists) return { escalate: networkGone(name, network) };
    if (triedIn(incident, name))
      return { escalate: `"${name}" was reconnected to "${network.lost.network}" and has lost it again` };
    return { fix: call(dockerNetworkReconnect, { name }) };
  }
  if (incident.attempts.at(-1)?.outcome === "fixed")
    return { well: `"${name}" runs and stays up${unattended(status)}` };
  const noticedAt = Date.parse(incident.alert.startsAt) - noticedLateSeconds * 1000;
  if (Date.parse(status.startedAt) >= noticedAt) return { well: `"${name}" runs again since ${status.startedAt}` };
  const failedAt = "lastFailureAt" in health ? health.lastFailureAt : undefined;
  if (status.health === "healthy" && failedAt !== undefined && Date.parse(failedAt) >= noticedAt) {
    return { well: `"${name}" passes its health check again, it last failed at ${failedAt}` };
  }
  const judge = status.health === "healthy" ? "passes its health check" : "has no health check that could tell more";
  return { escalate: `"${name}" runs since ${status.startedAt} and ${judge}: the alert sees what docker does not` };
}

/** A policy that was lost shows only when nothing brought it back: the owner should know before the next time. */
function unattended({ name, restartPolicy }: Container): string {
  if (restartPolicy !== "no") return "";
  return `; its restart policy is "no", so nothing starts it after the next crash or reboot: docker update --restart unless-stopped ${name}`;
}

/** It dies and comes back: a restart is what docker does already. */
function* dying({ name, exit, restartCount }: Container): Inquiry<Decision> {
  const deaths = yield* deathsOf(name);
  const why = `"${name}" keeps dying (exit ${deaths.exit ?? exit}, restarted ${restartCount} times by docker)${deaths.memory}`;
  return { escalate: yield* withLastWords(name, why) };
}

/** Whether this very fix may have run in this incident. */
function hasBegun({ attempts }: Incident, fix: string): boolean {
  return attempts.filter(mayHaveRun).some((attempt) => attempt.fix === fix);
}

/** Whether a fix of this container may have run; one that names none was of the incident's own. A pull starts nothing. */
function triedIn({ attempts, service }: Incident, name: string): boolean {
  const tried = attempts.filter((attempt) => mayHaveRun(attempt) && attempt.fix !== dockerPull.name);
  return tried.some(({ input }) => ("name" in input ? input.name : service) === name);
}
