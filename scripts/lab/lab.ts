// The lab as its users see it: tests, benchmarks and the verification import this and nothing else of the lab.
//
// Reads what `up` wrote and looks into hosts past their sshd (as root, through their namespaces), so that whoever
// judges a client of sshd does not disturb what it counts. Starts and ends nothing.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { enter, hostLeader } from "./host.ts";
import { run, type Output } from "./process.ts";

/** The user Medic logs in as, and the user of the independent login. */
export type LabUser = "medic" | "operator";

export type LabHost = {
  name: string;
  address: string;
  /** sshd's port. */
  port: number;
  /** Fingerprint of the host key, `SHA256:…`. */
  hostKey: string;
  machineId: string;
  /** Scrypted's own address, `https://<address>:10443`. */
  scrypted: string;
  /** Process id of the host's own PID 1, as this machine counts. */
  leader: number;
  /** Run as root on this machine, prints sshd's log, one line each with its time. */
  sshdLog: readonly [string, ...string[]];
};

/** What `up` wrote to `lab.json`. All paths are absolute. */
export type Lab = {
  folder: string;
  hosts: LabHost[];
  keys: Record<LabUser, { path: string; fingerprint: string }>;
  knownHosts: string;
  /** Files: Medic's configuration for these hosts, and the token it must accept. */
  config: string;
  tokenFile: string;
  token: string;
  webhookUrl: string;
  prometheus: string;
  alertmanager: string;
  blackbox: string;
  /** Process ids by name: a host's container, or a monitor. */
  pids: Record<string, number>;
};

/** Where the lab lives: `.lab/` in the repository, unless MEDIC_LAB names another folder. */
export function labFolder(): string {
  const chosen = process.env["MEDIC_LAB"];
  return chosen ? resolve(chosen) : resolve(import.meta.dirname, "../../.lab");
}

/** The lab that is up. Throws, with what to do, when none is. */
export function readLab(folder = labFolder()): Lab {
  const path = join(folder, "lab.json");
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Lab;
  } catch {
    throw new Error(`Cannot read "${path}": the lab is not up. Start it with npm run lab -- up --yes`);
  }
}

/** One host of the lab, by name. */
export function labHost(name: string, lab = readLab()): LabHost {
  const host = lab.hosts.find((each) => each.name === name);
  if (host) return host;
  throw new Error(`Cannot find host "${name}" in the lab: it has ${lab.hosts.map((each) => each.name).join(", ")}`);
}

/** Runs a command inside a host as its root, without its sshd. A non-zero exit is an answer. */
export async function inHost(name: string, argv: readonly [string, ...string[]], stdin = ""): Promise<Output> {
  const leader = hostLeader(labFolder(), name);
  if (leader === undefined) throw new Error(`Cannot run "${argv[0]}" in host "${name}": the host is not up`);
  return run(enter(leader, argv), { stdin });
}

/** Runs shell text as a host's root, past its sshd; throws unless it ends with 0. */
export async function onHost(host: string, text: string): Promise<string> {
  const { exit, stdout, stderr } = await inHost(host, ["sh", "-c", text]);
  if (exit === 0) return stdout.trim();
  throw new Error(`Cannot run "${text}" on "${host}": exit ${exit}: ${stderr.trim()}`);
}

/** Runs a command over a login of its own, with the system's `ssh` and the operator's key: never Medic's way in. */
export async function operatorSsh(name: string, command: string, lab = readLab()): Promise<Output> {
  const { address, port } = labHost(name, lab);
  const options = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=yes",
    "ControlPath=none",
    `UserKnownHostsFile=${lab.knownHosts}`,
    "GlobalKnownHostsFile=/dev/null",
    "ConnectTimeout=10",
  ].flatMap((option) => ["-o", option]);
  const key = ["-F", "/dev/null", "-i", lab.keys.operator.path, "-p", String(port)];
  return run(["ssh", ...key, ...options, `operator@${address}`, command]);
}

