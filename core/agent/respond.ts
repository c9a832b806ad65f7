// One incident, top to bottom. This is Medic's whole way of working; everything else serves it:
//
//   look   evidence is gathered in parallel and kept, because a fix destroys it
//   decide the responders in the owner's order (runbook, claude), each through the toolbox and nothing else
//   prove  "well" is believed when the host shows it: by a verified fix, or by a runbook that looked just now
//   end    resolved; or a person is asked for one exact fix, and with a yes it begins here again, with that fix; or
//          escalated to a person with what was seen and what a fix would have done
//
// It refuses to know how commands travel, what a plugin is for, and which model there is.
import { incidentKey, type Target } from "../incident/alert.ts";
import { endOfFix } from "../incident/ending.ts";
import type { UnjudgedFix } from "../incident/fix.ts";
import type { Asked, IncidentEvent, IncidentRecord } from "../incident/incident.ts";
import type { Calls, Incident } from "../plugin/contract.ts";
import { agreementOf, isQuestion, questionOf } from "./approval.ts";
import { redactWords } from "./redact.ts";
import { askRunbooks, type FittingRunbooks, runFix } from "./runbook.ts";
import type { Conclusion, Responder, Toolbox } from "./responder.ts";
import type { Errand } from "./toolbox.ts";
import type { Unfixed } from "./verification.ts";

export type RespondParts = {
  /** In the owner's order. */
  responders: readonly Responder[];
  toolboxFor(errand: Errand): Toolbox;
  runbooksFor: FittingRunbooks;
  /** What to keep before any fix: the healing plugin's evidence and the host's own. */
  evidenceFor(incident: Incident, plugin: string | undefined): readonly Calls[string][];
  /** A fix that an earlier process left in this incident without a verdict. */
  leftFix(incident: string): UnjudgedFix | undefined;
  /** Writes to the journal, durably, before it returns. */
  record(incident: string, event: IncidentEvent): void;
  /** How long a person has to answer; absent where nobody can be asked. */
  approvalSeconds?: number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  now(): number;
};

export type Respond = (incident: IncidentRecord, signal: AbortSignal, how?: How) => Promise<void>;

/** `observe` hears of what a dry run planned, to see what becomes of it. */
export type How = { dryRun?: boolean; observe?: (incident: string, unfixed: Unfixed) => void };

/** Returns the function that the desk calls once per incident. It throws only when aborted or when the journal fails. */
export function createRespond(parts: RespondParts): Respond {
  return async (record, signal, how = {}) => {
    const write = (event: IncidentEvent): void => parts.record(record.id, redactWords(event));
    const { target } = record;
    if ("unclear" in target) return write({ kind: "escalated", reason: target.unclear });
    const { approvalSeconds, now } = parts;
    const dryRun = how.dryRun === true || record.onlyPlans === true;
    const mayAsk = approvalSeconds !== undefined && !dryRun;
    const tools = parts.toolboxFor({
      // Not the record's own: what a person only asked about has the budgets of the service all the same.
      key: incidentKey(target),
      host: target.host,
      attempts: record.attempts,
      hold: record.wantsHold,
      record: write,
      dryRun,
      observe: (unfixed) => how.observe?.(record.id, unfixed),
      agreedTo: agreementOf(record, target.host, now),
      refusal: record.refusal,
      mayAsk,
    });
    const left = parts.leftFix(record.id);
    if (left !== undefined) {
      const ended = await tools.takeUp(left, signal);
      // Whoever asked by hand is gone: the fix was all there was to do. What is not known is a person's in any case.
      const isOver = record.byHand === true || ended.outcome === "unknown" || ended.outcome === "unverified";
      if (isOver) return write(endOfFix(ended));
    }
    write({ kind: "investigation-started", resumed: record.state.is !== "open" });

    const incident = incidentOf(record, target, tools.attempts);
    const evidence = await gather(parts.evidenceFor(incident, target.plugin), tools, write, now, signal);
    const briefing = { evidence, record: write, signal };
    const first = await agreed(record, tools, signal);
    const conclusion =
      first?.is === "escalate" ? first : beside(first, await decide(parts.responders, incident, tools, briefing));
    const proven = await prove(parts, conclusion, incident, tools, signal);
    if (mayAsk && proven.is === "escalate" && isQuestion(proven.planned)) {
      const expiresAtMs = now() + approvalSeconds * 1000;
      const shown = { reason: proven.reason, evidence, expiresAtMs };
      return write(questionOf(record, target.host, proven.planned, shown));
    }
    end(proven, tools, write, record.onlyPlans === true);
  };
}

/** What a person agreed to, planned anew and run before anybody else is asked. Only `escalate` is the end of it. */
async function agreed(
  { agreed: call }: IncidentRecord,
  tools: Toolbox,
  signal: AbortSignal,
): Promise<Conclusion | undefined> {
  if (call === undefined) return undefined;
  return runFix(call.tool, call.input, tools, signal);
}

