// What one container is made of and what runs in it: its settings, its image, its processes, its use of the machine;
// and the list of all containers. Environment values and commands stay on the host: they hold secrets.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";
import { blind, bytesOf, isMissing, isNamed, jsonLines, notUnderstood, tooLong } from "./answers.ts";
import { byName, containerName } from "./inputs.ts";

const listed = v.object({
  id: v.string(),
  name: v.string(),
  image: v.string(),
  state: v.string(),
  status: v.string(),
  ports: v.string(),
  project: v.string(),
});
type Listed = v.InferOutput<typeof listed>;

export const dockerList = diagnostic({
  name: "docker_list",
  description: "All containers of the host, stopped ones too: name, image, state, published ports, compose project.",
  input: v.strictObject({}),
  command: () => [
    "root",
    "docker",
    "container",
    "ls",
    "--all",
    "--no-trunc",
    "--format",
    `{"id":{{json .ID}},"name":{{json .Names}},"image":{{json .Image}},"state":{{json .State}},"status":{{json .Status}},"ports":{{json .Ports}},"project":{{json (.Label "com.docker.compose.project")}}}`,
  ],
  parse(result): { containers: Listed[] } | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const lost = tooLong(result);
    if (lost !== undefined) return lost;
    const containers = jsonLines(result.stdout, listed)?.map((line) => ({ ...line, id: line.id.slice(0, 12) }));
    if (containers === undefined) return notUnderstood(result);
    return { containers: containers.toSorted((one, other) => one.name.localeCompare(other.name)) };
  },
});

const inspected = v.object({
  id: v.string(),
  name: v.string(),
  image: v.string(),
  created: v.string(),
  program: v.string(),
  user: v.string(),
  policy: v.object({ Name: v.string(), MaximumRetryCount: v.number() }),
  network: v.string(),
  privileged: v.boolean(),
  memory: v.number(),
  nanoCpus: v.number(),
  log: v.string(),
  devices: v.nullable(v.array(v.object({ PathOnHost: v.string(), PathInContainer: v.string() }))),
  mounts: v.array(
    v.object({ Type: v.string(), Source: v.optional(v.string(), ""), Destination: v.string(), RW: v.boolean() }),
  ),
  hasHealthcheck: v.boolean(),
  project: v.string(),
  service: v.string(),
});

export type Inspected = {
  exists: true;
  id: string;
  image: string;
  created: string;
  program: string;
  user: string;
  restartPolicy: string;
  networkMode: string;
  privileged: boolean;
  memoryLimitBytes: number | null;
  cpuLimit: number | null;
  logDriver: string;
  devices: { onHost: string; inside: string }[];
  mounts: { type: string; source: string; destination: string; writable: boolean }[];
  hasHealthcheck: boolean;
  compose: { project: string; service: string } | null;
};

