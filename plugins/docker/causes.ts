// Why a container fails again and again, in a person's words: its last lines name a symptom, and the host tells whose port
// that is or which disk is full. Also who else restarts it. Looks; decides nothing.
import { call, look, mayHaveRun } from "medic/plugin";
import type { Incident, Inquiry } from "medic/plugin";
import { brief } from "./answers.ts";
import { dockerInspect, dockerList } from "./containers.ts";
import { dockerEvents, dockerLogs } from "./history.ts";
import { bytesOfAll, dockerDangling } from "./images.ts";
import { dockerSpace } from "./space.ts";
import { dockerPortOwner } from "./surroundings.ts";

const portTaken = /address (?:already )?in use|EADDRINUSE|port is already allocated|Failed to listen/i;
const diskFull = /no space left on device|ENOSPC|disk quota exceeded|disk is full/i;
const healers = /(?:^|[/_-])(?:autoheal|watchtower|ouroboros|shepherd|willfarrell)/i;
/** A person restarts a container once or twice; more often within ten minutes is a program. */
const restartsOfOthersMax = 2;
const withinMinutes = 10;

/** The reason, what it said last, and what these words mean on this host. */
export function* withLastWords(name: string, why: string): Inquiry<string> {
  const { logs } = yield* look({ logs: call(dockerLogs, { name, lines: 20 }) });
  // Docker may have started it again since: then its newest lines are of a run that has not died yet.
  const said = "lines" in logs ? (logs.diedSaying.length > 0 ? logs.diedSaying : logs.lines) : [];
  // A stack trace ends in braces and empty lines, which tell nobody anything.
  const last = said.filter((line) => /\p{L}{2}/u.test(line.replace(/^\S+/, ""))).slice(-3);
  const unreadable = "unavailable" in logs && /logging driver/.test(logs.unavailable) ? `; ${logs.unavailable}` : "";
  const words =
    last.length === 0
      ? `${why}${unreadable}`
      : `${why}; it said last: ${last.map((line) => brief(line, 160)).join(" | ")}`;
  // A stack's end says that it died; why, a line above it.
  const all = "lines" in logs ? [...logs.lines, ...logs.diedSaying] : [];
  return yield* withCause(name, words, all);
}

/** Adds what the host shows of a port that is taken or a disk that is full, where the words speak of one. */
export function* withCause(name: string, why: string, said: readonly string[]): Inquiry<string> {
  const port = said.flatMap((line) => (portTaken.test(line) ? (portIn(line) ?? []) : [])).at(-1);
  if (port !== undefined) {
    const { owner } = yield* look({ owner: call(dockerPortOwner, { port }) });
    if ("unavailable" in owner) return why;
    const listener = owner.listeners?.[0];
    const container = owner.containers.find((other) => other !== name);
    if (container !== undefined)
      return `${why}. Port ${port} belongs to the container "${container}": stop one of them (docker stop ${container})`;
    if (listener === undefined) return `${why}. Nobody holds port ${port} now: docker start ${name}`;
    const who = `${listener.process ?? "a process"} (pid ${listener.pid ?? "unknown"})`;
    return `${why}. Port ${port} is held by ${who} on ${listener.address}: end that, or give one of them another port`;
  }
  if (said.some((line) => diskFull.test(line))) {
    const { space } = yield* look({ space: call(dockerSpace, { name }) });
    if (!("spaces" in space)) return why;
    const fullest = space.spaces.toSorted((one, other) => other.usedPercent - one.usedPercent)[0];
    if (fullest === undefined) return why;
    const free = Math.round(fullest.freeBytes / 1024 / 1024);
    const where = `"${fullest.onHost}" (in it ${fullest.inside})`;
    const room = fullest.inside === "/" ? yield* roomOnDockersDisk(name) : "make room there";
    return `${why}. Its disk at ${where} is ${fullest.usedPercent} % full, ${free} MiB free: ${room}, then docker start ${name}`;
  }
  return why;
}

/** Docker's own disk: what it can do without, and a log without a limit, which nobody can get back once it is emptied. */
function* roomOnDockersDisk(name: string): Inquiry<string> {
  const { dangling } = yield* look({ dangling: call(dockerDangling, {}) });
  const bytes = "unavailable" in dangling ? 0 : bytesOfAll(dangling);
  const prune = bytes === 0 ? "" : `docker_prune_dangling (asks) frees up to ${Math.floor(bytes / 1024 / 1024)} MiB; `;
  return `make room there (${prune}its log: sudo truncate -s 0 "$(docker inspect -f '{{.LogPath}}' ${name})")`;
}

/** The port a complaint is about: the last number that follows a colon or the word port. */
function portIn(line: string): number | undefined {
  const found = [...line.matchAll(/(?:port |:)(\d{2,5})(?!\d|[.:-]\d)/gi)].map((each) => Number(each[1]));
  // A time such as 12:03:07 has no three digits.
  return found.findLast((port) => port > 59 && port <= 65_535);
}

/** How its latest runs ended, as docker's events tell: while it runs again, its state has forgotten that. */
export function* deathsOf(name: string): Inquiry<{ exit: number | undefined; memory: string }> {
  const { events } = yield* look({ events: call(dockerEvents, { name, minutes: withinMinutes }) });
  if (!("events" in events)) return { exit: undefined, memory: "" };
  const kills = events.events.filter(({ what }) => what === "oom").length;
  const died = events.events.findLast(({ what }) => what === "die");
  if (kills === 0) return { exit: died?.exit, memory: "" };
  const advice = yield* memoryAdvice(name);
  return { exit: died?.exit, memory: `, out of memory ${kills} times in ${withinMinutes} minutes: ${advice}` };
}

/** What a person may run for one that was killed for memory: twice its limit. */
export function* memoryAdvice(name: string): Inquiry<string> {
  const { settings } = yield* look({ settings: call(dockerInspect, { name }) });
  const limit = "memoryLimitBytes" in settings ? settings.memoryLimitBytes : null;
  if (limit === null)
    return "find the leak, or give it a limit (docker update --memory), so that it takes none of the others'";
  const twice = `${Math.ceil((2 * limit) / 1024 / 1024)}m`;
  return `find the leak, or raise its limit: docker update --memory ${twice} --memory-swap ${twice} ${name}`;
}

/** Says who else heals it, when its restarts of the last minutes were not Medic's; undefined when nobody does. */
export function* otherHealer(name: string, incident: Incident): Inquiry<string | undefined> {
  const { events } = yield* look({ events: call(dockerEvents, { name, minutes: withinMinutes }) });
  if (!("events" in events)) return undefined;
  const ours = incident.attempts.filter(mayHaveRun).length;
  const restarts = events.events.filter(({ what }) => what === "restart");
  if (restarts.length - ours <= restartsOfOthersMax) return undefined;
  const { list } = yield* look({ list: call(dockerList, {}) });
  const known = "containers" in list ? list.containers.filter((other) => isHealer(other)) : [];
  const suspects = known.map((other) => other.name);
  const who =
    suspects.length === 0 ? "no container that is known to do so runs: look at cron and timers" : suspects.join(", ");
  return (
    `something else keeps restarting "${name}": ${restarts.length} restarts through docker in ${withinMinutes} minutes, ` +
    `the last at ${restarts.at(-1)?.at ?? "an unknown time"} (${who}). Two healers fight: let one of them do it, ` +
    `and give the container the label medic.hold=true if it is not Medic`
  );
}

function isHealer({ name, image, state }: { name: string; image: string; state: string }): boolean {
  return state === "running" && (healers.test(name) || healers.test(image));
}
