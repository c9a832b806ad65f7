// The seed's verification, for real: stop `scrypted` over a login that is not Medic's, wait for the real alert, let
// Medic heal, and judge the seed's success criteria from both sides: Medic's log and the host's own sshd. Prints a table
// or, with `--json`, one object; keeps the raw logs; ends with 0 only when every criterion holds.
//
//   npm run lab -- up --yes && npm run verify -- [--json] [--host nexus]
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isActive, type IncidentRecord, type JournalEvent } from "../core/incident/incident.ts";
import { inHost, type Lab, labHost, operatorSsh, readLab, sshdCounts } from "./lab/lab.ts";
import { until } from "./lab/process.ts";
import { startServe } from "./lab/serving.ts";

/** What is printed with `--json`. Times are seconds. */
type Verification = {
  serverConnections: number;
  established: number;
  reused: number;
  distinctDiagnostics: number;
  overlapping: number;
  timeouts: number;
  durationSeconds: number | null;
  restarted: boolean;
  bystandersTouched: string[];
  passed: boolean;
};

type Criterion = { what: string; found: string; wanted: string; holds: boolean };

const ALERT_WITHIN_SECONDS = 60;
const HEALED_WITHIN_SECONDS = 180;

const { values } = parseArgs({ options: { json: { type: "boolean" }, host: { type: "string", default: "nexus" } } });
process.exitCode = await main(values.host, values.json === true);

async function main(hostName: string, asJson: boolean): Promise<number> {
  const tell = (text: string): void => void (asJson || console.log(text));
  const lab = readLab();
  const host = labHost(hostName, lab);
  const folder = resolve(import.meta.dirname, "../.medic/verify", new Date().toISOString().replace(/[:.]/g, "-"));
  mkdirSync(folder, { recursive: true });

  const before = await startTimes(host.name);
  const { cursor } = await sshdCounts(host.name);
  const serve = await startServe(lab, join(folder, "medic.log"));
  try {
    tell(`stopping scrypted on ${host.name} over an independent login …`);
    const stopped = await operatorSsh(host.name, "docker stop scrypted", lab);
    if (stopped.exit !== 0) throw new Error(`Cannot stop scrypted on "${host.name}": ${stopped.stderr.trim()}`);
    const id = await openedIncident(serve.incidents, host.name, before.began);
    tell(`the alert arrived: incident ${id}; Medic is at work …`);
    await until(async () => !isActive((await serve.incident(id)).incident.state), HEALED_WITHIN_SECONDS);
    const { incident, events } = await serve.incident(id);
    const sshd = await sshdCounts(host.name, { key: lab.keys.medic.fingerprint, since: cursor });
    const after = await startTimes(host.name);
    await serve.stop();
    await keep(folder, host.name, cursor, { lab, incident, events, before, after, sshd });
    const result = judge(serve.log(), events, incident, sshd, before.times, after.times);
    report(result, asJson, folder);
    return result.passed ? 0 : 1;
  } finally {
    await serve.stop();
  }
}

async function openedIncident(
  incidents: () => Promise<IncidentRecord[]>,
  host: string,
  began: number,
): Promise<string> {
  let found: IncidentRecord | undefined;
  const isOpened = async (): Promise<boolean> => {
    found = (await incidents()).find(
      ({ key, openedAt }) => key === `${host}/scrypted:scrypted` && Date.parse(openedAt) >= began,
    );
    return found !== undefined;
  };
  if ((await until(isOpened, ALERT_WITHIN_SECONDS)) && found !== undefined) return found.id;
  throw new Error(`No alert for scrypted on "${host}" in ${ALERT_WITHIN_SECONDS} s: see npm run lab -- logs`);
}

