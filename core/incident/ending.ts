// How an incident ends whose work is over or was broken off: what its last fix, and what is known of it, make of it. Pure:
// events in, events out. It refuses to know who broke it off, and when.
import type { Facts, FixOutcome } from "../plugin/contract.ts";
import {
  type IncidentEvent,
  type IncidentRecord,
  type JournalEvent,
  type PlannedFix,
  unjudgedFix,
} from "./incident.ts";

/** A fix that ran, or did not, and what it came to. */
export type EndedFix = { tool: string; outcome: FixOutcome; why: string; facts?: Facts; planned?: PlannedFix };

/** How an incident ends that was about one fix. */
export function endOfFix({ tool, outcome, why, facts, planned }: EndedFix): IncidentEvent {
  const said = `${tool}: ${outcome}: ${why}`;
  // Nothing was changed, so there is nothing for anybody to look after.
  if (outcome === "refused" || facts?.began === "no") return { kind: "dismissed", reason: said };
  switch (outcome) {
    case "fixed":
      return { kind: "resolved", by: "medic", why };
    case "recovered":
      return { kind: "resolved", by: "itself", why };
    default:
      return { kind: "escalated", reason: said, ...(planned === undefined ? {} : { planned }) };
  }
}

/** How a fix by hand ends that a process left: nobody waits for it. Undefined while the host has to be asked about it. */
export function endOfLeftByHand(events: readonly JournalEvent[]): IncidentEvent | undefined {
  if (unjudgedFix(events) !== undefined) return undefined;
  const judged = events.findLast((event) => event.kind === "fix-judged");
  if (judged !== undefined) return endOfFix(judged);
  return { kind: "dismissed", reason: "broken off before the fix began" };
}

/** How an incident ends whose work came to no end, for a reason of Medic's own. */
export function escalation(
  { state, onlyPlans }: IncidentRecord,
  events: readonly IncidentEvent[],
  reason: string,
): IncidentEvent[] {
  // Whoever only asked is told, and nobody has to do anything.
  if (onlyPlans === true) return [{ kind: "dismissed", reason }];
  const fix = events.findLast((event) => event.kind === "fix-started");
  if (fix === undefined || (state.is !== "fixing" && state.is !== "verifying")) return [{ kind: "escalated", reason }];
  const [outcome, doing, advice] =
    state.is === "fixing"
      ? (["unknown", "was under way", "It may have run: look at the host"] as const)
      : (["unverified", "was being verified", "It ran: look at the host"] as const);
  const why = `${reason} while "${fix.tool}" (${fix.touches.join(", ")}) ${doing}`;
  const facts = { began: "unknown", changed: "unknown", healthy: "unknown" } as const;
  return [
    { kind: "fix-judged", tool: fix.tool, input: fix.input, outcome, facts, why },
    { kind: "escalated", reason: `${why}. ${advice}` },
  ];
}
