// The judge of a drill. It knows only the raw logs, never the runner: the outcome is what Medic's own journal says, but a
// fix counts when sudo's record on the host agrees with it, "fixed" when docker or systemd show the thing running since,
// a login when sshd wrote it down, and a bystander is touched when docker or systemd did anything with it.
import type { JournalEvent } from "../../core/incident/incident.ts";
import { countLines } from "../lab/lab.ts";
import type { Drill, Outcome } from "./drill.ts";
import type { Declared, DockerEvent, HostLine, Raw } from "./raw.ts";

/** What `--json` prints of each drill. */
export type Result = {
  drill: string;
  expected: Outcome;
  outcome: Outcome | "none";
  fixes: string[];
  /** Logins of Medic's key on that host, by its sshd. */
  connections: number;
  /** From the alert to Medic's last word. */
  seconds: number;
  bystandersTouched: string[];
  passed: boolean;
};

/** A result, with what Medic said last and each thing that is not as declared. */
export type Judgement = { result: Result; host: string; tells: string; said: string; faults: string[] };

/** One login serves a drill; a second one only where measured limits demand it, as under the whole evidence's burst. */
const connectionsMax = 2;

/** Judges one drill by its raw logs. */
export function check({ declared, events, host, docker }: Raw): Judgement {
  const within = <T extends { at: number }>(all: readonly T[]): T[] =>
    all.filter(({ at }) => at >= declared.alertedAt && at <= declared.endedAt);
  const lines = within(host);
  const happened = within(docker);
  const end = endOf(events);
  const fixes = events.flatMap((event) => (event.kind === "fix-started" ? [event.tool] : []));
  const connections = countLines(lines, declared.key).accepted;
  const bystandersTouched = bystanders(declared, lines, happened);
  const faults = [
    ...(end.outcome === declared.expected ? [] : [`ended as ${end.outcome}, not ${declared.expected}`]),
    ...(same(fixes, declared.fixes) ? [] : [`began [${fixes.join(", ")}], not [${declared.fixes.join(", ")}]`]),
    ...declared.says.filter((said) => !new RegExp(said, "is").test(end.said)).map((said) => `did not say /${said}/`),
    ...(declared.hasSudo ? contradictions(events, lines) : []),
    ...(end.outcome === "fixed" && lastDispatch(events) === "failed" ? ["ended as fixed, by steps that failed"] : []),
    ...(end.outcome === "fixed" ? unproven(declared, lines, happened) : []),
    ...(connections > connectionsMax ? [`${connections} connections`] : []),
    ...bystandersTouched.map((name) => `touched ${name}`),
  ];
  const seconds = Math.round(((end.at ?? declared.endedAt) - declared.alertedAt) / 100) / 10;
  const { drill, expected } = declared;
  const passed = faults.length === 0;
  return {
    result: { drill, expected, outcome: end.outcome, fixes, connections, seconds, bystandersTouched, passed },
    host: declared.host,
    tells: declared.tells,
    said: end.said,
    faults,
  };
}

/** A drill that could not be carried out: there are no logs to judge, so it has not passed. */
export function notCarriedOut({ name, tells, expected }: Drill, host: string, why: string): Judgement {
  const figures = { connections: 0, seconds: 0, bystandersTouched: [], passed: false };
  return {
    result: { drill: name, expected, outcome: "none", fixes: [], ...figures },
    host,
    tells,
    said: "",
    faults: [why],
  };
}

function endOf(events: readonly JournalEvent[]): { outcome: Result["outcome"]; said: string; at?: number } {
  const last = events.findLast(({ kind }) =>
    ["resolved", "escalated", "dismissed", "approval-requested", "held"].includes(kind),
  );
  const at = last === undefined ? {} : { at: Date.parse(last.at) };
  switch (last?.kind) {
    case "resolved":
      return { outcome: last.by === "medic" ? "fixed" : "well", said: last.why, ...at };
    case "escalated":
      return { outcome: last.planned === undefined ? "escalated" : "asked", said: last.reason, ...at };
    case "dismissed":
      return { outcome: "dismissed", said: last.reason, ...at };
    case "held":
      return { outcome: "held", said: last.why, ...at };
    case "approval-requested":
      return { outcome: "asked", said: last.why, ...at };
    default:
      return { outcome: "none", said: "" };
  }
}

function lastDispatch(events: readonly JournalEvent[]): string | undefined {
  return events.flatMap((event) => (event.kind === "fix-dispatched" ? [event.dispatch.is] : [])).at(-1);
}

