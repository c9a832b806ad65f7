// In a dry run: what became of a service that Medic would have fixed and did not. It looks on with the planned fix's own
// eyes, ever more seldom, beside everything else and in nobody's turn, until the service is well for as long as the fix
// would have had to show, or until the fix's time is over. It changes nothing, and refuses to know what the answer is for.
import type { Observation } from "../incident/incident.ts";
import type { Log } from "../log.ts";
import { messageOf } from "./diagnosis.ts";
import { sightOf, type Unfixed } from "./verification.ts";

export type ObserverParts = {
  /** How long a fix has to stay healthy at most. */
  stableMax(): number;
  /** Writes to the journal, durably, before it returns. */
  record(incident: string, observation: Observation): void;
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  log: Log;
};

export type Observer = {
  /** While one plan of an incident is looked at, further ones are not: they are made for the same sick service. */
  observe(incident: string, unfixed: Unfixed): void;
  /** Stops looking; what was not seen to its end stays unwritten. */
  close(): Promise<void>;
};

/** Looked at together; one more is written down as unseen. */
const AT_ONCE_MAX = 32;
const PAUSE_FIRST_MS = 1000;
/** At most so many looks are spread over the time a fix has, once the first ones are over. */
const LOOKS = 30;

export function createObserver(parts: ObserverParts): Observer {
  const stop = new AbortController();
  const running = new Map<string, Promise<void>>();

  async function follow(incident: string, unfixed: Unfixed): Promise<void> {
    try {
      parts.record(incident, await outcomeOf(parts, unfixed, stop.signal).catch((error) => broken(unfixed, error)));
    } catch (error) {
      if (!stop.signal.aborted) parts.log.error("observation_failed", { incident, error: messageOf(error) });
    } finally {
      running.delete(incident);
    }
  }

  /** By the plugin's own fault: looking again would break again. */
  function broken({ fix, plannedAtMs }: Unfixed, error: unknown): Observation {
    stop.signal.throwIfAborted();
    const why = `its plugin could not judge what it saw: ${messageOf(error)}`;
    return { tool: fix.name, came: "unseen", why, seconds: (parts.now() - plannedAtMs) / 1000 };
  }

  return {
    observe(incident, unfixed) {
      if (running.has(incident) || stop.signal.aborted) return;
      if (running.size >= AT_ONCE_MAX) {
        const why = `${AT_ONCE_MAX} other services are looked at already`;
        return parts.record(incident, { tool: unfixed.fix.name, came: "unseen", why, seconds: 0 });
      }
      running.set(incident, follow(incident, unfixed));
    },
    async close() {
      stop.abort(new Error("Medic is stopping"));
      await Promise.all(running.values());
    },
  };
}

async function outcomeOf(parts: ObserverParts, unfixed: Unfixed, signal: AbortSignal): Promise<Observation> {
  const { fix, plan } = unfixed;
  const { now, sleep } = parts;
  const began = unfixed.plannedAtMs;
  const withinSeconds = plan.withinSeconds ?? fix.withinSeconds;
  if (now() - began > withinSeconds * 1000) {
    const seconds = (now() - began) / 1000;
    return { tool: fix.name, came: "unseen", why: `Medic did not run when its ${withinSeconds} s were over`, seconds };
  }
  const stableSeconds = Math.min(fix.stableSeconds, parts.stableMax());
  const pauseMax = Math.max(5, withinSeconds / LOOKS) * 1000;
  let well: { since: number; marker: string | undefined } | undefined;
  for (let pause = PAUSE_FIRST_MS; ; pause = Math.min(pause * 1.5, pauseMax)) {
    const sight = sightOf(unfixed, await unfixed.look(signal));
    signal.throwIfAborted();
    const seconds = (now() - began) / 1000;
    // Another marker is another run of the service, which has to hold from here on; none may begin after the time.
    if (sight.is !== "healthy" || well?.marker !== sight.marker) well = undefined;
    if (sight.is === "healthy" && seconds <= withinSeconds) well ??= { since: now(), marker: sight.marker };
    if (well !== undefined && now() - well.since >= stableSeconds * 1000) {
      const at = Math.round((well.since - began) / 1000);
      return { tool: fix.name, came: "recovered", why: `well by itself after ${at} s`, seconds: at };
    }
    // What turned well in time may show that it stays so.
    if (well === undefined && seconds >= withinSeconds) {
      const within = `within ${withinSeconds} s`;
      return sight.is === "blind"
        ? { tool: fix.name, came: "unseen", why: `the host could not be asked ${within}: ${sight.why}`, seconds }
        : { tool: fix.name, came: "not-recovered", why: `not well by itself ${within}`, seconds };
    }
    const due = well === undefined ? began + withinSeconds * 1000 : well.since + stableSeconds * 1000;
    await sleep(Math.min(pause, Math.max(0, due - now())), signal);
  }
}
