// What is written down after a turn, whatever it came to: an incident that has not ended is a person's, and one that was left
// to a person may have ended by what came in meanwhile. Knows no turn and no queue.
import { endOfLeftByHand, escalation } from "./ending.ts";
import { type IncidentRecord, isActive, isWithPerson, resolvedByMonitor } from "./incident.ts";
import type { Journal } from "./journal.ts";
import { endObserved } from "./observation.ts";

type Records = Pick<Journal, "append" | "events" | "incident">;

/** After a turn. `reason`: why it is a person's if it has not ended. Throws JournalError. */
export function settle(journal: Records, id: string, reason: string): void {
  const record = journal.incident(id);
  if (record === undefined) return;
  if (isActive(record.state)) {
    const events = escalation(record, journal.events(id), reason);
    journal.append(events.map((event) => ({ ...event, incident: id })));
  } else if (isWithPerson(record.state)) {
    endIfOver(journal, record);
    endObserved(journal, id);
  }
}

/** One that a person has is over when some monitor spoke of it, and none reports it firing any more. */
export function endIfOver(journal: Records, record: IncidentRecord): void {
  if (record.firing.length > 0 || !journal.events(record.id).some(({ kind }) => kind === "alert-resolved")) return;
  journal.append(resolvedByMonitor(record, "its alerts were resolved while Medic was at work"));
}

/**
 * What nobody is at work on any more, as it is to be taken up; undefined when it is gone. Asked for by hand, and nobody waits
 * for it: what has not begun does not begin. A fix that began is the host's to say what became of.
 */
export function leftBehind(journal: Records, record: IncidentRecord): IncidentRecord | undefined {
  const end = record.byHand === true ? endOfLeftByHand(journal.events(record.id)) : undefined;
  if (end === undefined) return record;
  journal.append([{ ...end, incident: record.id }]);
  return journal.incident(record.id);
}
