// What a container depends on and shares with others: its network, its ports, the disk, its compose file; and whether
// it keeps dying. Knows no policy.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";
import { blind, bytesOf, isMissing, isNamed, jsonLines, notUnderstood, tooLong } from "./answers.ts";
import { byName, containerName, port } from "./inputs.ts";

const sample = v.object({
  id: v.string(),
  name: v.string(),
  state: v.string(),
  startedAt: v.string(),
  restarts: v.number(),
});
const sampleFormat = `{"id":{{json .ID}},"name":{{json .Name}},"state":{{json .State.Status}},"startedAt":{{json .State.StartedAt}},"restarts":{{json .RestartCount}}}`;

export const dockerRestartLoop = diagnostic({
  name: "docker_restart_loop",
  description:
    "Whether a container keeps dying and being restarted: its restart count and start time, sampled twice some seconds apart.",
  input: v.strictObject({
    name: containerName,
    seconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(45)), 10),
  }),
  timeoutSeconds: 60,
  command: ({ name, seconds }) =>
    script(
      `root docker container inspect --format '${sampleFormat}' -- "$1" || exit
sleep "$2"
root docker container inspect --format '${sampleFormat}' -- "$1"`,
      name,
      String(seconds),
    ),
  parse(
    result,
    { name },
  ):
    | { exists: false }
    | { exists: true; looping: boolean; restarts: number; total: number; state: string }
    | Unavailable {
    if (isMissing(result.stderr)) return { exists: false };
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const [first, second] = jsonLines(result.stdout, sample) ?? [];
    if (first === undefined || second === undefined) return notUnderstood(result);
    if (!isNamed(first.name, name)) return { exists: false };
    // The count starts again at 0 after a manual restart: then only the start time tells.
    const counted = Math.max(0, second.restarts - first.restarts);
    const restarts = counted === 0 && second.startedAt !== first.startedAt ? 1 : counted;
    const looping = counted > 0 || second.state === "restarting";
    return { exists: true, looping, restarts, total: second.restarts, state: second.state };
  },
});

const connected = v.object({
  id: v.string(),
  name: v.string(),
  network: v.string(),
  running: v.boolean(),
  startedAt: v.string(),
  networks: v.nullable(
    v.record(
      v.string(),
      v.object({
        IPAddress: v.string(),
        Gateway: v.string(),
        NetworkID: v.optional(v.string(), ""),
        EndpointID: v.optional(v.string(), "unknown"),
      }),
    ),
  ),
  service: v.optional(v.string(), ""),
});
type Connected = v.InferOutput<typeof connected>;
const connectedFormat = `{"id":{{json .ID}},"name":{{json .Name}},"network":{{json .HostConfig.NetworkMode}},"running":{{json .State.Running}},"startedAt":{{json .State.StartedAt}},"networks":{{json .NetworkSettings.Networks}},"service":{{json (index .Config.Labels "com.docker.compose.service")}}}`;
const neighbour = v.object({
  name: v.string(),
  network: v.string(),
  running: v.boolean(),
  hold: v.optional(v.string(), ""),
});

export type Network = {
  exists: true;
  mode: string;
  networks: { name: string; address: string; gateway: string }[];
  /** The container whose network it uses (`network_mode: container:…`). */
  through: { name: string | null; running: boolean } | null;
  /** That container went or was started again later: ours sits in a namespace nobody serves, and looks "running". */
  deadNamespace: boolean;
  /** The network it was made for and runs without: disconnected, or its endpoint went. `stale`: docker still lists it there. */
  lost: { network: string; exists: boolean; stale: boolean } | null;
  /** The name that its project's other services call it by. */
  service: string | null;
  /** Running containers that use this one's network: a restart of this one cuts them off. */
  dependents: string[];
  /** Those of them with the label medic.hold=true; absent when none has it. */
  held?: string[];
};

export const dockerNetwork = diagnostic({
  name: "docker_network",
  description:
    "Networks and addresses of one container, whose network it shares, who shares its own, and whether it sits in a dead network namespace.",
  input: byName,
  command: ({ name }) =>
    script(
      `root docker container inspect --format '${connectedFormat}' -- "$1" || exit
mode=$(root docker container inspect --format '{{.HostConfig.NetworkMode}}' -- "$1")
case "$mode" in
  container:*)
    echo --medic:through
    root docker container inspect --format '${connectedFormat}' -- "\${mode#container:}" 2>&1
    ;;
esac
echo --medic:others
root docker container inspect --format '{"name":{{json .Name}},"network":{{json .HostConfig.NetworkMode}},"running":{{json .State.Running}},"hold":{{json (index .Config.Labels "medic.hold")}}}' -- $(root docker container ls --all --quiet --no-trunc)
echo --medic:networks
root docker network ls --no-trunc --format '{{.ID}} {{.Name}}'
exit 0`,
      name,
    ),
  parse(result, { name }): { exists: false } | Network | Unavailable {
    const parts = sections(result.stdout);
    if (!("others" in parts) && isMissing(result.stderr)) return { exists: false };
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const own = jsonLines(parts[""] ?? "", connected)?.[0];
    const others = jsonLines(parts["others"] ?? "", neighbour);
    if (own === undefined || others === undefined) return notUnderstood(result);
    if (!isNamed(own.name, name)) return { exists: false };
    const shared = own.network.startsWith("container:");
    const through = jsonLines(parts["through"] ?? "", connected)?.[0];
    const servedSince = through?.running === true ? Date.parse(through.startedAt) : Number.POSITIVE_INFINITY;
    const uses = new Set([`container:${own.id}`, `container:${name}`]);
    const dependents = others.filter((other) => other.running && uses.has(other.network));
    const namesOf = (some: typeof dependents) => some.map((other) => other.name.slice(1)).toSorted();
    const held = namesOf(dependents.filter(({ hold }) => hold === "true"));
    return {
      exists: true,
      mode: own.network,
      networks: Object.entries(own.networks ?? {}).map(([network, { IPAddress, Gateway }]) => ({
        name: network,
        address: IPAddress,
        gateway: Gateway,
      })),
      through: shared ? { name: through?.name.slice(1) ?? null, running: through?.running ?? false } : null,
      deadNamespace: shared && own.running && servedSince > Date.parse(own.startedAt),
      lost: lostBy(own, parts["networks"]),
      service: own.service === "" ? null : own.service,
      dependents: namesOf(dependents),
      ...(held.length > 0 ? { held } : {}),
    };
  },
});

