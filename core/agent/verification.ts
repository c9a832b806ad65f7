// Verification: did the fix work, as the host shows it? Polls what the fix watches until there is a verdict. A fix is
// judged by three facts: it *began* (its steps ended well), something *changed* (the marker), the service is *healthy*
// and stays so with the same marker. `fixed` needs all three; nothing a model or an exit code says can replace one.
import type { Calls, Fix, FixOutcome, Found, Seen } from "../plugin/contract.ts";
import type { Dispatch } from "../incident/incident.ts";

export type Verdict = { outcome: FixOutcome; why: string; marker?: string; firstHealthyAt?: string };

export type Watched = {
  fix: Fix;
  input: object;
  before: Found<Calls>;
  dispatch: Extract<Dispatch, { is: "done" | "unknown" }>;
  withinSeconds: number;
  stableSeconds: number;
  /** Asks what the fix watches, once. */
  look(): Promise<Seen<Calls>>;
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
};

type Sight =
  | { is: "blind"; why: string }
  | { is: "sick"; marker: string | undefined }
  | { is: "healthy"; marker: string | undefined };

const POLL_FIRST_MS = 500;
const POLL_MAX_MS = 5_000;

/** Watches until healthy and stable, or until `withinSeconds` have passed without. Throws only when aborted. */
export async function verify(watched: Watched): Promise<Verdict> {
  const { now, sleep, signal } = watched;
  const deadline = now() + watched.withinSeconds * 1000;
  let firstHealthyAt: string | undefined;
  let stable: { since: number; marker: string | undefined } | undefined;
  let pollMs = POLL_FIRST_MS;
  // The last look comes just after the deadline, and still counts; none after it may begin a stable window.
  let late = false;
  for (;;) {
    const sight = sightOf(watched, await watched.look());
    signal.throwIfAborted();
    const at = now();
    if (sight.is === "healthy") {
      firstHealthyAt ??= new Date(at).toISOString();
      // Another marker is another run of the service: it has to hold from here on.
      if (stable?.marker !== sight.marker) stable = undefined;
      if (!late || stable !== undefined) stable ??= { since: at, marker: sight.marker };
      const heldSeconds = stable === undefined ? -1 : (at - stable.since) / 1000;
      if (heldSeconds >= watched.stableSeconds)
        return healthyVerdict(watched, sight.marker, heldSeconds, firstHealthyAt);
    } else {
      stable = undefined;
    }
    // A stable window that began in time may end after the deadline; one that broke may not begin again after it.
    if (stable === undefined && at >= deadline) return sickVerdict(watched, sight, firstHealthyAt);
    late = at >= deadline;
    const untilStable = stable === undefined ? Infinity : stable.since + watched.stableSeconds * 1000 - at;
    await sleep(Math.max(0, Math.min(pollMs, untilStable, stable === undefined ? deadline - at : Infinity)), signal);
    pollMs = Math.min(pollMs * 1.5, POLL_MAX_MS);
  }
}

function sightOf({ fix, before, input }: Watched, seen: Seen<Calls>): Sight {
  for (const [key, finding] of Object.entries(seen)) {
    if ("unavailable" in finding) return { is: "blind", why: `${key}: ${finding.unavailable}` };
  }
  const now = seen;
  const marker = fix.marker?.(now);
  // Without a marker the service is in transition: a restart under way must not count as health.
  if (fix.marker !== undefined && marker === undefined) return { is: "sick", marker };
  return { is: fix.healthy(now, before, input) ? "healthy" : "sick", marker };
}

function healthyVerdict(watched: Watched, marker: string | undefined, heldSeconds: number, at: string): Verdict {
  const held = `healthy for ${Math.round(heldSeconds)} s`;
  const seen = { firstHealthyAt: at, ...(marker === undefined ? {} : { marker }) };
  if (watched.dispatch.is === "unknown") {
    return {
      outcome: "recovered",
      why: `${held}, but it is not known whether the fix ran: ${watched.dispatch.why}`,
      ...seen,
    };
  }
  const { fix, before, input } = watched;
  // Where runs have no name, only health that was not there before shows that something changed.
  const changed = fix.marker === undefined ? !fix.healthy(before, before, input) : marker !== fix.marker(before);
  if (!changed)
    return {
      outcome: "recovered",
      why: `${held}, but as before: nothing shows that the fix changed anything`,
      ...seen,
    };
  return { outcome: "fixed", why: held, ...seen };
}

function sickVerdict(watched: Watched, sight: Sight, firstHealthyAt: string | undefined): Verdict {
  const seen = firstHealthyAt === undefined ? {} : { firstHealthyAt };
  const within = `within ${watched.withinSeconds} s`;
  if (sight.is === "blind")
    return { outcome: "unverified", why: `the host could not be asked ${within}: ${sight.why}`, ...seen };
  if (watched.dispatch.is === "unknown") return { outcome: "unknown", why: watched.dispatch.why, ...seen };
  const why =
    firstHealthyAt === undefined ? `not healthy ${within}` : `healthy at first, but it did not stay so ${within}`;
  return {
    outcome: "not-fixed",
    why,
    ...seen,
    ...(sight.is === "sick" && sight.marker !== undefined ? { marker: sight.marker } : {}),
  };
}
