// A conversation with a model as values: how it opens, and what answers the calls of one reply. The responder sends
// these, and `explain --as-model` makes them anew from the journal: the same functions over the same values, so what a
// person reads is what the model read. It refuses to know how anything is sent.
//
// Whatever is made here from a call or an outcome is cleaned first, and only then sent and written down.
import { createHash } from "node:crypto";
import type { Asked, IncidentRecord, JournalEvent } from "../incident/incident.ts";
import type { TurnCall } from "../incident/model-event.ts";
import type { Attempt, Incident } from "../plugin/contract.ts";
import {
  briefingText,
  CONCLUDE,
  CONCLUDE_ALONE,
  CUT_NOTICE,
  FEWER_NOTICE,
  LAST_TURN_NOTICE,
  ONE_FIX_ONLY,
  resultTexts,
  RULES,
  type ShownOutcome,
  type ToolDefinition,
  toolDefinitions,
} from "./briefing.ts";
import { cleanInput, keepNewest, redactText } from "./redact.ts";
import type { OfferedTool, ToolOutcome } from "./responder.ts";

export type TextBlock = { type: "text"; text: string };
export type CallBlock = { type: "tool_use"; id: string; name: string; input: object };
export type ResultBlock = { type: "tool_result"; tool_use_id: string; content: string; is_error?: true };
export type Message = { role: "user" | "assistant"; content: string | (TextBlock | CallBlock | ResultBlock)[] };
/** What a model gets: the rules, its tools, and all that was said so far. */
export type View = { system: string; tools: ToolDefinition[]; messages: Message[] };

/** What it is about, and who may be asked; the incident's attempts are the clean ones. */
export type Subject = {
  incident: Incident;
  evidence: readonly Asked[];
  guidance: readonly string[];
  tools: readonly OfferedTool[];
};

export const NAME_CHARACTERS_MAX = 100;
const WHY_CHARACTERS_MAX = 4_000;

/** Attempts as a model and the journal may see them. */
export function cleanAttempts(attempts: readonly Attempt[]): Attempt[] {
  return attempts.map((attempt) => ({ ...attempt, input: cleanInput(attempt.input), why: cleanWhy(attempt.why) }));
}

/** The beginning, before the model has said anything. */
export function openingOf({ incident, evidence, guidance, tools }: Subject): View {
  const opening = briefingText(incident, evidence, incident.attempts, guidance);
  return { system: RULES, tools: toolDefinitions(tools), messages: [{ role: "user", content: opening }] };
}

/** Names all that a conversation opens with. */
export function digestOf({ system, tools, messages }: View): string {
  return createHash("sha256")
    .update(JSON.stringify([system, tools, messages.slice(0, 1)]))
    .digest("hex");
}

/** A call of a reply: `run` by the toolbox, or answered without. */
export type Sorted = { id: string; name: string; input: unknown; is: "run" | "not-alone" | "second-fix" };

/** Which calls of a reply go to the toolbox: all diagnostics, and of the fixes the first. */
export function sorted(
  calls: readonly { id: string; name: string; input: unknown }[],
  tools: readonly OfferedTool[],
): Sorted[] {
  let fixes = 0;
  return calls.map((call) => {
    if (call.name === CONCLUDE) return { ...call, is: "not-alone" };
    const isFix = tools.some(({ tool }) => tool.name === call.name && tool.kind === "fix");
    if (isFix) fixes++;
    return { ...call, is: isFix && fixes > 1 ? "second-fix" : "run" };
  });
}

/** What became of each call, as it is written down; outcomes stand in the order of the calls that ran. */
export function turnOf(calls: readonly Sorted[], outcomes: readonly ToolOutcome[]): TurnCall[] {
  const left = [...outcomes];
  return calls.map(({ id, name, input, is }): TurnCall => {
    const named = { id, tool: keepNewest(redactText(name), NAME_CHARACTERS_MAX) };
    const outcome = is === "run" ? left.shift() : undefined;
    if (outcome?.kind === "diagnostic") return { ...named, is: "diagnostic" };
    if (outcome?.kind === "fix") {
      const facts = outcome.facts === undefined ? {} : { facts: outcome.facts };
      const became = { outcome: outcome.outcome, why: cleanWhy(outcome.why), ...facts };
      const planned = outcome.planned === undefined ? {} : { planned: true as const };
      return { ...named, is: "fix", input: cleanInput(outcome.input), ...became, ...planned };
    }
    const why = is === "not-alone" ? CONCLUDE_ALONE : ONE_FIX_ONLY;
    return { ...named, is: "not-run", input: cleanInput(input), why };
  });
}

