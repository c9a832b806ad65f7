// Whether monitors agree with what hosts showed. A fix that was proven ends the incident; that the alert ends too is awaited
// apart, since a monitor looks at something else, from somewhere else. The deadlines follow from the journal, so they
// survive a restart. Knows no monitor: what those say comes in through the intake.
//
//   resolved{waiting} ─(the monitor says so)─▶ resolved{yes}            (intake.ts)
//          ├─(clearWithin over)─▶ reopened, escalated
//          └─(over for a day: Medic did not run)─▶ dropped              (a monitor that still means it says so again)
import type { IncidentRecord, NewEvent } from "./incident.ts";
import type { Journal } from "./journal.ts";

export type ClearingParts = {
  journal: Pick<Journal, "append" | "waitingForClearing">;
  /** `clearWithin`: seconds; 0: nobody waits. */
  limits: { clearWithin: number };
  now(): number;
};

const OUTDATED_SECONDS = 86_400;

/** Returns the look to take now and then. Throws JournalError. */
export function createClearing(parts: ClearingParts): () => void {
  return () => {
    const { clearWithin } = parts.limits;
    if (clearWithin === 0) return;
    for (const record of parts.journal.waitingForClearing()) {
      const overdue = (parts.now() - Date.parse(record.endedAt ?? record.changedAt)) / 1000 - clearWithin;
      if (overdue > 0) parts.journal.append(endOf(record, overdue, clearWithin));
    }
  };
}

function endOf({ id: incident, firing }: IncidentRecord, overdueSeconds: number, clearWithin: number): NewEvent[] {
  if (overdueSeconds > OUTDATED_SECONDS) {
    return [{ incident, kind: "clearing-dropped", why: "Medic did not run for a day, and cannot know" }];
  }
  const alerts = firing.length === 1 ? "its alert" : `${firing.length} alerts`;
  const why = `${alerts} did not end within ${Math.round(clearWithin / 60)} min (limits.clearWithin in hosts.yaml)`;
  const reason = `well on the host, but the monitor still says that it fires: ${why}`;
  return [
    { incident, kind: "reopened", why },
    { incident, kind: "escalated", reason },
  ];
}
