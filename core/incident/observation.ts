// What a dry run saw after a fix that it planned and did not run: how that is written down, and which plans an earlier
// process left unseen. Knows no host.
import { incidentKey } from "./alert.ts";
import { dismissal, type JournalEvent, type Observation, type PlannedInDryRun } from "./incident.ts";
import type { Journal } from "./journal.ts";

/** A plan of which nobody has seen yet what became of the service without it. */
export type LeftPlan = { incident: string; key: string; host: string; planned: PlannedInDryRun; plannedAtMs: number };

/** Writes it to the incident, and ends that if it is over now. */
export function writeObservation(
  journal: Pick<Journal, "append" | "atomically" | "events" | "fixesSince" | "incident">,
  incident: string,
  observation: Observation,
): void {
  journal.atomically(() => {
    const seen = wasFixed(journal, incident, observation)
      ? { ...observation, came: "unseen" as const, why: "a fix of it was run meanwhile" }
      : observation;
    journal.append([{ incident, kind: "plan-observed", ...seen }]);
    endObserved(journal, incident);
  });
}

/**
 * Ends an incident that waits for a person when what became of its service was seen: it is well again by itself, or a
 * person only asked. It may have been seen before whoever worked on it was done.
 */
export function endObserved(journal: Pick<Journal, "append" | "events" | "incident">, incident: string): void {
  const record = journal.incident(incident);
  if (record?.state.is !== "escalated" || record.dryRun !== true) return;
  const seen = roundOf(journal.events(incident)).find((event) => event.kind === "plan-observed");
  if (seen === undefined) return;
  if (seen.came === "recovered") journal.append([{ incident, kind: "resolved", by: "itself", why: seen.why }]);
  else if (record.onlyPlans === true) journal.append(dismissal(record, `${record.state.reason}; ${seen.why}`));
}

/** Oldest first. */
export function leftPlans(journal: Pick<Journal, "events" | "incidents">): LeftPlan[] {
  const waiting = journal.incidents({ states: ["escalated"] }).reverse();
  return waiting.flatMap(({ id: incident, dryRun, target }) => {
    if (dryRun !== true || "unclear" in target) return [];
    const round = roundOf(journal.events(incident));
    const planned = round.find((event) => event.kind === "fix-planned");
    if (planned === undefined || round.some(({ kind }) => kind === "plan-observed")) return [];
    const { host } = target;
    return [{ incident, key: incidentKey(target), host, planned, plannedAtMs: Date.parse(planned.at) }];
  });
}

/** Since it was opened, or opened again. */
function roundOf(events: readonly JournalEvent[]): readonly JournalEvent[] {
  return events.slice(1 + events.findLastIndex(({ kind }) => kind === "reopened"));
}

/** By a Medic that may: what it did is nothing that came by itself. */
function wasFixed(
  journal: Pick<Journal, "events" | "fixesSince" | "incident">,
  incident: string,
  { came, tool }: Observation,
): boolean {
  const target = journal.incident(incident)?.target;
  const planned = journal.events(incident).findLast((event) => event.kind === "fix-planned" && event.tool === tool);
  if (came === "unseen" || planned?.kind !== "fix-planned" || target === undefined || "unclear" in target) return false;
  const of = { key: incidentKey(target), touches: planned.touches };
  return journal.fixesSince(target.host, of, Date.parse(planned.at)).service > 0;
}