/** A turn in which nothing ran: a verdict that does not fit its schema. */
export function notConcluded(call: { id: string; input: unknown }, why: string): TurnCall[] {
  return [{ id: call.id, tool: CONCLUDE, is: "not-run", input: cleanInput(call.input), why: cleanWhy(why) }];
}

/** What goes back for a turn: one result a call, in the order of the calls. */
export function answerOf(turn: readonly TurnCall[], findings: readonly Asked[], isNextTheLast: boolean): Message {
  const left = [...findings];
  const outcomes = turn.flatMap((call): ShownOutcome[] => {
    if (call.is === "not-run") return [];
    if (call.is === "fix") return [{ kind: "fix", ...call }];
    const asked = left.shift();
    return asked === undefined ? [] : [{ kind: "diagnostic", ...asked }];
  });
  const texts = resultTexts(outcomes);
  const results = turn.map((call): ResultBlock => {
    const said = call.is === "not-run" ? undefined : texts.shift();
    const { text, isError } = said ?? { text: call.is === "not-run" ? call.why : "Not run.", isError: true };
    return { type: "tool_result", tool_use_id: call.id, content: text, ...(isError ? { is_error: true } : {}) };
  });
  return { role: "user", content: isNextTheLast ? [...results, { type: "text", text: LAST_TURN_NOTICE }] : results };
}

/** Asks for another reply in place of one that was not used. */
export function askedAgain(ask: "shorter" | "fewer"): Message {
  return { role: "user", content: ask === "shorter" ? CUT_NOTICE : FEWER_NOTICE };
}

/** A conversation of the past. `digest` is of its opening as it was sent. */
export type Retold = View & { digest?: string };

/**
 * All conversations of an incident, from its events; where there was none, the one that a model would be given. The
 * model's own words are there as far as the journal has them: its thinking is kept nowhere.
 */
export function retold(
  record: IncidentRecord,
  events: readonly JournalEvent[],
  subjectOf: (evidence: readonly Asked[], attempts: readonly Attempt[]) => Subject,
): Retold[] {
  const conversations: Retold[] = [];
  let evidence: readonly Asked[] = [];
  let findings: readonly Asked[] = [];
  let said: string | undefined;
  for (const event of events) {
    const now = conversations.at(-1);
    if (event.kind === "evidence-gathered") evidence = event.findings;
    if (event.kind === "responder-briefed") {
      conversations.push({ ...openingOf(subjectOf(evidence, event.attempts)), digest: event.digest });
      findings = [];
      said = undefined;
    }
    if (event.kind === "responder-said") said = event.text;
    if (event.kind === "diagnosed" && event.responder === "claude") findings = event.findings;
    if (event.kind === "reply-discarded" && event.again !== undefined) now?.messages.push(askedAgain(event.again));
    if (event.kind === "responder-turn") {
      now?.messages.push(replyOf(event.calls, findings, said), answerOf(event.calls, findings, event.last === true));
      findings = [];
      said = undefined;
    }
  }
  return conversations.length > 0 ? conversations : [openingOf(subjectOf(evidence, cleanAttempts(record.attempts)))];
}

function replyOf(turn: readonly TurnCall[], findings: readonly Asked[], said: string | undefined): Message {
  const left = [...findings];
  const calls = turn.map((call): CallBlock => {
    const input = call.is === "diagnostic" ? (left.shift()?.input ?? {}) : call.input;
    return { type: "tool_use", id: call.id, name: call.tool, input };
  });
  return { role: "assistant", content: said === undefined ? calls : [{ type: "text", text: said }, ...calls] };
}

function cleanWhy(why: string): string {
  return keepNewest(redactText(why), WHY_CHARACTERS_MAX);
}
