// Verification: did the fix work, as the host shows it? Polls what the fix watches until there is a verdict. A fix is
// judged by three facts: it *began* (its claim), something *changed* (the marker), the service is *healthy* and stays so
// with the same marker. `fixed` needs all three; nothing a model or an exit code says can replace one.
import type { Dispatch } from "../incident/fix.ts";
import type { Calls, Fact, Facts, Fix, FixOutcome, Found, Plan, Seen } from "../plugin/contract.ts";

export type Verdict = { outcome: FixOutcome; facts: Facts; why: string; marker?: string; firstHealthyAt?: string };

/** How a fix went that there is something to verify of. */
export type Begun = Extract<Dispatch, { is: "done" | "applied" | "rebooted" | "unknown" }>;

export type Watched = {
  fix: Fix;
  input: object;
  before: Found<Calls>;
  /** The run of the service before the fix. */
  marker: string | undefined;
  /** How many steps the fix has. */
  steps: number;
  dispatch: Begun;
  withinSeconds: number;
  stableSeconds: number;
  /** Asks what the fix watches, once. */
  look(): Promise<Seen<Calls>>;
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
};

/** A plan that was not run, and what it was made from. */
export type Unfixed = {
  fix: Fix;
  input: object;
  plan: Plan;
  before: Found<Calls>;
  plannedAtMs: number;
  /** Asks what the fix watches, once, without writing it down. */
  look(signal: AbortSignal): Promise<Seen<Calls>>;
};

/** What one look shows. */
export type Sight =
  | { is: "blind"; why: string }
  | { is: "sick"; marker: string | undefined }
  | { is: "healthy"; marker: string | undefined };

const POLL_FIRST_MS = 500;
const POLL_MAX_MS = 5_000;

/** Watches until healthy and stable, until hopeless, or until `withinSeconds` have passed. Throws only when aborted. */
export async function verify(watched: Watched): Promise<Verdict> {
  const { now, sleep, signal } = watched;
  const deadline = now() + watched.withinSeconds * 1000;
  let firstHealthyAt: string | undefined;
  let stable: { since: number; marker: string | undefined } | undefined;
  let pollMs = POLL_FIRST_MS;
  // The last look comes just after the deadline, and still counts; none after it may begin a stable window.
  let late = false;
  for (;;) {
    const seen = await watched.look();
    const sight = sightOf(watched, seen);
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
      const hopeless = sight.is === "sick" ? whyHopeless(watched, sight.marker, seen) : undefined;
      if (hopeless !== undefined) return sickVerdict(watched, sight, firstHealthyAt, hopeless);
    }
    // A stable window that began in time may end after the deadline; one that broke may not begin again after it.
    if (stable === undefined && at >= deadline) return sickVerdict(watched, sight, firstHealthyAt);
    late = at >= deadline;
    const untilStable = stable === undefined ? Infinity : stable.since + watched.stableSeconds * 1000 - at;
    await sleep(Math.max(0, Math.min(pollMs, untilStable, stable === undefined ? deadline - at : Infinity)), signal);
    pollMs = Math.min(pollMs * 1.5, POLL_MAX_MS);
  }
}

/** The first key that could not be seen, and why. */
export function blindSpot(seen: Seen<Calls>): string | undefined {
  for (const [key, finding] of Object.entries(seen)) {
    if ("unavailable" in finding) return `${key}: ${finding.unavailable}`;
  }
  return undefined;
}

export function sightOf({ fix, before, input }: Pick<Watched, "fix" | "before" | "input">, seen: Seen<Calls>): Sight {
  const blind = blindSpot(seen);
  if (blind !== undefined) return { is: "blind", why: blind };
  const marker = fix.marker?.(seen);
  // Without a marker the service is in transition: a restart under way must not count as health.
  if (fix.marker !== undefined && marker === undefined) return { is: "sick", marker };
  return { is: fix.healthy(seen, before, input) ? "healthy" : "sick", marker };
}