export type SshdCounts = {
  /** Logins with the key (with any key, if none was named). */
  accepted: number;
  /** Commands and shells begun on those connections. */
  sessions: number;
  /** Channels refused for MaxSessions: of every key, sshd does not say whose. */
  refusedSessions: number;
  /** Connections dropped for MaxStartups: before any key was seen. */
  droppedStartups: number;
  /** Each of `sessions`, oldest first: when it began (milliseconds since 1970), from which address and port, and on
   *  which channel. sshd gives out the lowest free number, so channel 4 says that five were open at that moment. */
  sessionLog: { at: number; from: string; channel: number }[];
  /** Pass it as `since` to count from here on. */
  cursor: string;
};

/** What a host's sshd wrote: a date, or a cursor of an earlier count, says from when. `key` is a fingerprint. */
export async function sshdCounts(name: string, of: { key?: string; since?: Date | string } = {}): Promise<SshdCounts> {
  const since = of.since instanceof Date ? [`--since=@${of.since.getTime() / 1000}`] : [];
  if (typeof of.since === "string") since.push(`--after-cursor=${of.since}`);
  await inHost(name, ["journalctl", "--sync"]);
  const fields = "--output-fields=MESSAGE,_SOURCE_REALTIME_TIMESTAMP";
  const log = await inHost(name, ["journalctl", "-q", "-t", "sshd", "-o", "json", fields, ...since]);
  if (log.exit !== 0) throw new Error(`Cannot read sshd's log on "${name}": ${log.stderr.trim()}`);
  const lines = log.stdout.split("\n").filter(Boolean).map(journalLine);
  const cursor = lines.at(-1)?.cursor ?? (typeof of.since === "string" ? of.since : await lastCursor(name));
  return { ...countLines(lines, of.key), cursor };
}

/** A line of sshd's log; `at` in milliseconds since 1970. */
export type JournalLine = { message: string; at: number; cursor: string };

function journalLine(json: string): JournalLine {
  const entry = JSON.parse(json) as Record<string, string>;
  const micros = Number(entry["_SOURCE_REALTIME_TIMESTAMP"] ?? entry["__REALTIME_TIMESTAMP"]);
  return { message: String(entry["MESSAGE"]), at: micros / 1000, cursor: entry["__CURSOR"] ?? "" };
}

async function lastCursor(name: string): Promise<string> {
  const { stdout } = await inHost(name, ["journalctl", "-q", "-n", "1", "-o", "json", "--output-fields=MESSAGE"]);
  return stdout === "" ? "" : journalLine(stdout).cursor;
}

/** Counts sshd's lines. A session belongs to the key whose login came from the same address and port before it. */
export function countLines(lines: readonly Omit<JournalLine, "cursor">[], key?: string): Omit<SshdCounts, "cursor"> {
  const counts = {
    accepted: 0,
    sessions: 0,
    refusedSessions: 0,
    droppedStartups: 0,
    sessionLog: [] as SshdCounts["sessionLog"],
  };
  const peers = new Set<string>();
  for (const { message, at } of lines) {
    const login = /^Accepted publickey for \S+ from (\S+ port \d+) ssh2: \S+ (\S+)/.exec(message);
    if (login && (key === undefined || login[2] === key)) {
      counts.accepted += 1;
      peers.add(login[1] ?? "");
    } else if (login) {
      // The port may be one that a login of the wanted key used earlier.
      peers.delete(login[1] ?? "");
    }
    const session = /^Starting session: .* from (\S+ port \d+) id (\d+)$/.exec(message);
    if (session && (key === undefined || peers.has(session[1] ?? ""))) {
      counts.sessions += 1;
      counts.sessionLog.push({ at, from: session[1] ?? "", channel: Number(session[2]) });
    }
    if (message.includes("no more sessions")) counts.refusedSessions += 1;
    if (message.startsWith("drop connection #")) counts.droppedStartups += 1;
  }
  return counts;
}
