// A fix that a person runs by hand has an incident of its own: the journal holds everything that ever changed a host.
// No alert folds into it, and the desk leaves it alone.
import { incidentKey, type Target } from "./alert.ts";
import type { IncidentEvent } from "./incident.ts";
import { newIncidentId } from "./intake.ts";
import type { Journal } from "./journal.ts";

export type HandParts = { journal: Pick<Journal, "append" | "incident">; now(): number };

/** Opens it, and returns its id, its key and how to write to it. Throws JournalError. */
export function openByHand(
  parts: HandParts,
  { host, tool }: { host: string; tool: string },
  plugin: string,
): { incident: string; key: string; record(event: IncidentEvent): void } {
  const incident = newIncidentId(parts);
  // A key of its own, so that one which went wrong does not stand in the way of the next.
  const target: Target = { host, plugin, service: `by-hand/${tool}/${incident}` };
  const key = incidentKey(target);
  const at = new Date(parts.now()).toISOString();
  const alert = {
    source: "person",
    fingerprint: `person:${key}`,
    status: "firing",
    name: `${tool} by hand`,
    labels: { host },
    annotations: {},
    startsAt: at,
  } as const;
  parts.journal.append([
    { incident, kind: "incident-opened", key, target, alert, byHand: true },
    { incident, kind: "investigation-started", resumed: false },
  ]);
  return { incident, key, record: (event) => void parts.journal.append([{ ...event, incident }]) };
}
