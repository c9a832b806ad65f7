// A sign of life to a dead-man's switch: somebody outside who speaks up when the signs stop. It is sent only while Medic
// really works, since a process that runs and heals nothing is the very thing nobody would notice. It refuses to know what
// working means.
import type { Log } from "../log.ts";
import { post } from "./outgoing.ts";

/** `every`: seconds. */
export type HeartbeatSettings = { url: string; every: number };

export type HeartbeatParts = {
  /** Why Medic does not really work; undefined while it does. Never throws. */
  trouble(): string | undefined;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  log: Log;
};

export type Heartbeat = {
  /** Beats from now on, the first time at once; undefined: no more. */
  take(settings: HeartbeatSettings | undefined): void;
};

type Beat = "sent" | "withheld" | "lost";

export function createHeartbeat(parts: HeartbeatParts): Heartbeat {
  let beating = new AbortController();
  return {
    take(settings) {
      beating.abort();
      beating = new AbortController();
      if (settings !== undefined) void beat(parts, settings, beating.signal);
    },
  };
}

async function beat({ trouble, sleep, log }: HeartbeatParts, { url, every }: HeartbeatSettings, signal: AbortSignal) {
  let last: Beat = "sent";
  while (!signal.aborted) {
    const why = trouble();
    const sent = why === undefined ? await post({ url, headers: {}, body: "{}" }, signal) : undefined;
    if (signal.aborted) return;
    const now: Beat = sent === undefined ? "withheld" : sent.is === "sent" ? "sent" : "lost";
    // Told once: the dead-man's switch is who repeats it.
    if (now !== last) tell(log, now, why ?? (sent !== undefined && "why" in sent ? sent.why : ""));
    last = now;
    await sleep(every * 1000, signal).catch(() => undefined);
  }
}

function tell(log: Log, beat: Beat, why: string): void {
  if (beat === "sent") log.info("heartbeat_resumed", {});
  else log.warning(beat === "withheld" ? "heartbeat_withheld" : "heartbeat_lost", { why });
}
