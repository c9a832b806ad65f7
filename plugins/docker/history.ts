// What a container said and what happened to it: logs, events, the reason of its last exit, its health checks. All are
// bounded in time and length, the newest kept. Health output and log lines are the container's own words: data.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";
import { blind, brief, isMissing, isNamed, jsonLines, notUnderstood, timeOf } from "./answers.ts";
import { byName, containerName, lines, since } from "./inputs.ts";
import { statusFormat, statusOf } from "./status.ts";
import type { Container } from "./status.ts";

export type Logs = {
  exists: true;
  since: string;
  lines: string[];
  cut: boolean;
  /** What the newest run that has ended said last: of a crash loop, why it dies. Empty when it cannot be told apart. */
  diedSaying: string[];
};

const logged = v.object({
  name: v.string(),
  driver: v.string(),
  startedAt: v.string(),
  finishedAt: v.optional(v.string(), ""),
  state: v.optional(v.string(), ""),
});
type Logged = v.InferOutput<typeof logged>;
const diedSayingMax = 10;

export const dockerLogs = diagnostic({
  name: "docker_logs",
  description:
    "Newest log lines of one container, from the start of its latest run unless `since` says otherwise (older runs mislead); and what the run before it died saying.",
  input: v.strictObject({ name: containerName, since: v.optional(since), lines: v.optional(lines, 100) }),
  command: (input) =>
    script(
      `root docker container inspect --format '{"name":{{json .Name}},"driver":{{json .HostConfig.LogConfig.Type}},"startedAt":{{json .State.StartedAt}},"finishedAt":{{json .State.FinishedAt}},"state":{{json .State.Status}}}' -- "$1" || exit
echo --medic:lines
root docker logs --timestamps --since "$3" --tail "$2" -- "$1" 2>&1`,
      input.name,
      String(input.lines + diedSayingMax),
      input.since ?? "0",
    ),
  parse(result, input): { exists: false } | Logs | Unavailable {
    if (isMissing(result.stderr)) return { exists: false };
    const text = result.stdout;
    const at = text.indexOf("--medic:lines\n");
    const container = jsonLines(at < 0 ? text : text.slice(0, at), logged)?.[0];
    const said = at < 0 ? text : text.slice(at + "--medic:lines\n".length);
    if (container !== undefined && !isNamed(container.name, input.name)) return { exists: false };
    if (result.exit !== 0) {
      if (/does not support reading/.test(said)) {
        return unavailable(
          `the logging driver of "${input.name}" is "${container?.driver ?? "unknown"}", nothing can be read: ` +
            "docker_events, docker_explain_exit, docker_top and docker_health_log still tell",
        );
      }
      return blind({ ...result, stderr: `${result.stderr}\n${said}` }) ?? unavailable({ ...result, stdout: said });
    }
    const newest = said.split("\n").filter((line) => line !== "");
    const run = input.since === undefined ? ofRun(newest, container?.startedAt) : newest.slice(-input.lines);
    return {
      exists: true,
      since: input.since ?? container?.startedAt ?? "",
      lines: run.slice(-input.lines).map((line) => line.slice(0, 1000)),
      // The older end is missing: by docker's --tail, or because the output was bounded on its way.
      cut: result.cutBytes > 0 || run.length >= input.lines,
      diedSaying: container === undefined ? [] : ofDeath(newest, container).map((line) => line.slice(0, 1000)),
    };
  },
});

/**
 * While it runs, what came before its start. Else its own run's lines, up to its end: docker may have started it again
 * since it was asked.
 */
function ofDeath(lines: readonly string[], { state, startedAt, finishedAt }: Logged): readonly string[] {
  const isRunning = state === "running" || state === "paused";
  const until = isRunning ? Date.parse(startedAt) : Date.parse(finishedAt) + 50;
  const ended = lines.filter((line) => Date.parse(line.split(" ", 1)[0] ?? "") < until);
  return (isRunning ? ended : ofRun(ended, startedAt)).slice(-diedSayingMax);
}