export const dockerInspect = diagnostic({
  name: "docker_inspect",
  description:
    "Settings of one container, by exact name: image, limits, mounts, devices, network mode, compose service. No environment values.",
  input: byName,
  command: ({ name }) => [
    "root",
    "docker",
    "container",
    "inspect",
    "--format",
    `{"id":{{json .ID}},"name":{{json .Name}},"image":{{json .Config.Image}},"created":{{json .Created}},"program":{{json .Path}},"user":{{json .Config.User}},"policy":{{json .HostConfig.RestartPolicy}},"network":{{json .HostConfig.NetworkMode}},"privileged":{{json .HostConfig.Privileged}},"memory":{{json .HostConfig.Memory}},"nanoCpus":{{json .HostConfig.NanoCPUs}},"log":{{json .HostConfig.LogConfig.Type}},"devices":{{json .HostConfig.Devices}},"mounts":{{json .Mounts}},"hasHealthcheck":{{if .Config.Healthcheck}}true{{else}}false{{end}},"project":{{json (index .Config.Labels "com.docker.compose.project")}},"service":{{json (index .Config.Labels "com.docker.compose.service")}}}`,
    "--",
    name,
  ],
  parse(result, { name }): { exists: false } | Inspected | Unavailable {
    if (isMissing(result.stderr)) return { exists: false };
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const line = jsonLines(result.stdout, inspected)?.[0];
    if (line === undefined) return notUnderstood(result);
    if (!isNamed(line.name, name)) return { exists: false };
    const { Name: policy, MaximumRetryCount: retries } = line.policy;
    return {
      exists: true,
      id: line.id,
      image: line.image,
      created: line.created,
      program: line.program,
      user: line.user === "" ? "root" : line.user,
      restartPolicy: retries > 0 ? `${policy}:${retries}` : policy === "" ? "no" : policy,
      networkMode: line.network,
      privileged: line.privileged,
      memoryLimitBytes: line.memory === 0 ? null : line.memory,
      cpuLimit: line.nanoCpus === 0 ? null : line.nanoCpus / 1e9,
      logDriver: line.log,
      devices: (line.devices ?? []).map((device) => ({ onHost: device.PathOnHost, inside: device.PathInContainer })),
      mounts: line.mounts.map((mount) => ({
        type: mount.Type,
        source: mount.Source,
        destination: mount.Destination,
        writable: mount.RW,
      })),
      hasHealthcheck: line.hasHealthcheck,
      compose: line.project === "" ? null : { project: line.project, service: line.service },
    };
  },
});

const imageFormat = `{"id":{{json .ID}},"tags":{{json .RepoTags}},"digests":{{json .RepoDigests}},"created":{{json .Created}},"size":{{json .Size}},"platform":"{{.Os}}/{{.Architecture}}"}`;
const image = v.object({
  id: v.string(),
  tags: v.nullable(v.array(v.string())),
  digests: v.nullable(v.array(v.string())),
  created: v.string(),
  size: v.number(),
  platform: v.string(),
});
type Image = { id: string; tags: string[]; digests: string[]; created: string; sizeBytes: number; platform: string };
export type ImageFacts = {
  exists: true;
  reference: string;
  /** Null: the image is gone from the host (watchtower --cleanup removes the old one). */
  runs: Image | null;
  /** Its tag points to another image by now: pulled, but not recreated. */
  outdated: boolean;
};

/** Reads the image of the container "$1"; what it prints is for `imageFacts`. */
export const imageScript = `root docker container inspect --format '{"name":{{json .Name}},"reference":{{json .Config.Image}},"id":{{json .Image}}}' -- "$1" || exit
echo --medic:used
root docker image inspect --format '${imageFormat}' -- "$(root docker container inspect --format '{{.Image}}' -- "$1")" 2>&1
echo --medic:tagged
root docker image inspect --format '${imageFormat}' -- "$(root docker container inspect --format '{{.Config.Image}}' -- "$1")" 2>&1
`;

export const dockerImage = diagnostic({
  name: "docker_image",
  description:
    "The image a container runs, and whether its tag points to another one by now (pulled, but not recreated).",
  input: byName,
  command: ({ name }) => script(`${imageScript}exit 0`, name),
  parse(result, { name }): { exists: false } | ImageFacts | Unavailable {
    if (isMissing(result.stderr)) return { exists: false };
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    return imageFacts(result.stdout, name) ?? notUnderstood(result);
  },
});

const container = v.object({ name: v.string(), reference: v.string(), id: v.string() });

/** What `imageScript` printed for a container of this name; undefined when it is not understood. */
export function imageFacts(stdout: string, name: string): { exists: false } | ImageFacts | undefined {
  const parts = sections(stdout);
  const own = jsonLines(parts[""] ?? "", container)?.[0];
  if (own === undefined) return undefined;
  if (!isNamed(own.name, name)) return { exists: false };
  const runs = jsonLines(parts["used"] ?? "", image)?.[0];
  const tagged = jsonLines(parts["tagged"] ?? "", image)?.[0];
  return {
    exists: true,
    reference: own.reference,
    runs: runs === undefined ? null : imageOf(runs),
    outdated: tagged !== undefined && tagged.id !== own.id,
  };
}

