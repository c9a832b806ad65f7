// The responder that needs no model: it asks the plugins' runbooks, lets the toolbox do what they decide, and asks them
// again. It settles an incident only with `well`; whatever a runbook cannot settle is left to the next responder.
import type { Calls, Decision, Incident, Inquiry, Seen } from "../plugin/contract.ts";
import { conclude } from "../plugin/inquiry.ts";
import type { Conclusion, Responder, Toolbox } from "./responder.ts";

/** A runbook with its plugin's options on the incident's host filled in. */
export type FittingRunbook = { title: string; decide(incident: Incident): Inquiry<Decision> };

/** The runbooks whose `when` says yes to this incident, in the plugins' order. */
export type FittingRunbooks = (incident: Incident) => readonly FittingRunbook[];

/** More fixes than this in one incident means that the runbook goes in circles. */
const FIXES_MAX = 3;

/** Makes the responder; `pause` waits for what shows only over time. */
export function createRunbookResponder(
  runbooksFor: FittingRunbooks,
  pause: (seconds: number, signal: AbortSignal) => Promise<void>,
): Responder {
  return {
    name: "runbook",
    async work(incident, tools, { signal }) {
      for (let fixes = 0; ; fixes++) {
        const now = { ...incident, attempts: tools.attempts };
        const decided = await askRunbooks(runbooksFor(now), now, tools, pause, signal);
        if ("is" in decided) return decided;
        if (fixes === FIXES_MAX) return { is: "escalate", reason: `${FIXES_MAX} fixes did not settle it` };
        const stop = await runFix(decided.fix.tool.name, decided.fix.input, tools, signal);
        if (stop !== undefined) return stop;
      }
    },
  };
}

/** Asks the fitting runbooks in turn, until one settles the incident or wants a fix. Looks only; changes nothing. */
export async function askRunbooks(
  runbooks: readonly FittingRunbook[],
  incident: Incident,
  tools: Toolbox,
  pause: (seconds: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<Conclusion | Extract<Decision, { fix: unknown }>> {
  const reasons: string[] = [];
  for (const runbook of runbooks) {
    // One runbook after the other on purpose: the first that can settle it spares the host the others' questions.
    const outcome = await conclude(runbook.decide(incident), {
      ask: <C extends Calls>(calls: C): Promise<Seen<C>> => tools.ask(calls, signal),
      pause: (seconds) => pause(seconds, signal),
    });
    if ("blind" in outcome) {
      reasons.push(`${runbook.title}: ${outcome.blind}`);
      continue;
    }
    const decision = outcome.concluded;
    if ("well" in decision) return { is: "well", why: decision.well, seen: true };
    if ("fix" in decision) return decision;
    reasons.push(`${runbook.title}: ${decision.escalate}`);
  }
  return { is: "unsettled", reason: reasons.length === 0 ? "no runbook fits" : reasons.join("; ") };
}

/** Undefined when the runbook should look again; otherwise why it stops here. */
export async function runFix(
  tool: string,
  input: object,
  tools: Toolbox,
  signal: AbortSignal,
): Promise<Conclusion | undefined> {
  const [outcome] = await tools.turn([{ tool, input }], signal);
  if (outcome?.kind !== "fix") return { is: "unsettled", reason: `"${tool}" is not a fix` };
  switch (outcome.outcome) {
    case "refused":
      if (outcome.lookAgain === true) return undefined;
      return outcome.planned === undefined
        ? { is: "unsettled", reason: `${tool} was refused: ${outcome.why}` }
        : { is: "escalate", reason: `${tool}: ${outcome.why}`, planned: outcome.planned };
    case "unknown":
    case "unverified":
      return { is: "escalate", reason: `${tool}: ${outcome.outcome}: ${outcome.why}` };
    default:
      return undefined;
  }
}
