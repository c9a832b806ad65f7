// One approval: what a person is asked, what became of it, and the digest that binds an answer to exactly what was shown.
// Pure. It refuses to know who may answer, how the question reaches a person, and what runs afterwards.
//
//   pending ─▶ approved{by} ─▶ the incident gets its turn again; the plan is made anew and has to have the same digest
//      ├─────▶ denied{by}   ─▶ escalated, and nothing is asked again in this incident
//      ├─────▶ expired      ─▶ escalated: silence is a no
//      └─────▶ withdrawn    ─▶ the incident ended by itself meanwhile
import { createHash } from "node:crypto";
import type { Command, Risk } from "../plugin/contract.ts";
import { canonical } from "./chain.ts";
import { type IncidentRecord, isOver, type JournalEvent, type PlannedFix } from "./incident.ts";

export type Approval = {
  /** `<incident>.<n>`: the n-th question of its incident. */
  id: string;
  incident: string;
  /** The incident's key. */
  key: string;
  host: string;
  tool: string;
  input: object;
  /** The exact argument vectors. */
  steps: readonly Command[];
  touches: readonly string[];
  risk: Risk;
  /** Why a person has to agree. */
  why: string;
  /** What the responder concluded, where that says more. */
  said?: string;
  /** What was seen, one line a finding; redacted and bounded. */
  evidence: readonly string[];
  digest: string;
  requestedAt: string;
  expiresAt: string;
  answer: Answer;
};

export type Answer =
  | { is: "pending" }
  | { is: "approved" | "denied"; by: string; at: string }
  | { is: "expired" | "withdrawn"; why: string; at: string };

/** Over all that would happen; a plan with another digest is another question. The input is kept redacted, so it is not in it. */
export function digestOf(
  incident: string,
  host: string,
  { tool, steps, touches }: Pick<PlannedFix, "tool" | "steps" | "touches">,
): string {
  return createHash("sha256").update(canonical({ incident, host, tool, steps, touches })).digest("hex");
}

/** The incident that an approval's id belongs to. */
export function incidentOfApproval(id: string): string {
  return id.replace(/\.\d{1,6}$/, "");
}

/** All that was asked in one incident, oldest first. */
export function approvalsOf(record: IncidentRecord, events: readonly JournalEvent[]): Approval[] {
  return events.flatMap((event) => {
    if (event.kind !== "approval-requested") return [];
    const { approval: id, at: requestedAt, kind: _kind, sequence: _sequence, ...asked } = event;
    return [{ ...asked, id, key: record.key, requestedAt, answer: answerOf(id, record, events) }];
  });
}

function answerOf(id: string, record: IncidentRecord, events: readonly JournalEvent[]): Answer {
  for (const event of events) {
    if (!("approval" in event) || event.approval !== id) continue;
    const { at } = event;
    switch (event.kind) {
      case "approval-given":
        return { is: "approved", by: event.by, at };
      case "approval-denied":
        return { is: "denied", by: event.by, at };
      case "approval-expired":
        return { is: "expired", why: "nobody answered in time, and silence is a no", at };
      case "approval-withdrawn":
        return { is: "withdrawn", why: event.why, at };
    }
  }
  const { state } = record;
  if (state.is === "awaiting-approval" && state.approval === id) return { is: "pending" };
  const why = isOver(state) ? `the incident is ${state.is}` : "the incident went on without it";
  return { is: "withdrawn", why, at: record.endedAt ?? record.changedAt };
}
