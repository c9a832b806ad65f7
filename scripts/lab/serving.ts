// A real `medic serve` as a process of its own, for the verification and the real-host tests: started with the lab's
// hosts.yaml, its log in a file, asked over HTTP with the lab's token, ended by its pid.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { IncidentRecord, JournalEvent } from "../../core/incident/incident.ts";
import type { Lab } from "./lab.ts";
import { until } from "./process.ts";

export type ServeProcess = {
  /** Path of its log. */
  logFile: string;
  log(): string;
  get(path: string): Promise<unknown>;
  incidents(): Promise<IncidentRecord[]>;
  incident(id: string): Promise<{ incident: IncidentRecord; events: JournalEvent[] }>;
  /** Resolves when the process has ended, however it ended; with the signal that ended it. */
  ended: Promise<NodeJS.Signals | null>;
  /** SIGTERM, and waits for its end; the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, and waits for its end. */
  kill(): Promise<void>;
};

const root = resolve(import.meta.dirname, "../..");

/** A machine whose cores are all busy takes its time. */
const READY_WITHIN_SECONDS = 60;

/** Medic's own front door. */
const front = ["node", join(root, "core/main.ts"), "serve"];

/**
 * Starts it and waits until it is ready; throws with its log's end when it does not get there. `program`: another one
 * that serves, with its arguments.
 */
export async function startServe(
  lab: Lab,
  logFile: string,
  configFile = lab.config,
  program: readonly string[] = front,
): Promise<ServeProcess> {
  const [command = "node", ...args] = program;
  const output = openSync(logFile, "a");
  const child = spawn(command, [...args, "--config", configFile], {
    stdio: ["ignore", output, output],
    cwd: root,
  });
  closeSync(output);
  const url = new URL(lab.webhookUrl).origin;
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(new URL(path, url), { headers: { authorization: `Bearer ${lab.token}` } });
    if (!response.ok) throw new Error(`Cannot ask medic serve for "${path}": it answers ${response.status}`);
    return response.json();
  };
  const serve: ServeProcess = {
    logFile,
    log: () => readFileSync(logFile, "utf8"),
    get,
    incidents: async () => ((await get("/incidents")) as { incidents: IncidentRecord[] }).incidents,
    incident: async (id) => (await get(`/incidents/${id}`)) as { incident: IncidentRecord; events: JournalEvent[] },
    ended: new Promise((resolve) => void child.once("exit", (_code, signal) => resolve(signal))),
    stop: () => end(child, "SIGTERM"),
    kill: async () => void (await end(child, "SIGKILL")),
  };
  const isReady = async (): Promise<boolean> => {
    const response = await fetch(new URL("/readyz", url)).catch(() => undefined);
    return response?.ok === true || hasEnded(child);
  };
  if ((await until(isReady, READY_WITHIN_SECONDS)) && !hasEnded(child)) return serve;
  await serve.kill();
  const how = child.signalCode ?? `exit ${child.exitCode}`;
  throw new Error(
    `Cannot start medic serve (${program.join(" ")}: ${how}): its log "${logFile}" ends with\n${serve.log().slice(-2000)}`,
  );
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (hasEnded(child)) return child.exitCode;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
  return child.exitCode;
}
