// What systemd hears of a `serve` that it started as Type=notify: that it is ready, reloads, stops, and still works. Node
// has no datagram sockets, so `systemd-notify` speaks for it; the unit needs NotifyAccess=all. Without NOTIFY_SOCKET nobody
// is told and nothing runs.
import { spawn } from "node:child_process";
import process, { pid } from "node:process";
import type { Log } from "../log.ts";
import type { Environment } from "./context.ts";

export type Supervisor = {
  /** Assignments of sd_notify, e.g. `READY=1`; they arrive in the order of the calls. Never rejects. */
  say(...assignments: string[]): Promise<void>;
  /** Keeps the watchdog quiet for as long as nothing has stalled; returns how to stop. */
  watch(stalled: () => string | undefined): () => void;
};

const WITHIN_MS = 5000;

/** `environment`: what systemd gave this process. */
export function createSupervisor(environment: Environment, log: Log): Supervisor {
  const socket = environment["NOTIFY_SOCKET"] ?? "";
  let last = Promise.resolve();
  const say = (...assignments: string[]): Promise<void> => {
    if (socket === "") return Promise.resolve();
    last = last.then(async () => {
      const why = await notify(assignments, { NOTIFY_SOCKET: socket, PATH: environment["PATH"] ?? "/usr/bin:/bin" });
      if (why !== undefined) log.warning("systemd_not_told", { said: assignments.join(" "), why });
    });
    return last;
  };
  return {
    say,
    watch(stalled) {
      const everyMs = watchdogMs(environment) / 3;
      if (socket === "" || everyMs === 0) return () => undefined;
      const timer = setInterval(() => {
        const why = stalled();
        if (why !== undefined) log.error("watchdog_withheld", { why });
        void say(why === undefined ? "WATCHDOG=1" : `STATUS=Stalled: ${why}`);
      }, everyMs);
      return () => clearInterval(timer);
    },
  };
}

/** For `RELOADING=1`: systemd tells by it which READY=1 belongs to which reload. */
export function monotonic(): string {
  return `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`;
}

/** What WatchdogSec= says, in milliseconds; 0 when there is none, or when it is meant for another process. */
function watchdogMs({ WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: meant = String(pid) }: Environment): number {
  return /^\d{1,15}$/.test(microseconds) && meant === String(pid) ? Number(microseconds) / 1000 : 0;
}

/** Why it could not be said. Through sh, the one program that Medic is sure to be allowed. */
async function notify(assignments: readonly string[], env: Record<string, string>): Promise<string | undefined> {
  const child = spawn("/bin/sh", ["-c", 'exec systemd-notify "$@"', "sh", ...assignments], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
    timeout: WITHIN_MS,
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => void (said += chunk.toString("utf8")));
  return await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) =>
      resolve(code === 0 ? undefined : said.trim().slice(0, 200) || `it ended with ${code}`),
    );
  });
}
