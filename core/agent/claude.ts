// The responder that asks Claude: one loop over replies. It holds the limits, the patience and the order of things; it
// refuses to know how a reply travels (model-reply.ts), how things are worded (briefing.ts), what a tool does or may do
// (the toolbox), and whether the service is well (only the host's answers tell).
//
//   budget? ─no─▶ escalate (or well, if the host has just shown it)
//     │ yes
//     ▼
//   ask ─▶ whole ─▶ conclude alone ─▶ well | escalate          broken, busy ─▶ wait, ask again; then unsettled
//                                                              (an outage that others met: not asked at all; model-breaker.ts)
//     ▲      │ └──▶ only text ──────▶ escalate                 refused ──────▶ unsettled
//     │      ▼ calls                                           cut ──────────▶ once: ask for less; then unsettled
//     └── one turn of the toolbox
//
// The conversation only grows: nothing that was sent is ever changed. The prompt cache needs that, and so do the
// signatures of the model's thinking.
import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import type { Asked, PlannedFix } from "../incident/incident.ts";
import type { TurnCall } from "../incident/model-event.ts";
import type { Incident } from "../plugin/contract.ts";
import type { Log } from "../log.ts";
import { CALLS_MAX, CONCLUDE } from "./briefing.ts";
import {
  answerOf,
  askedAgain,
  cleanAttempts,
  digestOf,
  notConcluded,
  openingOf,
  sorted,
  turnOf,
} from "./conversation.ts";
import { type BreakerLimits, ModelBreaker } from "./model-breaker.ts";
import { ModelBudget, type ModelLimits } from "./model-budget.ts";
import { createModel, type AskModel, type ModelRequest, type Reply } from "./model-reply.ts";
import { Patience } from "./patience.ts";
import { isPriced } from "./pricing.ts";
import { redactValue } from "../secrets/redact.ts";
import { keepNewest, redactText } from "./redact.ts";
import type { Briefing, Conclusion, Responder, Toolbox } from "./responder.ts";

export type ClaudeSettings = ModelLimits & {
  apiKey: string;
  /** Where the Messages API is; Anthropic's own when absent. */
  baseUrl?: string;
  /** From the request to the last byte of its reply. */
  requestSeconds: number;
  log: Log;
  /** Shared by all incidents, so that one outage is met once. */
  breaker?: ModelBreaker;
  /** Requests that break in a row before the model is left alone; see `rest`. */
  breaks?: number;
  /** Seconds for which it is left alone; 0: never. */
  rest?: number;
  /** What the runbooks that fit an incident would tell a colleague. */
  guidance(incident: Incident): readonly string[];
  now?(): number;
  sleep?(milliseconds: number, signal: AbortSignal): Promise<void>;
};

const TEXT_CHARACTERS_MAX = 4_000;
/** JSON has more tokens than prose; too high an estimate stops early, too low a one passes the limit. */
const CHARACTERS_PER_TOKEN = 2.5;

// More than the tool's own schema allows: a summary that is a little long is still a verdict.
const concludeSchema = v.strictObject({
  verdict: v.picklist(["well", "needs-a-person"]),
  summary: v.pipe(v.string(), v.trim(), v.nonEmpty(), v.maxLength(4_000)),
});

/** Makes the responder and with it the only client of a model: where none is made, no request can leave. */
export function createClaude(settings: ClaudeSettings): Responder {
  if (settings.apiKey === "") throw new Error('Cannot use the responder "claude": responder.apiKey is empty');
  const { log, now = Date.now, sleep = pause, breaks = 3, rest = 0 } = settings;
  const { breaker = new ModelBreaker(now) } = settings;
  const outage = { breaker, limits: { breaks, restSeconds: rest } };
  if (!isPriced(settings.model)) log.warning("model_price_unknown", { model: settings.model });
  const ask = createModel({
    apiKey: settings.apiKey,
    requestSeconds: settings.requestSeconds,
    now,
    ...(settings.baseUrl === undefined ? {} : { baseUrl: settings.baseUrl }),
  });
  return {
    name: "claude",
    work: (incident, tools, briefing) =>
      new Conversation({ settings, ask, outage, now, sleep }, incident, tools, briefing).conclude(),
  };
}

type Parts = {
  settings: ClaudeSettings;
  ask: AskModel;
  outage: { breaker: ModelBreaker; limits: BreakerLimits };
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
};

