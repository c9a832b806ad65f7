// The raw logs of one drill: what Medic, docker and journald wrote by themselves, each in a file of its own, and what the
// drill had declared before it began. Collects and reads; whether that is well is the checker's to say.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalEvent } from "../../core/incident/incident.ts";
import { inHost } from "../lab/lab.ts";
import type { Outcome } from "./drill.ts";

/** What was said before anything was broken, and the moments of the run. */
export type Declared = {
  drill: string;
  tells: string;
  host: string;
  expected: Outcome;
  fixes: readonly string[];
  says: readonly string[];
  subjects: readonly string[];
  /** The fix begins no run that docker or systemd would show. */
  keepsRun: boolean;
  /** Fingerprint of the key Medic logs in with. */
  key: string;
  /** Whether Medic's fixes go through sudo there, which then keeps a record of each. */
  hasSudo: boolean;
  /** Milliseconds since 1970: the alert was posted; Medic was seen to be done, or waited for in vain. */
  alertedAt: number;
  endedAt: number;
};

/** A line of a host's journal; `at` in milliseconds since 1970. */
export type HostLine = { at: number; from: string; unit: string; message: string };
/** Something docker did with a container. */
export type DockerEvent = { at: number; action: string; container: string };

export type Raw = { declared: Declared; events: JournalEvent[]; host: HostLine[]; docker: DockerEvent[] };

const names = {
  declared: "declared.json",
  medicLog: "medic.log",
  events: "medic-journal.json",
  host: "journald.jsonl",
  docker: "docker-events.jsonl",
};

/** Keeps everything of one drill in `folder`. */
export async function keepRaw(
  folder: string,
  declared: Declared,
  medic: { events: readonly JournalEvent[]; logFile: string },
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const keep = (name: string, text: string) => writeFileSync(join(folder, name), text);
  keep(names.declared, `${JSON.stringify(declared, null, 2)}\n`);
  keep(names.events, `${JSON.stringify(medic.events, null, 1)}\n`);
  copyFileSync(medic.logFile, join(folder, names.medicLog));
  const since = Math.floor(declared.alertedAt / 1000) - 1;
  const until = Math.ceil(declared.endedAt / 1000) + 1;
  await inHost(declared.host, ["journalctl", "--sync"]);
  const range = [`--since=@${since}`, `--until=@${until}`];
  const journal = await inHost(declared.host, ["journalctl", "-q", "-o", "json", ...range]);
  if (journal.exit !== 0) throw new Error(`Cannot read the journal of "${declared.host}": ${journal.stderr.trim()}`);
  keep(names.host, journal.stdout);
  // A docker that is down tells nothing; that it is, shows in the journal. `--since` alone would wait for more.
  const events = ["events", "--since", String(since), "--until", String(until)] as const;
  const docker = await inHost(declared.host, [
    "sh",
    "-c",
    `systemctl is-active -q docker || exit 0; while [ "$(date +%s)" -le ${until} ]; do sleep 0.2; done; docker "$@"`,
    "docker",
    ...events,
    "--filter",
    "type=container",
    "--format",
    "{{json .}}",
  ]);
  if (docker.exit !== 0) throw new Error(`Cannot read docker's events of "${declared.host}": ${docker.stderr.trim()}`);
  keep(names.docker, docker.stdout);
}

/** What was kept of one drill. */
export function readRaw(folder: string): Raw {
  const text = (name: string): string => readFileSync(join(folder, name), "utf8");
  const lines = (name: string): Record<string, unknown>[] =>
    text(name)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    declared: JSON.parse(text(names.declared)) as Declared,
    events: JSON.parse(text(names.events)) as JournalEvent[],
    host: lines(names.host).map(hostLine),
    docker: lines(names.docker).map(dockerEvent),
  };
}

function hostLine(entry: Record<string, unknown>): HostLine {
  const micros = Number(entry["_SOURCE_REALTIME_TIMESTAMP"] ?? entry["__REALTIME_TIMESTAMP"]);
  return {
    at: micros / 1000,
    from: textOf(entry["SYSLOG_IDENTIFIER"]),
    unit: textOf(entry["UNIT"]),
    message: textOf(entry["MESSAGE"]),
  };
}

function dockerEvent(entry: Record<string, unknown>): DockerEvent {
  const actor = entry["Actor"] as { Attributes?: Record<string, string> } | undefined;
  return {
    at: Number(entry["timeNano"]) / 1e6,
    action: textOf(entry["Action"]),
    container: actor?.Attributes?.["name"] ?? "",
  };
}

/** journald gives bytes that are no text as a list of numbers; nothing that is judged here is such. */
function textOf(field: unknown): string {
  return typeof field === "string" ? field : "";
}
