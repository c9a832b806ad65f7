// What docker 20.10 shows of a container, an image, an event: the objects that its `--format` templates read, with its
// own field names, units and time formats. Environment values are there, as they are for real: plugins must not ask.
import type { Container, DockerEvent, ImageSpec } from "../docker-engine.ts";

const NEVER = "0001-01-01T00:00:00Z";
/** What a container has written into its own root. */
const LAYER_BYTES = 18_432_512;

/** Docker prints nine digits; the sandbox's clock has three. */
export function dockerTime(at: number): string {
  return at === 0 ? NEVER : new Date(at).toISOString().replace("Z", "000000Z");
}

/** `isSized`: with the sizes that `--size` asks for. */
export function inspected(container: Container, isSized = false): Record<string, unknown> {
  const { state } = container;
  const isRunning = state.status === "running" || state.status === "paused";
  const networkName = container.networkMode === "default" ? "bridge" : container.networkMode;
  const id = container.id;
  return {
    Id: id,
    ID: id,
    Created: dockerTime(container.createdAt),
    Path: container.command[0] ?? "",
    Args: container.command.slice(1),
    State: {
      Status: state.status,
      Running: isRunning,
      Paused: state.status === "paused",
      Restarting: state.status === "restarting",
      OOMKilled: false,
      Dead: false,
      Pid: state.pid,
      ExitCode: state.exit,
      Error: "",
      StartedAt: dockerTime(state.startedAt),
      FinishedAt: dockerTime(state.finishedAt),
      Health: undefined,
    },
    Image: `sha256:${idOf(container.image)}`,
    LogPath: container.logDriver === "json-file" ? `/var/lib/docker/containers/${id}/${id}-json.log` : "",
    Name: `/${container.name}`,
    RestartCount: state.restartCount,
    Driver: "overlay2",
    Platform: "linux",
    HostConfig: hostConfig(container),
    GraphDriver: { Name: "overlay2" },
    ...(isSized ? { SizeRw: LAYER_BYTES, SizeRootFs: LAYER_BYTES + 412 * 1024 * 1024 } : {}),
    Mounts: container.mounts.map((mount) => ({
      Type: "bind",
      Source: mount.source,
      Destination: mount.destination,
      Mode: "",
      RW: true,
      Propagation: "rprivate",
    })),
    Config: {
      Hostname: container.networkMode === "host" ? "nexus" : id.slice(0, 12),
      User: "",
      Env: container.environment,
      Cmd: container.command,
      Image: container.image,
      Volumes: null,
      WorkingDir: "/",
      Entrypoint: null,
      Labels: container.labels,
      Healthcheck: undefined,
    },
    NetworkSettings: {
      IPAddress: networkName === "bridge" && isRunning ? container.address : "",
      Ports: Object.fromEntries(
        container.published.map(({ container: inside, host }) => [
          `${inside}/tcp`,
          isRunning ? [{ HostIp: "0.0.0.0", HostPort: String(host) }] : null,
        ]),
      ),
      Networks: networkName.startsWith("container:")
        ? {}
        : {
            [networkName]: {
              NetworkID: idOf(networkName),
              IPAddress: networkName !== "host" && isRunning ? container.address : "",
              Gateway: networkName !== "host" && isRunning ? "172.17.0.1" : "",
            },
          },
    },
  };
}

function hostConfig(container: Container): Record<string, unknown> {
  return {
    Binds: container.mounts.map((mount) => `${mount.source}:${mount.destination}`),
    LogConfig: { Type: container.logDriver, Config: {} },
    NetworkMode: container.networkMode,
    RestartPolicy: { Name: container.restartPolicy, MaximumRetryCount: 0 },
    Privileged: false,
    Memory: 0,
    NanoCpus: 0,
    NanoCPUs: 0,
    Devices: container.devices.map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: "rwm" })),
    Init: false,
  };
}

/** One row of `docker container ls`; all values are texts. */
export function listed(container: Container, now: number, truncated: boolean): Record<string, unknown> {
  const short = truncated ? container.id.slice(0, 12) : container.id;
  return {
    Command: `"${container.command.join(" ").slice(0, truncated ? 20 : undefined)}"`,
    CreatedAt: localTime(container.createdAt),
    ID: short,
    Image: container.image,
    Labels: Object.entries(container.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    LocalVolumes: "0",
    Mounts: container.mounts.map((mount) => mount.source).join(","),
    Names: container.name,
    Networks: container.networkMode === "default" ? "bridge" : container.networkMode.split(":")[0],
    Ports: portsOf(container),
    RunningFor: `${span(now - container.createdAt)} ago`,
    Size: "0B",
    State: container.state.status,
    Status: statusText(container, now),
    Label: (key: string) => container.labels[key] ?? "",
  };
}

export function eventShape(event: DockerEvent): Record<string, unknown> {
  return {
    Status: event.action,
    ID: event.container.id,
    From: event.container.image,
    Type: "container",
    Action: event.action,
    Actor: { ID: event.container.id, Attributes: event.attributes },
    Scope: "local",
    Time: Math.floor(event.at / 1000),
    TimeNano: BigInt(Math.round(event.at * 1000)) * 1000n,
  };
}

export function imageShape(image: ImageSpec): Record<string, unknown> {
  const repository = image.reference.replace(/:[^:/]*$/, "");
  return {
    Id: `sha256:${image.id}`,
    ID: `sha256:${image.id}`,
    RepoTags: [image.reference],
    RepoDigests: [`${repository}@sha256:${image.digest}`],
    Created: image.createdAt,
    Os: "linux",
    Architecture: "amd64",
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    Config: { Labels: {} },
  };
}

function portsOf(container: Container): string {
  if (container.state.status !== "running") return "";
  return container.published.map(({ container: inside, host }) => `0.0.0.0:${host}->${inside}/tcp`).join(", ");
}

function statusText(container: Container, now: number): string {
  const { state } = container;
  if (state.status === "created") return "Created";
  if (state.status === "exited") return `Exited (${state.exit}) ${span(now - state.finishedAt)} ago`;
  return `Up ${span(now - state.startedAt)}${state.status === "paused" ? " (Paused)" : ""}`;
}

/** As docker words it: "Less than a second", "5 seconds", "About a minute", "3 days". */
function span(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (seconds < 120) return "About a minute";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} minutes`;
  if (seconds < 7200) return "About an hour";
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} hours`;
  if (seconds < 14 * 86_400) return `${Math.floor(seconds / 86_400)} days`;
  return `${Math.floor(seconds / (7 * 86_400))} weeks`;
}

function localTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}

/** A made-up but stable digest of a name. */
export function idOf(name: string): string {
  let text = "";
  let state = 2166136261;
  for (let round = 0; text.length < 64; round += 1) {
    for (const character of `${name}${round}`) state = Math.imul(state ^ character.charCodeAt(0), 16777619) >>> 0;
    text += state.toString(16).padStart(8, "0");
  }
  return text.slice(0, 64);
}
