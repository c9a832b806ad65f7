// What a dry run saw after a fix that it planned and did not run, and how that is written down. Knows no host.
import type { Observation } from "./incident.ts";
import type { Journal } from "./journal.ts";

/** Writes it to the incident; one that waits for a person and is well again by itself has ended. */
export function writeObservation(
  journal: Pick<Journal, "append" | "atomically" | "incident">,
  incident: string,
  observation: Observation,
): void {
  journal.atomically(() => {
    journal.append([{ incident, kind: "plan-observed", ...observation }]);
    const isWaiting = journal.incident(incident)?.state.is === "escalated";
    if (observation.came !== "recovered" || !isWaiting) return;
    journal.append([{ incident, kind: "resolved", by: "itself", why: observation.why }]);
  });
}