/** `known`: rows of `docker network ls`; without them nothing is called lost. */
function lostBy({ network, running, networks }: Connected, known: string | undefined): Network["lost"] {
  if (!running || known === undefined || /^(?:host|none|container:.*)$/.test(network)) return null;
  const wanted = network === "default" ? "bridge" : network;
  const there = Object.entries(networks ?? {}).find(([name, { NetworkID }]) => name === wanted || NetworkID === wanted);
  // On a machine whose docker has no bridge, "default" is nothing to be lost.
  if (there === undefined && wanted === "bridge" && !/ bridge$/m.test(known)) return null;
  if (there !== undefined && there[1].EndpointID !== "") return null;
  const exists = known.split("\n").some((row) => row.split(" ").includes(wanted));
  return { network: wanted, exists, stale: there !== undefined };
}

const publishing = v.object({ name: v.string(), ports: v.string(), networks: v.string() });
export type Listener = {
  protocol: string;
  address: string;
  port: number;
  process: string | undefined;
  pid: number | undefined;
};

export const dockerPortOwner = diagnostic({
  name: "docker_port_owner",
  description: "Who holds a port of the host: the containers that publish it, and the process that listens.",
  input: v.strictObject({ port }),
  command: ({ port: wanted }) =>
    script(
      `root docker container ls --no-trunc --filter "publish=$1" --format '{"name":{{json .Names}},"ports":{{json .Ports}},"networks":{{json .Networks}}}' || exit
echo --medic:listeners
root ss -H -ltunp
code=$?
echo --medic:exit
echo "$code"`,
      String(wanted),
    ),
  parse(result, input): { containers: string[]; listeners: Listener[] | null } | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const lost = tooLong(result);
    if (lost !== undefined) return lost;
    const parts = sections(result.stdout);
    const containers = jsonLines(parts[""] ?? "", publishing);
    if (containers === undefined) return notUnderstood(result);
    return {
      containers: containers.map((container) => container.name),
      // Null: this host has no ss, or does not let us ask; that is not "nobody listens".
      listeners:
        parts["exit"] === "0"
          ? listenersOf(parts["listeners"] ?? "").filter((listener) => listener.port === input.port)
          : null,
    };
  },
});

/** Rows of `ss -H -ltunp`; the process is missing without privilege. */
export function listenersOf(text: string): Listener[] {
  return text.split("\n").flatMap((line) => {
    const [protocol = "", , , , local = ""] = line.trim().split(/\s+/);
    const at = local.lastIndexOf(":");
    const number = Number(local.slice(at + 1));
    if (at < 0 || !Number.isInteger(number)) return [];
    const owner = /users:\(\("((?:[^"\\]|\\.)*)",pid=(\d+)/.exec(line);
    return {
      protocol,
      address: local.slice(0, at),
      port: number,
      process: owner?.[1],
      pid: owner === null ? undefined : Number(owner[2]),
    };
  });
}

const count = v.pipe(v.string(), v.regex(/^\d{1,15}$/));
const kept = v.object({ kind: v.string(), count, active: count, size: v.string(), free: v.string() });
type Kept = {
  kind: string;
  count: number;
  active: number;
  bytes: number | undefined;
  reclaimableBytes: number | undefined;
};

export const dockerDiskUsage = diagnostic({
  name: "docker_disk_usage",
  description: "What docker keeps on disk (images, containers, volumes, build cache), and how full its disk is.",
  input: v.strictObject({}),
  timeoutSeconds: 40,
  command: () =>
    script(`root docker system df --format '{"kind":{{json .Type}},"count":{{json .TotalCount}},"active":{{json .Active}},"size":{{json .Size}},"free":{{json .Reclaimable}}}' || exit
echo --medic:disk
df -Pk -- "$(root docker info --format '{{.DockerRootDir}}')" 2>&1
exit 0`),
  parse(result): { kinds: Kept[]; disk: Disk | null } | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const parts = sections(result.stdout);
    const kinds = jsonLines(parts[""] ?? "", kept)?.map((line) => ({
      kind: line.kind,
      count: Number(line.count),
      active: Number(line.active),
      bytes: bytesOf(line.size),
      reclaimableBytes: bytesOf(line.free.replace(/\s*\(.*$/, "")),
    }));
    if (kinds === undefined) return notUnderstood(result);
    return { kinds, disk: disksOf(parts["disk"] ?? "")[0] ?? null };
  },
});

export type Disk = { mount: string; usedPercent: number; freeBytes: number };

/** Rows of `df -Pk`. */
export function disksOf(text: string): Disk[] {
  return text.split("\n").flatMap((line) => {
    const row = /^\S.*?\s+\d+\s+\d+\s+(\d+)\s+(\d+)%\s+(\/.*)$/.exec(line);
    return row === null ? [] : { mount: row[3] ?? "", usedPercent: Number(row[2]), freeBytes: Number(row[1]) * 1024 };
  });
}