/** One incident's conversation. */
class Conversation {
  readonly #parts: Parts;
  readonly #tools: Toolbox;
  readonly #briefing: Briefing;
  readonly #budget: ModelBudget;
  readonly #request: ModelRequest;
  readonly #attemptsBefore: number;
  /** How much of the conversation the API has counted, and how many tokens that was. */
  #counted = { messages: 0, tokens: 0 };
  #askedAgain = false;
  #planned: PlannedFix | undefined;

  constructor(parts: Parts, incident: Incident, tools: Toolbox, briefing: Briefing) {
    const { settings } = parts;
    this.#parts = parts;
    this.#tools = tools;
    this.#briefing = briefing;
    this.#budget = new ModelBudget(settings);
    this.#attemptsBefore = tools.attempts.length;
    const attempts = cleanAttempts(tools.attempts);
    const { evidence, record } = briefing;
    const guidance = settings.guidance(incident);
    const opening = openingOf({ incident: { ...incident, attempts }, evidence, guidance, tools: tools.tools });
    record({ kind: "responder-briefed", responder: "claude", attempts, digest: digestOf(opening) });
    this.#request = {
      model: settings.model,
      max_tokens: settings.outputTokens,
      // Tools and rules are the same for the next incident on this host; the rest is cached as it grows.
      tools: opening.tools,
      system: [{ type: "text", text: opening.system, cache_control: { type: "ephemeral" } }],
      cache_control: { type: "ephemeral" },
      messages: opening.messages,
    };
  }

  async conclude(): Promise<Conclusion> {
    for (;;) {
      const reply = await this.#reply();
      if (typeof reply === "string") return this.#stopped({ is: "escalate", reason: reply });
      switch (reply.is) {
        case "broken":
        case "busy":
        case "refused":
          return this.#stopped({ is: "unsettled", reason: reply.why });
        case "cut": {
          const reason = `longer than ${this.#request.max_tokens} tokens (responder.outputTokens in hosts.yaml)`;
          if (this.#askAgain("shorter", reason)) break;
          return this.#stopped({ is: "unsettled", reason });
        }
        case "whole": {
          if (reply.calls.length > CALLS_MAX) {
            const reason = `${reply.calls.length} calls in one reply, ${CALLS_MAX} are the limit`;
            if (this.#askAgain("fewer", reason)) break;
            return this.#stopped({ is: "unsettled", reason });
          }
          const conclusion = await this.#heed(reply);
          if (conclusion !== undefined) return conclusion;
        }
      }
    }
  }

  /** The next reply, after what patience allows; a text says which limit forbids asking. */
  async #reply(): Promise<Reply | string> {
    const { ask, outage, now, sleep, settings } = this.#parts;
    const patience = new Patience();
    for (;;) {
      const limit = this.#budget.refusalFor(this.#inputTokens());
      if (limit !== undefined) return limit;
      const resting = outage.breaker.refusal(outage.limits);
      if (resting !== undefined) return { is: "broken", why: resting };
      const began = now();
      const reply = await ask(this.#request, this.#briefing.signal);
      this.#bill(reply, (now() - began) / 1000);
      outage.breaker.heard(reply, outage.limits);
      // Where nothing was heard there was no reply: the log says so, and the end says why.
      if ("why" in reply && reply.usage !== undefined) this.#discard(reply.why);
      if (reply.is !== "broken" && reply.is !== "busy") {
        if (reply.is !== "refused") this.#budget.countTurn();
        return reply;
      }
      const seconds = patience.waitFor(reply);
      settings.log.warning("model_request_failed", {
        model: settings.model,
        why: reply.why,
        retry_in_seconds: seconds,
      });
      if (seconds === undefined) return { ...reply, why: `${reply.why}; gave up after ${patience.tried}` };
      await sleep(seconds * 1000, this.#briefing.signal);
    }
  }

  #bill(reply: Reply, seconds: number): void {
    if (reply.usage === undefined) return;
    const { inputTokens: plain, cacheWriteTokens, cacheReadTokens, outputTokens } = reply.usage;
    const inputTokens = plain + cacheWriteTokens + cacheReadTokens;
    const dollars = this.#budget.spend(reply.usage);
    const { model, log } = this.#parts.settings;
    this.#counted = { messages: this.#request.messages.length, tokens: inputTokens };
    this.#briefing.record({ kind: "responder-usage", responder: "claude", model, inputTokens, outputTokens, dollars });
    log.info("model_replied", {
      model,
      reply: reply.is,
      input_tokens: inputTokens,
      cached_tokens: cacheReadTokens,
      output_tokens: outputTokens,
      dollars,
      duration_seconds: seconds,
    });
  }

  /** Does what a whole reply asks for; undefined when the conversation goes on. */
  async #heed(reply: Extract<Reply, { is: "whole" }>): Promise<Conclusion | undefined> {
    const text = keepNewest(redactText(reply.text), TEXT_CHARACTERS_MAX);
    if (text !== "") this.#briefing.record({ kind: "responder-said", responder: "claude", text });
    const [only, ...others] = reply.calls;
    if (only === undefined) {
      const reason = text === "" ? "the model ended without a word" : `the model ended without a verdict: ${text}`;
      return this.#escalation(reason);
    }
    if (only.name === CONCLUDE && others.length === 0) {
      const verdict = v.safeParse(concludeSchema, only.input);
      if (verdict.success) {
        const { summary } = verdict.output;
        return verdict.output.verdict === "well" ? { is: "well", why: summary } : this.#escalation(summary);
      }
      const problems = verdict.issues.map((issue) => `${v.getDotPath(issue) ?? "input"}: ${issue.message}`);
      this.#answer(reply, notConcluded(only, `Not concluded: ${problems.join("; ")}`), []);
      return undefined;
    }
    await this.#turn(reply);
    return undefined;
  }

  /** One turn of the toolbox, and what goes back for it. */
  async #turn(reply: Extract<Reply, { is: "whole" }>): Promise<void> {
    const calls = sorted(reply.calls, this.#tools.tools);
    // A secret that the model read somewhere is written nowhere by it: not on a host, not in a name or a reason.
    const wanted = calls
      .filter(({ is }) => is === "run")
      .map(({ name, input }) => ({ tool: name, input: redactValue(input) }));
    const outcomes = wanted.length === 0 ? [] : await this.#tools.turn(wanted, this.#briefing.signal);
    const findings = outcomes
      .filter((outcome) => outcome.kind === "diagnostic")
      .map(({ kind: _kind, ...asked }) => asked);
    // They ran in parallel, so the slowest tells how long all took, whatever fixes came after them.
    const seconds = Math.max(...findings.map((asked) => asked.seconds));
    if (findings.length > 0) this.#briefing.record({ kind: "diagnosed", responder: "claude", findings, seconds });
    for (const outcome of outcomes) {
      if (outcome.kind === "fix" && outcome.planned !== undefined) this.#planned = outcome.planned;
    }
    this.#answer(reply, turnOf(calls, outcomes), findings);
  }

  #answer(reply: Extract<Reply, { is: "whole" }>, calls: TurnCall[], findings: readonly Asked[]): void {
    const isNextTheLast = this.#budget.turnsLeft === 1;
    const last = isNextTheLast ? { last: true as const } : {};
    this.#briefing.record({ kind: "responder-turn", responder: "claude", calls, ...last });
    this.#request.messages.push(
      { role: "assistant", content: reply.content },
      answerOf(calls, findings, isNextTheLast),
    );
  }

  /** Once in a conversation; false when it was done before. */
  #askAgain(again: "shorter" | "fewer", why: string): boolean {
    const isFirst = !this.#askedAgain;
    this.#discard(why, isFirst ? again : undefined);
    if (isFirst) this.#request.messages.push(askedAgain(again));
    this.#askedAgain = true;
    return isFirst;
  }

  #discard(why: string, again?: "shorter" | "fewer"): void {
    const asked = again === undefined ? {} : { again };
    this.#briefing.record({ kind: "reply-discarded", responder: "claude", why, ...asked });
  }

  /** What the next request is likely to read: what the API has counted, and an estimate of what came since. */
  #inputTokens(): number {
    const { messages, tools, system } = this.#request;
    const fresh = this.#counted.messages === 0 ? [tools, system, messages] : messages.slice(this.#counted.messages);
    return this.#counted.tokens + Math.ceil(JSON.stringify(fresh).length / CHARACTERS_PER_TOKEN);
  }

  /** Ended by something else than the model. What the host has just shown stands, whether or not a model can be asked. */
  #stopped(conclusion: Extract<Conclusion, { reason: string }>): Conclusion {
    const last = this.#tools.attempts.slice(this.#attemptsBefore).findLast(({ outcome }) => outcome !== "refused");
    if (last?.outcome === "fixed" || last?.outcome === "recovered") {
      return { is: "well", why: `${last.fix}: ${last.why} (the model was not asked again: ${conclusion.reason})` };
    }
    return conclusion.is === "escalate" || this.#planned !== undefined
      ? this.#escalation(conclusion.reason)
      : conclusion;
  }

  #escalation(reason: string): Conclusion {
    return this.#planned === undefined
      ? { is: "escalate", reason }
      : { is: "escalate", reason, planned: this.#planned };
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}