/** StartedAt of every container by name; a stopped one's ends with `!`. */
async function startTimes(host: string): Promise<{ began: number; times: Record<string, string> }> {
  const began = Date.now();
  const format = "{{.Name}} {{.State.StartedAt}}{{if not .State.Running}}!{{end}}";
  const listed = await inHost(host, ["sh", "-c", `docker container inspect --format '${format}' $(docker ps -aq)`]);
  if (listed.exit !== 0) throw new Error(`Cannot list the containers of "${host}": ${listed.stderr.trim()}`);
  const lines = listed.stdout
    .trim()
    .split("\n")
    .map((line) => line.replace(/^\//, "").split(" "));
  return { began, times: Object.fromEntries(lines.map(([name = "", startedAt = ""]) => [name, startedAt])) };
}

function judge(
  log: string,
  events: readonly JournalEvent[],
  incident: IncidentRecord,
  sshd: Awaited<ReturnType<typeof sshdCounts>>,
  before: Record<string, string>,
  after: Record<string, string>,
): Verification {
  const count = (event: string): number => log.split("\n").filter((line) => line.includes(`] ${event} `)).length;
  const fixes = new Set(events.flatMap((event) => (event.kind === "fix-started" ? [event.tool] : [])));
  const tools = new Set(
    [...log.matchAll(/\] (?:reusing_ssh_connection|ssh_connection_established) .*tool=(\S+)/g)].map(
      (match) => match[1],
    ),
  );
  const result = {
    serverConnections: sshd.accepted,
    established: count("ssh_connection_established"),
    reused: count("reusing_ssh_connection"),
    distinctDiagnostics: [...tools].filter((tool) => tool !== undefined && !fixes.has(tool)).length,
    // sshd gives each channel the lowest free number: channel 4 means that five were open at once.
    overlapping: Math.max(0, ...sshd.sessionLog.map(({ channel }) => channel + 1)),
    timeouts: count("command_timeout"),
    durationSeconds: incident.durationSeconds ?? null,
    restarted:
      after["scrypted"] !== undefined && !after["scrypted"].endsWith("!") && after["scrypted"] !== before["scrypted"],
    bystandersTouched: Object.keys(before).filter((name) => name !== "scrypted" && before[name] !== after[name]),
  };
  return { ...result, passed: criteria(result).every(({ holds }) => holds) };
}

function criteria(result: Omit<Verification, "passed">): Criterion[] {
  const { serverConnections, established, reused, distinctDiagnostics, overlapping, timeouts, durationSeconds } =
    result;
  const row = (what: string, found: unknown, wanted: string, holds: boolean): Criterion => ({
    what,
    found: String(found),
    wanted,
    holds,
  });
  return [
    row(
      "logins of Medic's key, counted by sshd",
      serverConnections,
      "1, 2 at most",
      serverConnections >= 1 && serverConnections <= 2,
    ),
    row("ssh_connection_established in Medic's log", established, "as sshd counts", established === serverConnections),
    row("reusing_ssh_connection in Medic's log", reused, "10 or more", reused >= 10),
    row("distinct diagnostics", distinctDiagnostics, "8 or more", distinctDiagnostics >= 8),
    row("open at once on the server", overlapping, "5 or more", overlapping >= 5),
    row("command_timeout in Medic's log", timeouts, "0", timeouts === 0),
    row(
      "alert accepted → first healthy answer",
      durationSeconds === null ? "never" : `${durationSeconds} s`,
      "below 60 s",
      durationSeconds !== null && durationSeconds < 60,
    ),
    row("scrypted runs, with a new StartedAt", result.restarted, "true", result.restarted),
    row(
      "bystanders touched",
      result.bystandersTouched.join(" ") || "none",
      "none",
      result.bystandersTouched.length === 0,
    ),
  ];
}

function report(result: Verification, asJson: boolean, folder: string): void {
  if (asJson) return console.log(JSON.stringify(result, null, 2));
  const rows = criteria(result);
  const width = Math.max(...rows.map(({ what }) => what.length));
  for (const { what, found, wanted, holds } of rows) {
    console.log(`${holds ? "ok    " : "FAILED"}  ${what.padEnd(width)}  ${found.padStart(8)}   (${wanted})`);
  }
  console.log(`${result.passed ? "passed" : "FAILED"}; raw logs in ${folder}`);
}

async function keep(
  folder: string,
  host: string,
  cursor: string,
  seen: { lab: Lab } & Record<string, unknown>,
): Promise<void> {
  const { lab: _lab, ...told } = seen;
  writeFileSync(join(folder, "seen.json"), `${JSON.stringify(told, null, 2)}\n`);
  const log = await inHost(host, [
    "journalctl",
    "-q",
    "-t",
    "sshd",
    "--after-cursor",
    cursor,
    "-o",
    "short-iso-precise",
  ]);
  writeFileSync(join(folder, "sshd.log"), log.stdout);
}