/** Drops the lines of earlier runs. The first words of a run are a little older than its StartedAt. */
function ofRun(lines: readonly string[], startedAt: string | undefined): readonly string[] {
  // The beginning of a long answer is lost, and with it when it started: its newest lines are what there is.
  if (startedAt === undefined) return lines;
  const from = Date.parse(startedAt) - 2000;
  const first = lines.findIndex((line) => Date.parse(line.split(" ", 1)[0] ?? "") >= from);
  return first < 0 ? [] : lines.slice(first);
}

const happened = v.object({
  time: v.number(),
  what: v.string(),
  id: v.string(),
  name: v.string(),
  exit: v.string(),
  signal: v.string(),
});
export type Happening = { at: string; what: string; name: string; id: string; exit?: number; signal?: number };

// `exec_*` stays out: each health check makes three of them. `--until` lies a second ahead, or the newest second is lost.
const events = `root docker events --since "$(( $now - $seconds ))" --until "$(( $now + 1 ))" --filter type=container --filter event=create --filter event=start --filter event=restart --filter event=stop --filter event=kill --filter event=die --filter event=oom --filter event=destroy --filter event=rename --filter event=pause --filter event=unpause --filter event=update --filter event=health_status --format '{"time":{{json .TimeNano}},"what":{{json .Action}},"id":{{json .Actor.ID}},"name":{{json (index .Actor.Attributes "name")}},"exit":{{json (index .Actor.Attributes "exitCode")}},"signal":{{json (index .Actor.Attributes "signal")}}}'`;

export const dockerEvents = diagnostic({
  name: "docker_events",
  description:
    "What docker did to the containers (or to one) lately: start, die with exit code, kill with signal, oom, health changes. Docker keeps the newest 256 only, each health check counts for three, and a restart of its daemon forgets all: none is no proof that nothing happened.",
  input: v.strictObject({
    name: v.optional(containerName),
    minutes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1440)), 60),
    seconds: v.pipe(
      v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(86_400))),
      v.description("In place of minutes."),
    ),
  }),
  command({ name, minutes, seconds = minutes * 60 }) {
    const ago = String(seconds);
    return name === undefined
      ? script(`now=$(date +%s)\nseconds=$1\n${events}`, ago)
      : script(`now=$(date +%s)\nseconds=$1\n${events} --filter "container=$2"`, ago, name);
  },
  parse(result, { name }): { events: Happening[]; older: number } | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const all = happenings(result.stdout, name);
    if (all === undefined) return notUnderstood(result);
    return {
      events: all.slice(-eventsMax),
      older: Math.max(0, all.length - eventsMax) + (result.cutBytes > 0 ? 1 : 0),
    };
  },
});
const eventsMax = 200;

/** `--filter container=` also takes prefixes: only the exact name counts. */
function happenings(text: string, name: string | undefined): Happening[] | undefined {
  const mine = jsonLines(text, happened)?.filter((line) => name === undefined || line.name === name);
  return mine?.map((line) => ({
    at: timeOf(line.time / 1e6),
    what: line.what,
    name: line.name,
    id: line.id.slice(0, 12),
    ...(/^\d+$/.test(line.exit) ? { exit: Number(line.exit) } : {}),
    ...(/^\d+$/.test(line.signal) ? { signal: Number(line.signal) } : {}),
  }));
}

type Cause = "runs" | "never-started" | "cannot-start" | "out-of-memory" | "stopped" | "finished" | "crashed";
type Explained = {
  exists: true;
  state: string;
  cause: Cause;
  exit: number;
  meaning: string;
  because: string[];
  finishedAt: string;
};

export const dockerExplainExit = diagnostic({
  name: "docker_explain_exit",
  description:
    "Why one container is not running: its exit code in words, OOM, a failed start, a person's stop, with the evidence.",
  input: byName,
  command: ({ name }) =>
    script(
      `date +%s
root docker container inspect --format '${statusFormat}' -- "$1" || exit
echo --medic:events
now=$(date +%s)
seconds=86400
${events} --filter "container=$1"`,
      name,
    ),
  parse(result, { name }): { exists: false } | Explained | Unavailable {
    if (isMissing(result.stderr)) return { exists: false };
    const parts = sections(result.stdout);
    const state = parts[""] ?? "";
    if (result.exit !== 0 && !("events" in parts)) return blind(result) ?? unavailable(result);
    const status = statusOf(state, name, Number(state.split("\n")[0]));
    const events = happenings(parts["events"] ?? "", name);
    if (status === undefined || events === undefined) return notUnderstood(result);
    return status.exists ? explain(status, events) : status;
  },
});

