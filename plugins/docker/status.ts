// The state of one container: what every fix watches and every runbook asks first. One round trip, fields picked on the
// host, so that environment values never leave it. Knows no policy: what a state calls for is the runbook's to say.
import { diagnostic, script, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";
import { blind, isMissing, isNamed, jsonLines, notUnderstood } from "./answers.ts";
import { byName } from "./inputs.ts";

export type Container = {
  exists: true;
  id: string;
  name: string;
  image: string;
  state: string;
  /** True only in state "running"; docker's own `Running` is also true between two restarts. */
  running: boolean;
  startedAt: string;
  finishedAt: string;
  /** Seconds since the start of a running container, by the host's own clock. */
  ageSeconds: number | undefined;
  exit: number;
  oomKilled: boolean;
  /** Why the last start failed, in docker's words; "" if it did not. */
  error: string;
  /** Automatic restarts since the last manual start. */
  restartCount: number;
  restartPolicy: string;
  health: "none" | "starting" | "healthy" | "unhealthy";
  startPeriodSeconds: number;
  logDriver: string;
  networkMode: string;
  /** The owner's label `medic.hold=true`: hands off. */
  hold: boolean;
  /** Exited although docker would have restarted it: somebody stopped it. Exit codes do not show that. */
  stoppedByPerson: boolean;
  composeProject: string | undefined;
};
export type ContainerStatus = { exists: false } | Container;

/** For `docker container inspect --format`; `.ID`, because `.Id` makes docker forget all typed fields. */
export const statusFormat = `{"id":{{json .ID}},"name":{{json .Name}},"image":{{json .Config.Image}},"state":{{json .State}},"restarts":{{json .RestartCount}},"policy":{{json .HostConfig.RestartPolicy.Name}},"log":{{json .HostConfig.LogConfig.Type}},"network":{{json .HostConfig.NetworkMode}},"startPeriod":{{if .Config.Healthcheck}}{{json .Config.Healthcheck.StartPeriod}}{{else}}0{{end}},"hold":{{json (index .Config.Labels "medic.hold")}},"project":{{json (index .Config.Labels "com.docker.compose.project")}}}`;

const statusLine = v.object({
  id: v.string(),
  name: v.string(),
  image: v.string(),
  state: v.object({
    Status: v.string(),
    OOMKilled: v.boolean(),
    ExitCode: v.number(),
    Error: v.string(),
    StartedAt: v.string(),
    FinishedAt: v.string(),
    Health: v.nullish(v.object({ Status: v.picklist(["none", "starting", "healthy", "unhealthy"]) })),
  }),
  restarts: v.number(),
  policy: v.string(),
  log: v.string(),
  network: v.string(),
  startPeriod: v.number(),
  hold: v.string(),
  project: v.string(),
});

export const dockerStatus = diagnostic({
  name: "docker_status",
  description:
    "State of one container, by exact name: running, exit code, OOM, health, restart count and policy, age, log driver.",
  input: byName,
  command: ({ name }) => script(`date +%s\nroot docker container inspect --format '${statusFormat}' -- "$1"`, name),
  parse(result, { name }): ContainerStatus | Unavailable {
    const cannotLook = blind(result);
    if (cannotLook !== undefined) return cannotLook;
    if (isMissing(result.stderr)) return { exists: false };
    if (result.exit !== 0) return unavailable(result);
    return statusOf(result.stdout, name, Number(result.stdout.split("\n")[0])) ?? notUnderstood(result);
  },
});

/** Reads the line that `statusFormat` printed; a container of another name (found by its id) does not count. */
export function statusOf(text: string, name: string, nowSeconds: number): ContainerStatus | undefined {
  const line = jsonLines(text, statusLine)?.[0];
  if (line === undefined) return undefined;
  if (!isNamed(line.name, name)) return { exists: false };
  const { state } = line;
  const running = state.Status === "running";
  const ageSeconds = nowSeconds - Math.floor(Date.parse(state.StartedAt) / 1000);
  const restartsByItself = line.policy === "always" || line.policy === "unless-stopped";
  return {
    exists: true,
    id: line.id,
    name,
    image: line.image,
    state: state.Status,
    running,
    startedAt: state.StartedAt,
    finishedAt: state.FinishedAt,
    ageSeconds: running && Number.isFinite(ageSeconds) ? Math.max(0, ageSeconds) : undefined,
    exit: state.ExitCode,
    oomKilled: state.OOMKilled,
    error: state.Error,
    restartCount: line.restarts,
    restartPolicy: line.policy === "" ? "no" : line.policy,
    health: state.Health?.Status ?? "none",
    startPeriodSeconds: Math.round(line.startPeriod / 1e9),
    logDriver: line.log,
    networkMode: line.network,
    hold: line.hold === "true",
    stoppedByPerson: state.Status === "exited" && restartsByItself && state.Error === "",
    composeProject: line.project === "" ? undefined : line.project,
  };
}

/** Names this run of the container; undefined while it does not run. */
export function runOf(status: ContainerStatus): string | undefined {
  return status.exists && status.running ? `${status.id.slice(0, 12)} ${status.startedAt}` : undefined;
}
