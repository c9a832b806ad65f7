// What became of a fix that was not answered: its link was lost, its time was over, its command or Medic itself was killed.
// Nothing is run again to find out. Medic takes the claims of its steps: got → that step never began and never can; taken →
// it began, and the marker tells whether it has changed the service. It changes nothing on the host but the claims.
//
//   lost ─▶ asking for the claims ─(all ours)─▶ not-applied          (another boot: rebooted; folder gone: unknown)
//                     └─(taken)─▶ settling ─(marker moved)─▶ applied (nothing moved while it could: unknown)
import type { Dispatch, Intent } from "../incident/fix.ts";
import type { Calls, Fix, Seen } from "../plugin/contract.ts";
import { otherMachine, type Taken, takeClaims } from "./claim.ts";
import { askOwn, type Reach } from "./diagnosis.ts";
import { blindSpot } from "./verification.ts";

/** No answer came. Steps before `from` were answered well; those from there on may have begun, or not. */
export type Lost = { is: "lost"; from: number; why: string };

export type ReconcileParts = {
  reach: Reach;
  /** Seconds for which a host that does not answer is asked again. */
  limits: { incident: number };
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
};

export type LostFix = {
  host: string;
  fix: Fix;
  intent: Intent;
  startedAtMs: number;
  look(): Promise<Seen<Calls>>;
  /** Asks what the host noted in the last seconds. */
  lookBack(sinceSeconds: number): Promise<Seen<Calls>>;
};

const SETTLE_SECONDS = 60;
const POLL_FIRST_MS = 500;
const POLL_MAX_MS = 15_000;

/** Finds out, patiently. Throws only when aborted. */
export async function reconcile(
  parts: ReconcileParts,
  lostFix: LostFix,
  lost: Lost,
  signal: AbortSignal,
): Promise<Exclude<Dispatch, { is: "done" | "failed" | "not-sent" }>> {
  const deadline = parts.now() + parts.limits.incident * 1000;
  const { host, intent } = lostFix;
  const taken = await untilTold(parts, lostFix, lost, deadline, signal);
  if ("unavailable" in taken) {
    return { is: "unknown", why: `${lost.why}; since then the host could not be asked: ${taken.unavailable}` };
  }
  const other = otherMachine(host, machineOf(taken), machineOf(intent.identity), undefined);
  if (other !== undefined) return { is: "unknown", why: `${lost.why}; ${other}` };
  if (taken.boot !== intent.boot) return { is: "rebooted", why: `${lost.why}; the host has booted since` };
  if (taken.claims === undefined) {
    return { is: "unknown", why: `${lost.why}; its claims are gone from the host, so nothing tells whether it began` };
  }
  const began = lost.from + 1 + taken.claims.findLastIndex(({ is }) => is === "taken");
  if (began === 0)
    return { is: "not-applied", why: `${lost.why}; it had not begun, and Medic saw to it that it never will` };
  return settled(parts, lostFix, lost, began, deadline, signal);
}

/** Until the host tells of every claim: one that cannot be made now could be made by a dispatch that arrives later. */
async function untilTold(
  { reach, now, sleep }: ReconcileParts,
  { host, intent }: LostFix,
  { from }: Lost,
  deadline: number,
  signal: AbortSignal,
): Promise<Taken | { unavailable: string }> {
  const asked = { place: intent.place, from, steps: intent.steps.length };
  for (let pollMs = POLL_FIRST_MS; ; pollMs = Math.min(pollMs * 2, POLL_MAX_MS)) {
    const told = await askOwn(reach, host, takeClaims, asked, signal);
    signal.throwIfAborted();
    const isOpen = "claims" in told && told.claims?.some(({ is }) => is === "not-made");
    const taken = isOpen ? { unavailable: "its disk is full or read-only, so no claim can be made" } : told;
    if (!("unavailable" in taken) || now() + pollMs > deadline) return taken;
    await sleep(pollMs, signal);
  }
}

/** What began may still be at work: docker and systemd go on without the client that asked them. */
async function settled(
  parts: ReconcileParts,
  { host, fix, intent, startedAtMs, look, lookBack }: LostFix,
  { from, why }: Lost,
  steps: number,
  deadline: number,
  signal: AbortSignal,
): Promise<Dispatch & { is: "applied" | "unknown" }> {
  const { reach, now, sleep } = parts;
  const settleSeconds = fix.settleSeconds ?? SETTLE_SECONDS;
  const asked = { place: intent.place, from, steps: intent.steps.length };
  let calmSince: number | undefined;
  for (let pollMs = POLL_FIRST_MS; ; pollMs = Math.min(pollMs * 1.5, POLL_MAX_MS)) {
    // By its length and not by the time of day: the host may have another.
    const sinceSeconds = Math.max(0, Math.ceil((now() - startedAtMs) / 1000)) + 1;
    const [seen, traces, told] = await Promise.all([
      look(),
      lookBack(sinceSeconds),
      askOwn(reach, host, takeClaims, asked, signal),
    ]);
    signal.throwIfAborted();
    const blind = blindSpot(seen);
    if (blind === undefined) {
      const marker = fix.marker?.(seen);
      const hasChanged = marker !== undefined && marker !== intent.marker;
      if (hasChanged) return { is: "applied", steps, why: `${why}; it had begun, and the service has changed` };
      const isRunning = "claims" in told && told.claims?.some((claim) => claim.is === "taken" && claim.running);
      const isPending = isRunning || fix.pending?.(seen, traces) === true;
      calmSince = isPending ? undefined : (calmSince ?? now());
      const isCalm = calmSince !== undefined && now() - calmSince >= settleSeconds * 1000;
      // Without a marker there is nothing to wait for but the end: health is the only thing that shows a change.
      if (fix.marker === undefined && !isPending) return { is: "applied", steps, why: `${why}; it had begun` };
      if (isCalm) {
        return {
          is: "unknown",
          steps,
          why: `${why}; it had begun, and changed nothing that shows within ${settleSeconds} s`,
        };
      }
    }
    if (now() + pollMs > deadline) {
      return { is: "unknown", steps, why: `${why}; it had begun, and ${blind ?? "its end could not be awaited"}` };
    }
    const untilCalm = calmSince === undefined ? Infinity : calmSince + settleSeconds * 1000 - now();
    await sleep(Math.max(0, Math.min(pollMs, untilCalm)), signal);
  }
}

function machineOf({ machine }: { machine?: string }): { machine?: string } {
  return machine === undefined ? {} : { machine };
}
