// The fixes of one container as it is: start, unpause, restart, back into its network. Each is planned from what was seen a moment ago, acts on the id that was seen (a
// container recreated meanwhile is "No such container", and nothing ran), and is judged by the container's own state.
// What makes a container anew stands in recreate.ts and compose-up.ts, what concerns images in images.ts.
import { call, fix, need, refuse } from "medic/plugin";
import type { Inquiry, Plan, Refusal } from "medic/plugin";
import * as v from "valibot";
import { dockerEvents } from "./history.ts";
import { isBetweenRuns, lookBackSeconds } from "./in-flight.ts";
import { byName, containerName } from "./inputs.ts";
import type { DockerOptions } from "./inputs.ts";
import { dockerStatus, runOf } from "./status.ts";
import type { Container, ContainerStatus } from "./status.ts";
import { dockerNetwork } from "./surroundings.ts";
import type { Network } from "./surroundings.ts";

const withinSeconds = 120;
export type NetworkStatus = { exists: false } | Network;

export const dockerStart = fix({
  name: "docker_start",
  description:
    "Start one stopped container, by exact name. Refused for a one-off that ended well, and under medic.hold.",
  risk: "reversible",
  input: byName,
  watch: ({ name }) => ({ status: call(dockerStatus, { name }) }),
  *plan({ name }, options: DockerOptions, { status }): Inquiry<Plan | Refusal> {
    const objection = objectionTo(status, name);
    if (objection !== undefined || !status.exists) return refuse(objection ?? "");
    if (status.state === "paused") return refuse(`"${name}" is paused: docker_unpause wakes it`);
    if (status.running) return refuse(`"${name}" runs already, for ${status.ageSeconds} s`);
    if (status.state === "restarting") return refuse(`docker is restarting "${name}" itself`);
    if (endedOnPurpose(status)) return refuse(purposeText(status));
    if (status.networkMode.startsWith("container:")) {
      const { network } = yield* need({ network: call(dockerNetwork, { name }) });
      if (!isServed(network)) return refuse(unserved(name, network));
    }
    const approval = ownersQuestion(options, name, status.stoppedByPerson ? "stopped" : undefined);
    return {
      steps: [["root", "docker", "start", "--", status.id]],
      touches: [name],
      withinSeconds: withinSeconds + status.startPeriodSeconds,
      ...(approval === undefined ? {} : { approval }),
    };
  },
  marker: ({ status }) => runOf(status),
  healthy: ({ status }) => isWell(status),
  hopeless: ({ status }, before) => overFor(status, before.status),
  withinSeconds,
  stableSeconds: 30,
});

export const dockerUnpause = fix({
  name: "docker_unpause",
  description: "Let one paused container go on, by exact name.",
  risk: "reversible",
  input: byName,
  watch: ({ name }) => ({ status: call(dockerStatus, { name }) }),
  *plan({ name }, options: DockerOptions, { status }): Inquiry<Plan | Refusal> {
    const objection = objectionTo(status, name);
    if (objection !== undefined || !status.exists) return refuse(objection ?? "");
    if (status.state !== "paused") return refuse(`"${name}" is not paused, it is ${status.state}`);
    // No container pauses by itself.
    const approval = ownersQuestion(options, name, "paused");
    return {
      steps: [["root", "docker", "unpause", "--", status.id]],
      touches: [name],
      ...(approval === undefined ? {} : { approval }),
    };
  },
  // Undefined while paused, so that waking up counts as a new run: unpausing keeps StartedAt.
  marker: ({ status }) => runOf(status),
  healthy: ({ status }) => isWell(status),
  withinSeconds: 60,
  stableSeconds: 10,
});

export const dockerRestart = fix({
  name: "docker_restart",
  description:
    "Restart one container, by exact name; running containers that share its network are restarted after it. Refused within its start period.",
  risk: "disruptive",
  input: v.strictObject({
    name: containerName,
    graceSeconds: v.pipe(
      v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(60)), 10),
      v.description("How long it may take to end before docker kills it."),
    ),
  }),
  watch: ({ name }) => ({ status: call(dockerStatus, { name }), network: call(dockerNetwork, { name }) }),
  *plan({ name, graceSeconds }, options: DockerOptions, { status, network }): Inquiry<Plan | Refusal> {
    const objection = objectionTo(status, name);
    if (objection !== undefined || !status.exists || !network.exists) return refuse(objection ?? "it is gone");
    if (status.state === "paused") return refuse(`"${name}" is paused: docker_unpause wakes it`);
    if (status.health === "starting" && (status.ageSeconds ?? 0) < status.startPeriodSeconds) {
      return refuse(`"${name}" started ${status.ageSeconds} s ago and may take ${status.startPeriodSeconds} s`);
    }
    if (endedOnPurpose(status)) return refuse(purposeText(status));
    if (!isServed(network)) return refuse(unserved(name, network));
    const held = network.held ?? [];
    if (held.length > 0) {
      return refuse(`"${held.join('", "')}" would have to follow it, and has the label medic.hold=true`);
    }
    const approval = ownersQuestion(options, name, status.stoppedByPerson ? "stopped" : undefined);
    const restart = (target: string) =>
      ["root", "docker", "restart", "-t", String(graceSeconds), "--", target] as const;
    return {
      // A restart gives it a new network namespace: who shares it has to follow, or stays "running" and cut off.
      steps: [restart(status.id), ...network.dependents.map(restart)],
      touches: [name, ...network.dependents],
      withinSeconds: withinSeconds + status.startPeriodSeconds,
      ...(approval === undefined ? {} : { approval }),
    };
  },
  marker: ({ status }) => runOf(status),
  traces: ({ name, graceSeconds }, _options: DockerOptions, sinceSeconds) => ({
    events: call(dockerEvents, { name, seconds: lookBackSeconds(sinceSeconds, graceSeconds) }),
  }),
  pending: ({ status }, { events }) => pending({ status }) || isBetweenRuns(status, events),
  // Docker may have forgotten its events, and then nothing shows that it waits for the old process to end.
  settleSeconds: 90,
  healthy: ({ status, network }) => isWell(status) && network.exists && !network.deadNamespace,
  hopeless: ({ status }, before) => overFor(status, before.status),
  withinSeconds,
  stableSeconds: 30,
  timeoutSeconds: 120,
});