const exitMeanings: Readonly<Record<number, string>> = {
  0: "ended by itself, without an error",
  125: "docker itself could not run it",
  126: "its program is not executable",
  127: "its program is missing, or could not be started",
  128: "it could not be started",
  134: "aborted itself (SIGABRT)",
  137: "killed (SIGKILL)",
  139: "crashed in memory (SIGSEGV)",
  143: "asked to end (SIGTERM)",
};

function explain(status: Container, events: readonly Happening[]): Explained {
  const start = events.findLastIndex((event) => event.what === "start");
  // Docker logs a kill before the stop or die that it causes; only the latest run counts.
  const run = start < 0 ? events : events.slice(start + 1);
  const killed = run.findLast((event) => event.what === "kill" && event.signal !== undefined);
  const because: string[] = [];
  if (status.error !== "") because.push(brief(status.error));
  if (status.oomKilled) because.push("docker says OOMKilled");
  if (run.some((event) => event.what === "oom")) because.push("the kernel reported out of memory for it");
  if (killed !== undefined) because.push(`somebody asked docker for signal ${killed.signal} at ${killed.at}`);
  if (status.stoppedByPerson) {
    because.push(
      `it stays down although its restart policy is "${status.restartPolicy}": it was stopped through docker`,
    );
  }
  const cause = causeOf(status, run, killed !== undefined);
  const meaning =
    cause === "runs"
      ? `it is ${status.state}`
      : (exitMeanings[status.exit] ?? `ended with its own code ${status.exit}`);
  return {
    exists: true,
    state: status.state,
    cause,
    exit: status.exit,
    meaning,
    because,
    finishedAt: status.finishedAt,
  };
}

function causeOf(status: Container, run: readonly Happening[], killed: boolean): Cause {
  if (status.running || status.state === "paused") return "runs";
  if (status.error !== "") return "cannot-start";
  if (status.state === "created") return "never-started";
  if (status.oomKilled || run.some((event) => event.what === "oom")) return "out-of-memory";
  if (status.stoppedByPerson || killed) return "stopped";
  return status.exit === 0 ? "finished" : "crashed";
}

const checked = v.object({
  name: v.string(),
  health: v.nullable(
    v.object({
      Status: v.string(),
      FailingStreak: v.number(),
      Log: v.nullable(v.array(v.object({ End: v.string(), ExitCode: v.number(), Output: v.string() }))),
    }),
  ),
});
type HealthLog = {
  exists: true;
  health: string;
  failingStreak: number;
  lastFailureAt: string | undefined;
  checks: { at: string; exit: number; output: string }[];
};

export const dockerHealthLog = diagnostic({
  name: "docker_health_log",
  description: "The last health checks of one container with what they printed; health without them is only a word.",
  input: byName,
  command: ({ name }) => [
    "root",
    "docker",
    "container",
    "inspect",
    "--format",
    `{"name":{{json .Name}},"health":{{json .State.Health}}}`,
    "--",
    name,
  ],
  parse(result, { name }): { exists: false } | HealthLog | Unavailable {
    if (isMissing(result.stderr)) return { exists: false };
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const line = jsonLines(result.stdout, checked)?.[0];
    if (line === undefined) return notUnderstood(result);
    if (!isNamed(line.name, name)) return { exists: false };
    const log = line.health?.Log ?? [];
    const checks = log.map((check) => ({
      at: timeOf(check.End),
      exit: check.ExitCode,
      output: brief(check.Output, 500),
    }));
    return {
      exists: true,
      health: line.health?.Status ?? "none",
      failingStreak: line.health?.FailingStreak ?? 0,
      lastFailureAt: checks.findLast((check) => check.exit !== 0)?.at,
      checks,
    };
  },
});