/** Changing commands that sudo ran for Medic, against the steps that Medic's journal says it sent. */
function contradictions(events: readonly JournalEvent[], lines: readonly HostLine[]): string[] {
  const sent = events.flatMap((event) => (event.kind === "fix-started" ? event.steps : []));
  const said = sent.filter(([word]) => word === "root").map(([, ...argv]) => argv.join(" "));
  // A step that is a script says within its own words what it may run.
  const scripts = sent.filter(([word]) => word === "sh").map((argv) => argv.join(" "));
  const ran = lines.flatMap(({ from, message }) => {
    const command = from === "sudo" ? /^\s*medic : .*; COMMAND=(.+)$/.exec(message)?.[1] : undefined;
    const argv = command?.replace(/^\S*\//, "").trim();
    return argv !== undefined && !isRead(argv) && !scripts.some((script) => script.includes(argv)) ? [argv] : [];
  });
  // A step that failed ends its fix, so fewer may have run, but none in another order and none unsaid.
  const unsaid = ran.filter((command, at) => said[at] !== command);
  const failed = events.some((event) => event.kind === "fix-dispatched" && event.dispatch.is !== "done");
  return [
    ...unsaid.map((command) => `sudo ran "${command}", which Medic's journal does not have there`),
    ...(ran.length < said.length && !failed ? [`sudo ran ${ran.length} of ${said.length} steps`] : []),
  ];
}

/** What Medic asks runs below its time limit; a fix's script asks docker about its container. Nothing else is sure to be a read. */
function isRead(argv: string): boolean {
  const asked = /^timeout -s KILL \d+ (.*)$/s.exec(argv)?.[1];
  return asked === undefined ? /^docker (?:container|image) inspect /.test(argv) : !changes.test(asked);
}

const changes =
  /^(?:docker (?:start|restart|unpause|pause|stop|kill|rm|rmi|run|create|rename|update|pull|exec|image tag|network (?:dis)?connect|(?:image|builder|container|volume|system|network) (?:prune|rm))|docker(?:-compose| compose) .* up |systemctl (?!show|list|cat|is-)|journalctl --(?:vacuum|rotate))/;

/** What the host itself shows of each subject last, when Medic says that it is fixed: one has to have begun, none ended. */
function unproven(declared: Declared, lines: readonly HostLine[], happened: readonly DockerEvent[]): string[] {
  const last = declared.subjects.flatMap((name) => {
    if (isUnit(name)) {
      const said = lines.findLast(({ from, unit, message }) => from === "systemd" && unit === name && says(message));
      if (said === undefined) return [];
      return [{ by: "systemd", name, said: said.message, runs: /^(?:Started|Reloaded|Finished)/.test(said.message) }];
    }
    const did = happened.findLast(({ container, action }) => container === name && isLife(action));
    if (did === undefined) return [];
    return [{ by: "docker", name, said: did.action, runs: ["start", "unpause", "restart"].includes(did.action) }];
  });
  const ended = last.filter(({ runs }) => !runs).map(({ by, name, said }) => `${by} says last of ${name}: ${said}`);
  const isSilent = last.length === 0 && !declared.keepsRun;
  return isSilent ? ["neither docker nor systemd show that anything began"] : ended;
}

function bystanders({ subjects }: Declared, lines: readonly HostLine[], happened: readonly DockerEvent[]): string[] {
  // Compose 1 puts the id before the name of what it is about to replace.
  const nameOf = ({ container }: DockerEvent): string => container.replace(/^[0-9a-f]{12}_/, "");
  const containers = happened.filter(({ action }) => isLife(action)).map(nameOf);
  const units = lines
    .filter(({ from, unit, message }) => from === "systemd" && isService(unit) && says(message))
    .map(({ unit }) => unit);
  return [...new Set([...containers, ...units])].filter((name) => !subjects.includes(name)).toSorted();
}

/** What changes whether a container runs; health checks and looks at it do not. */
function isLife(action: string): boolean {
  return /^(?:create|start|restart|stop|kill|die|oom|pause|unpause|destroy|rename|update)$/.test(action);
}

function isUnit(name: string): boolean {
  return /\.(?:service|socket|timer|mount)$/.test(name);
}

/** Services of people; systemd's own, and those a login or its question to polkit brings, come and go by themselves. */
function isService(unit: string): boolean {
  return unit.endsWith(".service") && !/^(?:user@|user-runtime-dir@|systemd-|polkit|logrotate|man-db|dpkg-)/.test(unit);
}

/** systemd's words for a change of a unit's run. */
function says(message: string): boolean {
  return /^(?:Start(?:ed|ing)|Stopp(?:ed|ing)|Finished|Failed|Reload(?:ed|ing)|\S+: (?:Failed|Deactivated|Main process exited|Scheduled restart))/.test(
    message,
  );
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, at) => each === other[at]);
}