function imageOf({ size, tags, digests, ...line }: v.InferOutput<typeof image>): Image {
  return { ...line, tags: tags ?? [], digests: digests ?? [], sizeBytes: size };
}

type Process = {
  pid: number;
  parent: number;
  memoryBytes: number;
  cpuPercent: number;
  ageSeconds: number;
  command: string;
};

export const dockerTop = diagnostic({
  name: "docker_top",
  description: "Processes inside one running container: memory, CPU, age, command. None: it only looks alive.",
  input: byName,
  command: ({ name }) =>
    script(
      `root docker container inspect --format '{"name":{{json .Name}}}' -- "$1" || exit
root docker top -- "$1" -o pid,ppid,rss,pcpu,etimes,args`,
      name,
    ),
  parse(result, { name }): { running: false } | { running: true; processes: Process[] } | Unavailable {
    if (isMissing(result.stderr) || /is not running|is restarting/.test(result.stderr)) return { running: false };
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const container = jsonLines(result.stdout, v.object({ name: v.string() }))?.[0];
    if (container === undefined) return notUnderstood(result);
    if (!isNamed(container.name, name)) return { running: false };
    return { running: true, processes: processesOf(result.stdout) };
  },
});

/** Rows of `ps -o pid,ppid,rss,pcpu,etimes,args`, with or without docker's padding. */
export function processesOf(text: string): Process[] {
  return text.split("\n").flatMap((line) => {
    const row = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+([\d.]+)\s+(\d+)\s+(.*\S)\s*$/.exec(line);
    if (row === null) return [];
    const [, pid, parent, memory, cpu, age, command = ""] = row;
    return {
      pid: Number(pid),
      parent: Number(parent),
      memoryBytes: Number(memory) * 1024,
      cpuPercent: Number(cpu),
      ageSeconds: Number(age),
      command: command.slice(0, 200),
    };
  });
}

const usage = v.object({ name: v.string(), cpu: v.string(), memory: v.string(), share: v.string(), pids: v.string() });
type Usage = {
  name: string;
  cpuPercent: number;
  memoryBytes: number | undefined;
  memoryLimitBytes: number | undefined;
  memoryPercent: number;
  processes: number;
};

export const dockerStats = diagnostic({
  name: "docker_stats",
  description: "CPU, memory and process count of the running containers, or of one; one sample, about two seconds.",
  input: v.strictObject({ name: v.optional(containerName) }),
  command: ({ name }) => [
    "root",
    "docker",
    "stats",
    "--no-stream",
    "--no-trunc",
    "--format",
    `{"name":{{json .Name}},"cpu":{{json .CPUPerc}},"memory":{{json .MemUsage}},"share":{{json .MemPerc}},"pids":{{json .PIDs}}}`,
    ...(name === undefined ? [] : ["--", name]),
  ],
  parse(result, { name }): { containers: Usage[] } | Unavailable {
    if (isMissing(result.stderr)) return { containers: [] };
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const lost = tooLong(result);
    if (lost !== undefined) return lost;
    const all = jsonLines(result.stdout, usage);
    if (all === undefined) return notUnderstood(result);
    const rows = all.filter((row) => name === undefined || row.name === name);
    return {
      containers: rows.map((row) => {
        const [used = "", limit = ""] = row.memory.split("/");
        return {
          name: row.name,
          cpuPercent: Number.parseFloat(row.cpu) || 0,
          memoryBytes: bytesOf(used),
          memoryLimitBytes: bytesOf(limit),
          memoryPercent: Number.parseFloat(row.share) || 0,
          processes: Number.parseInt(row.pids, 10) || 0,
        };
      }),
    };
  },
});