/** Why what a person agreed to did not run belongs to why it is left to them after all. */
function beside(first: Conclusion | undefined, conclusion: Conclusion): Conclusion {
  if (first?.is !== "unsettled" || conclusion.is !== "escalate") return conclusion;
  return { ...conclusion, reason: `${first.reason}; ${conclusion.reason}` };
}

/** Asks all of it at once, and writes down what was seen. */
export async function gather(
  evidence: readonly Calls[string][],
  tools: Toolbox,
  write: (event: IncidentEvent) => void,
  now: () => number,
  signal: AbortSignal,
): Promise<readonly Asked[]> {
  const began = now();
  const calls = evidence.map((call) => ({ tool: call.tool.name, input: call.input }));
  const outcomes = await tools.turn(calls, signal);
  const findings = outcomes
    .filter((outcome) => outcome.kind === "diagnostic")
    .map(({ kind: _kind, ...asked }) => asked);
  write({ kind: "evidence-gathered", findings, seconds: (now() - began) / 1000 });
  return findings;
}

async function decide(
  responders: readonly Responder[],
  incident: Incident,
  tools: Toolbox,
  briefing: Parameters<Responder["work"]>[2],
): Promise<Conclusion> {
  const unsettled: string[] = [];
  for (const responder of responders) {
    briefing.record({ kind: "responder-started", responder: responder.name });
    // In turn on purpose: the next responder is for what the one before it left unsettled.
    const conclusion = await responder.work({ ...incident, attempts: tools.attempts }, tools, briefing);
    briefing.record({ kind: "responder-finished", responder: responder.name, conclusion: inWords(conclusion) });
    if (conclusion.is !== "unsettled") return conclusion;
    unsettled.push(`${responder.name}: ${conclusion.reason}`);
  }
  return {
    is: "escalate",
    reason: unsettled.join("; ") || "no responder is configured (responder.order in hosts.yaml)",
  };
}

/** A responder's word becomes the host's, or an escalation. */
async function prove(
  parts: RespondParts,
  conclusion: Conclusion,
  incident: Incident,
  tools: Toolbox,
  signal: AbortSignal,
): Promise<Conclusion> {
  if (conclusion.is !== "well" || conclusion.seen === true) return conclusion;
  const judges = parts.runbooksFor({ ...incident, attempts: tools.attempts });
  if (judges.length === 0) return provenByFix(conclusion, tools);
  const pause = (seconds: number): Promise<void> => parts.sleep(seconds * 1000, signal);
  const judged = await askRunbooks(judges, { ...incident, attempts: tools.attempts }, tools, pause, signal);
  if ("is" in judged && judged.is === "well") return { ...conclusion, seen: true };
  const seen = "is" in judged ? inWords(judged) : `a runbook would run ${judged.fix.tool.name}`;
  return { is: "escalate", reason: `"${conclusion.why}" was said, but the host does not show it: ${seen}` };
}

/** Where no runbook can look, a fix that was verified in this incident is the host's last word. */
function provenByFix(conclusion: Extract<Conclusion, { is: "well" }>, tools: Toolbox): Conclusion {
  const last = lastFix(tools);
  if (last?.outcome === "fixed" || last?.outcome === "recovered") return conclusion;
  return { is: "escalate", reason: `nothing on the host proves it: ${conclusion.why}` };
}

/** A fix that helped for a while and was followed by another one proves nothing. */
function lastFix(tools: Toolbox): Incident["attempts"][number] | undefined {
  return tools.attempts.findLast(({ outcome }) => outcome !== "refused");
}

function end(conclusion: Conclusion, tools: Toolbox, write: (event: IncidentEvent) => void, onlyPlans: boolean): void {
  if (conclusion.is === "well") {
    const ours = lastFix(tools)?.outcome === "fixed";
    return write({ kind: "resolved", by: ours ? "medic" : "itself", why: conclusion.why });
  }
  const planned = conclusion.is === "escalate" ? conclusion.planned : undefined;
  // Whoever only asked was told; with a plan it goes on until it was seen what becomes of the service.
  if (onlyPlans && planned === undefined) return write({ kind: "dismissed", reason: conclusion.reason });
  write({ kind: "escalated", reason: conclusion.reason, ...(planned === undefined ? {} : { planned }) });
}

/** The incident as plugins and responders get it. */
export function incidentOf(
  record: IncidentRecord,
  target: Exclude<Target, { unclear: string }>,
  attempts: Incident["attempts"],
): Incident {
  const { name, labels, annotations, startsAt } = record.alert;
  const { host, service, plugin } = target;
  const alert = { name, labels, annotations, startsAt };
  const { earlier } = record;
  const optional = { ...(plugin === undefined ? {} : { plugin }), ...(earlier === undefined ? {} : { earlier }) };
  return { host, service, alert, attempts: [...attempts], ...optional };
}

function inWords(conclusion: Conclusion): string {
  return conclusion.is === "well" ? `well: ${conclusion.why}` : `${conclusion.is}: ${conclusion.reason}`;
}
