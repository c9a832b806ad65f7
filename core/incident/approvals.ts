// The approvals of all incidents: finding one, answering it, and what happens when nobody does. An answer is one step of
// the journal, so of two people (or one link used twice) one is first and the other is told so. It refuses to know who may
// answer; the desk hears the answer and gives the incident its turn.
import type { Log } from "../log.ts";
import { type Approval, approvalsOf, incidentOfApproval } from "./approval.ts";
import type { NewEvent } from "./incident.ts";
import type { Journal } from "./journal.ts";

export type ApprovalsParts = {
  journal: Pick<Journal, "append" | "atomically" | "events" | "incident" | "incidents">;
  now(): number;
  log: Log;
};

export type Decision = "approve" | "deny";

/** `taken`: the answer counts. `late`: it was answered, or over, before; `approval.answer` says how. */
export type Decided = { is: "taken" | "late"; approval: Approval };

export type Approvals = {
  /** By its id, or by its incident's: then the one that waits, else the last one. */
  find(id: string): Approval | undefined;
  /** What waits for a person, oldest first. */
  pending(): Approval[];
  /** Undefined when there is no such approval. Throws JournalError. */
  decide(id: string, decision: Decision, by: string): Decided | undefined;
  /** Ends what nobody answered in time: silence is a no. Call it at the start, and now and then. */
  expire(): void;
};

export function createApprovals(parts: ApprovalsParts): Approvals {
  const { journal, now, log } = parts;

  function find(id: string): Approval | undefined {
    const record = journal.incident(id) ?? journal.incident(incidentOfApproval(id));
    if (record === undefined) return undefined;
    const all = approvalsOf(record, journal.events(record.id));
    return record.id === id ? all.at(-1) : all.find((approval) => approval.id === id);
  }
  const pending = (): Approval[] =>
    journal
      .incidents({ states: ["awaiting-approval"] })
      .flatMap((record) => approvalsOf(record, journal.events(record.id)))
      .filter(({ answer }) => answer.is === "pending")
      .toReversed();

  /** Inside a step of the journal. */
  function expireOne({ id, incident, tool, requestedAt }: Approval): void {
    const minutes = Math.round((now() - Date.parse(requestedAt)) / 60_000);
    const reason = `nobody agreed to ${tool} within ${minutes} min (approvals.within in hosts.yaml): silence is a no`;
    journal.append([
      { incident, kind: "approval-expired", approval: id, tool },
      { incident, kind: "escalated", reason },
    ]);
    log.warning("approval_expired", { approval: id, tool });
  }
  const isPast = ({ expiresAt }: Approval): boolean => now() >= Date.parse(expiresAt);

  return {
    find,
    pending,
    decide: (id, decision, by) =>
      journal.atomically((): Decided | undefined => {
        const approval = find(id);
        if (approval?.answer.is === "pending" && isPast(approval)) expireOne(approval);
        else if (approval?.answer.is === "pending") {
          journal.append(answered(approval, decision, by, now()));
          log.info("approval_answered", { approval: approval.id, tool: approval.tool, decision, by });
          return { is: "taken", approval: find(approval.id) as Approval };
        }
        if (approval === undefined) return undefined;
        log.warning("approval_late", { approval: approval.id, decision, by });
        return { is: "late", approval: find(approval.id) as Approval };
      }),
    expire: () => {
      const late = pending().filter(isPast);
      if (late.length > 0) journal.atomically(() => late.forEach(expireOne));
    },
  };
}

function answered(approval: Approval, decision: Decision, by: string, at: number): NewEvent[] {
  const { id, incident, tool, input, digest, touches, requestedAt, expiresAt } = approval;
  if (decision === "deny") {
    const reason = `${by} said no to ${tool} (${touches.join(", ")}): nothing more is changed in this incident`;
    return [
      { incident, kind: "approval-denied", approval: id, by, tool, input },
      { incident, kind: "escalated", reason },
    ];
  }
  // As long as the question stood, so long does the yes: a Medic that was off for days asks again.
  const until = new Date(at + Date.parse(expiresAt) - Date.parse(requestedAt)).toISOString();
  return [{ incident, kind: "approval-given", approval: id, by, tool, input, digest, until }];
}