/** Only of a fix that is over, and of what it began: a step under way, or the run from before it, tells nothing. */
function whyHopeless(
  { fix, before, input, marker, dispatch }: Watched,
  now: string | undefined,
  seen: Seen<Calls>,
): string | undefined {
  const isOver = dispatch.is === "done" || dispatch.is === "applied";
  const isOurs = now === undefined || now !== marker;
  return isOver && isOurs ? fix.hopeless?.(seen, before, input) : undefined;
}

function healthyVerdict(watched: Watched, marker: string | undefined, heldSeconds: number, at: string): Verdict {
  const { dispatch, steps } = watched;
  const facts: Facts = { began: hasBegun(dispatch), changed: hasChanged(watched, marker, true), healthy: "yes" };
  const held = `healthy for ${Math.round(heldSeconds)} s`;
  const recovered = (but: string): Verdict => ({
    outcome: "recovered",
    facts,
    why: `${held}, but ${but}`,
    firstHealthyAt: at,
    ...(marker === undefined ? {} : { marker }),
  });
  if (dispatch.is === "rebooted") return recovered(dispatch.why);
  if (facts.began !== "yes") return recovered(`it is not known whether the fix ran: ${whyOf(dispatch)}`);
  if (facts.changed !== "yes") return recovered("as before: nothing shows that the fix changed anything");
  const began = stepsOf(dispatch) ?? steps;
  if (began < steps) return recovered(`only ${began} of its ${steps} steps ran: ${whyOf(dispatch)}`);
  const why = dispatch.is === "done" ? held : `${held}; ${whyOf(dispatch)}`;
  return { outcome: "fixed", facts, why, firstHealthyAt: at, ...(marker === undefined ? {} : { marker }) };
}

function sickVerdict(watched: Watched, sight: Sight, firstHealthyAt: string | undefined, hopeless?: string): Verdict {
  const { dispatch } = watched;
  const seen = firstHealthyAt === undefined ? {} : { firstHealthyAt };
  const within = `within ${watched.withinSeconds} s`;
  const began = hasBegun(dispatch);
  if (sight.is === "blind") {
    const facts: Facts = { began, changed: dispatch.is === "applied" ? "yes" : "unknown", healthy: "unknown" };
    return { outcome: "unverified", facts, why: `the host could not be asked ${within}: ${sight.why}`, ...seen };
  }
  const facts: Facts = { began, changed: hasChanged(watched, sight.marker, false), healthy: "no" };
  if (dispatch.is === "unknown") return { outcome: "unknown", facts, why: dispatch.why, ...seen };
  const why =
    hopeless ??
    (firstHealthyAt === undefined ? `not healthy ${within}` : `healthy at first, but it did not stay so ${within}`);
  return {
    outcome: "not-fixed",
    facts,
    why: dispatch.is === "done" ? why : `${why}; ${whyOf(dispatch)}`,
    ...seen,
    ...(sight.marker === undefined ? {} : { marker: sight.marker }),
  };
}

function hasBegun(dispatch: Begun): Fact {
  return dispatch.is === "done" || stepsOf(dispatch) !== undefined ? "yes" : "unknown";
}

function stepsOf(dispatch: Begun): number | undefined {
  return "steps" in dispatch ? dispatch.steps : undefined;
}

function hasChanged(watched: Watched, now: string | undefined, isHealthy: boolean): Fact {
  const { fix, before, input, marker, dispatch } = watched;
  // After a boot everything runs anew: that says nothing of the fix.
  if (dispatch.is === "rebooted") return "unknown";
  if (fix.marker !== undefined) return now === undefined ? "unknown" : now === marker ? "no" : "yes";
  // Where runs have no name, only health that was not there before shows that something changed.
  if (!isHealthy || fix.proof === "never-retry") return "unknown";
  return fix.healthy(before, before, input) ? "no" : "yes";
}

function whyOf(dispatch: Begun): string {
  return "why" in dispatch ? dispatch.why : "its steps ended well";
}
