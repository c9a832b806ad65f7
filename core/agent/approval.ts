// Asking a person: the question as it is written down, and whether a plan that was made anew is the one a person agreed
// to. Pure. It refuses to know how the question reaches anybody, and who answers.
import { digestOf } from "../incident/approval.ts";
import type { Asked, IncidentEvent, IncidentRecord, PlannedFix } from "../incident/incident.ts";
import { keepNewest } from "./redact.ts";

/** A question that a person can answer; `asks` says why it has to be asked. */
export type Question = PlannedFix & { asks: string };

const LINES_MAX = 24;
const LINE_CHARACTERS_MAX = 400;

/** Whether a person could still say yes to what was planned. */
export function isQuestion(planned: PlannedFix | undefined): planned is Question {
  return planned?.asks !== undefined;
}

/** The event that asks; what was seen goes with it, so that the answer is given to what is shown. */
export function questionOf(
  record: IncidentRecord,
  host: string,
  planned: Question,
  shown: { reason: string; evidence: readonly Asked[]; expiresAtMs: number },
): IncidentEvent {
  const { asks, tool, input, steps, touches, risk } = planned;
  return {
    kind: "approval-requested",
    approval: `${record.id}.${(record.approvals ?? 0) + 1}`,
    host,
    tool,
    input,
    steps,
    touches,
    risk,
    why: asks,
    ...(shown.reason.includes(asks) ? {} : { said: shown.reason }),
    evidence: shown.evidence.slice(0, LINES_MAX).map(lineOf),
    digest: digestOf(record.id, host, planned),
    expiresAt: new Date(shown.expiresAtMs).toISOString(),
  };
}

/** Says yes once, to the very plan that was shown, while the agreement stands. */
export function agreementOf(
  { id, agreed }: IncidentRecord,
  host: string,
  now: () => number,
): ((planned: PlannedFix) => boolean) | undefined {
  if (agreed === undefined) return undefined;
  let isUsed = false;
  return (planned) => {
    if (isUsed || now() >= Date.parse(agreed.until) || digestOf(id, host, planned) !== agreed.digest) return false;
    isUsed = true;
    return true;
  };
}

function lineOf(asked: Asked): string {
  const text = asked.outcome === "found" ? JSON.stringify(asked.finding) : `${asked.outcome}: ${asked.why}`;
  return `${asked.tool}: ${keepNewest(text, LINE_CHARACTERS_MAX)}`;
}