export const dockerNetworkReconnect = fix({
  name: "docker_network_reconnect",
  description:
    "Connect a running container to the network it was made for and has lost, by exact name. Its compose name is restored; a fixed address or other aliases are not.",
  risk: "reversible",
  input: byName,
  watch: ({ name }) => ({ status: call(dockerStatus, { name }), network: call(dockerNetwork, { name }) }),
  // oxlint-disable-next-line require-yield -- what it watches is all it needs
  *plan({ name }, _options: DockerOptions, { status, network }): Inquiry<Plan | Refusal> {
    const objection = objectionTo(status, name);
    if (objection !== undefined || !status.exists || !network.exists) return refuse(objection ?? "it is gone");
    if (!status.running) return refuse(`"${name}" is ${status.state}: it gets its network when it starts`);
    const { lost, service } = network;
    if (lost === null) return refuse(`"${name}" has lost no network`);
    if (!lost.exists) return refuse(networkGone(name, network));
    // Docker's own bridge knows no names.
    const alias = service === null || lost.network === "bridge" ? [] : ["--alias", service];
    return {
      steps: [
        ...(lost.stale
          ? [["root", "docker", "network", "disconnect", "--force", "--", lost.network, status.id] as const]
          : []),
        ["root", "docker", "network", "connect", ...alias, "--", lost.network, status.id],
      ],
      touches: [name],
    };
  },
  // Undefined without it, so that being back counts as a change: connecting keeps StartedAt.
  marker: ({ status, network }) => (network.exists && network.lost === null ? runOf(status) : undefined),
  healthy: ({ status, network }) => isWell(status) && network.exists && network.lost === null,
  withinSeconds: 60,
  stableSeconds: 10,
});

/** The network itself is gone: what a person has to run. */
export function networkGone(name: string, network: Network): string {
  const lost = network.lost?.network ?? "its network";
  return (
    `"${name}" was made for the network "${lost}", which is not on this host any more. ` +
    (network.service === null
      ? `Run: docker network create ${lost} && docker network connect ${lost} ${name}`
      : `Run in its compose folder: docker compose up -d ${network.service}`)
  );
}

/** Docker is between two runs of it. */
export function pending({ status }: { status: ContainerStatus }): boolean {
  return status.exists && status.state === "restarting";
}

/** What forbids any fix of a container. */
export function objectionTo(status: ContainerStatus, name: string): string | undefined {
  if (!status.exists) return `there is no container "${name}"`;
  if (status.hold) return `"${name}" has the label medic.hold=true`;
  if (status.state === "dead" || status.state === "removing") return `"${name}" is ${status.state}`;
  return undefined;
}

/** What the owner wants to be asked before a container that a person took down comes back; undefined: nothing. */
export function ownersQuestion(
  { onStopped }: Pick<DockerOptions, "onStopped">,
  name: string,
  how: "stopped" | "paused" | "removed" | undefined,
): string | undefined {
  if (onStopped !== "ask" || how === undefined) return undefined;
  return `"${name}" was ${how} through docker, and onStopped says to ask`;
}

/** Whether the container whose network this one uses is there; true for a network of its own. */
export function isServed(network: NetworkStatus): boolean {
  return !network.exists || network.through === null || network.through.running;
}

export function unserved(name: string, network: NetworkStatus): string {
  const provider = network.exists ? network.through?.name : undefined;
  return `"${name}" uses the network of ${provider ?? "a container that is gone"}, which does not run: start that first`;
}

/** A one-off that did its work, or that somebody asked to end: nothing would have started it again. */
export function endedOnPurpose(status: Container): boolean {
  return status.state === "exited" && status.restartPolicy === "no" && (status.exit === 0 || status.exit === 143);
}

export function purposeText({ name, exit }: Container): string {
  return `"${name}" ended with ${exit} under restart policy "no": it was meant to end, or stopped`;
}

/** Why a run that was begun since is over for good: it ended, and docker starts it no more. One that loops may yet stand. */
export function overFor(status: ContainerStatus, before: ContainerStatus): string | undefined {
  if (!status.exists || status.state !== "exited") return undefined;
  if (before.exists && status.startedAt === before.startedAt) return undefined;
  const { name, exit, restartPolicy } = status;
  // `on-failure` is over when it has tried as often as it may, or ended well; docker says "restarting" until then.
  if (restartPolicy !== "no" && restartPolicy !== "on-failure") return undefined;
  return `"${name}" ended again with ${exit}, and under restart policy "${restartPolicy}" docker does not start it`;
}

/** Runs, and passes its health check where it has one. */
export function isWell(status: ContainerStatus): boolean {
  return status.exists && status.running && (status.health === "none" || status.health === "healthy");
}
