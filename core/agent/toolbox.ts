// The toolbox: the only door to a host during an incident. Every call passes its gates in one order, visible in `#fix`
// and in diagnosis.ts: known? → valid? → permitted? → transport. A fix goes on: seen → planned → gate.ts (policy, budgets) →
// apply.ts (last look → intent in the journal → steps → verification). It refuses to know who asks (runbook, model or
// person) and how commands travel.
import type { UnjudgedFix } from "../incident/fix.ts";
import type { Asked, IncidentEvent, PlannedFix } from "../incident/incident.ts";
import type { LeftPlan } from "../incident/observation.ts";
import {
  type Attempt,
  type Calls,
  type Facts,
  type Fix,
  type FixOutcome,
  type Found,
  type Incident,
  mayHaveRun,
  type Plan,
  type Refusal,
  type Seen,
  type Unavailable,
} from "../plugin/contract.ts";
import { conclude } from "../plugin/inquiry.ts";
import type { Log } from "../log.ts";
import { type ApplyParts, applyFix, nothingKnown, type Subject, takeUpFix } from "./apply.ts";
import { type Answer, asObject, diagnose, knownCall, type Tools } from "./diagnosis.ts";
import { createFixTurns, type InTurn } from "./fix-turns.ts";
import { type Asking, gate, type GateParts, type Stopped } from "./gate.ts";
import { presentable } from "./redact.ts";
import type { Unfixed, Verdict as Judged } from "./verification.ts";
import type { EndedFix, OfferedTool, Toolbox, ToolCall, ToolOutcome } from "./responder.ts";

export type ToolboxParts = ApplyParts &
  GateParts & {
    tools: Tools;
    limits: { findingBytes: number };
    log: Log;
  };

/** One incident's side of the toolbox. */
export type Errand = Asking & {
  attempts: readonly Attempt[];
  /** Writes to the journal, durably, before it returns. */
  record(event: IncidentEvent): void;
  /** Asked between the gates and the intent: for evidence that nobody has gathered yet. */
  beforeFix?(touches: readonly string[]): Promise<void>;
  /** Hears of what a dry run planned and did not run. */
  observe?: ((unfixed: Unfixed) => void) | undefined;
  /** What a person would have to agree to is asked: that is no attempt, and no refusal yet. */
  mayAsk?: boolean;
};

/** Makes toolboxes that share the rule "one fix at a time per host"; with the same `inTurn`, others share it too. */
export function createToolboxes(parts: ToolboxParts, inTurn: InTurn = createFixTurns()): (errand: Errand) => Toolbox {
  return (errand) => new IncidentToolbox(parts, errand, inTurn);
}

type Verdict = { outcome: FixOutcome; why: string; facts?: Facts; planned?: PlannedFix; lookAgain?: true };

/** A fix that never began may be sent once more: what kept the first from the host may be over. */
const NEVER_BEGUN_MAX = 2;

class IncidentToolbox implements Toolbox {
  readonly #parts: ToolboxParts;
  readonly #errand: Errand;
  readonly #inTurn: InTurn;
  readonly #attempts: Attempt[];

  constructor(parts: ToolboxParts, errand: Errand, inTurn: InTurn) {
    this.#parts = parts;
    this.#errand = errand;
    this.#inTurn = inTurn;
    this.#attempts = [...errand.attempts];
  }

  get tools(): readonly OfferedTool[] {
    return this.#parts.tools.toolsOn(this.#errand.host);
  }

  get attempts(): Incident["attempts"] {
    return this.#attempts;
  }

  async turn(calls: readonly ToolCall[], signal: AbortSignal): Promise<ToolOutcome[]> {
    const fixes = calls.map((call) => this.#parts.tools.tool(call.tool)?.kind === "fix");
    const outcomes: ToolOutcome[] = [];
    const diagnosed = await this.#batch(
      calls.filter((_, index) => !fixes[index]),
      signal,
    );
    for (const [index, call] of calls.entries()) {
      if (!fixes[index]) {
        const { asked } = diagnosed.shift() as Answer;
        outcomes.push({ kind: "diagnostic", ...asked });
        continue;
      }
      // One at a time and after the diagnostics, so that each fix is planned on what the one before it left.
      const verdict = await this.#inTurn(this.#errand.host, () => this.#fix(call, signal));
      outcomes.push({ kind: "fix", tool: call.tool, input: asObject(call.input), ...verdict });
    }
    return outcomes;
  }

  ask<C extends Calls>(calls: C, signal: AbortSignal): Promise<Seen<C>> {
    return this.#see("runbook", calls, signal);
  }

  /** Looks, and writes down who asked and what was seen. */
  async #see<C extends Calls>(responder: string, calls: C, signal: AbortSignal): Promise<Seen<C>> {
    const began = this.#parts.now();
    const { seen, findings } = await this.#look(calls, signal);
    this.#errand.record({ kind: "diagnosed", responder, findings, seconds: (this.#parts.now() - began) / 1000 });
    return seen;
  }

  /** Without writing it down: a verification may look a hundred times, and only its verdict is kept. */
  async #look<C extends Calls>(calls: C, signal: AbortSignal): Promise<{ seen: Seen<C>; findings: Asked[] }> {
    const keys = Object.keys(calls);
    const answers = await this.#batch(
      keys.map((key) => toolCall(calls[key] as Calls[string])),
      signal,
    );
    const seen = Object.fromEntries(keys.map((key, index) => [key, answers[index]?.finding])) as Seen<C>;
    return { seen, findings: answers.map(({ asked }) => asked) };
  }

  /** Diagnostics in parallel, logged as one batch and written down together. */
  async #batch(calls: readonly ToolCall[], signal: AbortSignal): Promise<Answer[]> {
    if (calls.length === 0) return [];
    const { log, now } = this.#parts;
    const { host } = this.#errand;
    const began = now();
    const answers = await Promise.all(calls.map((call) => diagnose(this.#parts, host, call, signal)));
    log.info("command_batch_completed", {
      host,
      commands: calls.length,
      unavailable: answers.filter(({ asked }) => asked.outcome !== "found").length,
      duration_seconds: (now() - began) / 1000,
    });
    return answers;
  }

  /** The way of a fix, with no way around any of it. */
  async #fix(call: ToolCall, signal: AbortSignal): Promise<Verdict> {
    signal.throwIfAborted();
    const known = knownCall(this.#parts.tools, this.#errand.host, call);
    if ("refused" in known) return this.#refuse(call.tool, asObject(call.input), known.refused);
    const { input, options } = known;
    const tool = known.tool as Fix;
    // Looking may borrow another plugin's defaults; changing may not: the owner enables plugins host by host.
    if (!this.tools.some((offered) => offered.tool.name === tool.name)) {
      const plugin = this.#parts.tools.pluginOf(tool.name);
      const why = `the plugin "${plugin}" is not enabled: add it under hosts.${this.#errand.host}.plugins in hosts.yaml`;
      return this.#refuse(tool.name, input, why);
    }
    const enough = this.#enough(tool);
    if (enough !== undefined) return this.#refuse(tool.name, input, enough);
    const watch = tool.watch(input, options);
    const before = await this.#see(tool.name, watch, signal);
    const blind = Object.entries(before).find(([, finding]) => "unavailable" in finding);
    if (blind !== undefined) {
      return this.#refuse(tool.name, input, `blind before it: ${blind[0]}: ${(blind[1] as Unavailable).unavailable}`);
    }
    const planned = await conclude(tool.plan(input, options, before), {
      ask: (calls) => this.#see(tool.name, calls, signal),
      pause: (seconds) => this.#parts.sleep(seconds * 1000, signal),
    });
    if ("blind" in planned) return this.#refuse(tool.name, input, planned.blind);
    const plan = planned.concluded;
    if ("refused" in plan) return this.#refuse(tool.name, input, plan.refused);
    const gated = gate(this.#parts, this.#errand, tool, input, plan);
    if ("why" in gated) {
      const plannedAtMs = this.#parts.now();
      const verdict = this.#stop(tool, input, gated, { plan, before });
      const look = this.#looking(watch);
      if (gated.isDry === true) this.#errand.observe?.({ fix: tool, input, plan, before, plannedAtMs, look });
      return verdict;
    }
    await this.#errand.beforeFix?.(plan.touches);
    const subject = this.#subject(tool, { input, options }, watch, signal);
    const begun = await applyFix(this.#parts, subject, { plan, before, objection: gated.objection }, signal);
    if ("refused" in begun) return this.#refuse(tool.name, input, begun.refused);
    if ("overtaken" in begun) {
      // Nothing of ours happened, so it is no attempt: the responder looks at what is there now.
      this.#errand.record({ kind: "fix-overtaken", tool: tool.name, input, why: begun.overtaken });
      return { outcome: "refused", why: `${begun.overtaken}. Look again before deciding`, lookAgain: true };
    }
    return this.#attempted(tool.name, input, judgedAs(begun));
  }

  takeUp(left: UnjudgedFix, signal: AbortSignal): Promise<EndedFix> {
    const { tool: name, input } = left.intent;
    return this.#inTurn(this.#errand.host, async () => {
      const known = knownCall(this.#parts.tools, this.#errand.host, { tool: name, input });
      if ("refused" in known || known.tool.kind !== "fix") {
        const reason = "refused" in known ? known.refused : "it is no fix any more";
        const why = `Medic was stopped during it, and cannot ask the host about it now: ${reason}`;
        this.#errand.record({ kind: "fix-judged", tool: name, input, outcome: "unknown", facts: nothingKnown, why });
        return { tool: name, ...this.#attempted(name, input, { outcome: "unknown", why, facts: nothingKnown }) };
      }
      const watch = known.tool.watch(known.input, known.options);
      const subject = this.#subject(known.tool, known, watch, signal);
      const verdict = await takeUpFix(this.#parts, subject, left, signal);
      return { tool: name, ...this.#attempted(name, input, judgedAs(verdict)) };
    });
  }

  unfixed({ planned, plannedAtMs }: Pick<LeftPlan, "planned" | "plannedAtMs">): Unfixed | Refusal {
    const { tool: name, input, before, withinSeconds } = planned;
    const known = knownCall(this.#parts.tools, this.#errand.host, { tool: name, input });
    if ("refused" in known) return known;
    if (known.tool.kind !== "fix" || before === undefined) return { refused: "it was planned by another Medic" };
    const plan = { ...planned, ...(withinSeconds === undefined ? {} : { withinSeconds }) };
    const { tool, options } = known;
    // Asked when it is looked at: a newer plugin may break on what an older one planned, and serve has to start all the same.
    const look: Unfixed["look"] = async (signal) => this.#looking(tool.watch(known.input, options))(signal);
    return { fix: tool, input: known.input, plan, before, plannedAtMs, look };
  }

  #looking(watch: Calls): Unfixed["look"] {
    return async (signal) => (await this.#look(watch, signal)).seen;
  }

  /** Why this incident has had its fixes, whoever asks for another. */
  #enough({ name, proof }: Fix): string | undefined {
    const unsure = this.#attempts.find(({ outcome }) => outcome === "unknown" || outcome === "unverified");
    if (unsure !== undefined) return `what became of "${unsure.fix}" is not known, so nothing more may be changed`;
    if (proof === "never-retry" && this.#attempts.some((one) => one.fix === name && mayHaveRun(one))) {
      return "it was tried in this incident, and nothing on the host shows what it did: it is never tried again";
    }
    const lost = this.#attempts.filter(({ facts }) => facts?.began === "no").length;
    if (lost < NEVER_BEGUN_MAX) return undefined;
    return `${lost} fixes of this incident never began: find out what keeps commands from "${this.#errand.host}"`;
  }

  #subject(
    fix: Fix,
    { input, options }: { input: object; options: object },
    watch: Calls,
    signal: AbortSignal,
  ): Subject {
    const { host, record } = this.#errand;
    const look = this.#looking(watch);
    const lookBack = (sinceSeconds: number): Promise<Seen<Calls>> =>
      this.#looking(fix.traces?.(input, options, sinceSeconds) ?? {})(signal);
    return { host, fix, input, record, look: () => look(signal), lookBack };
  }

  #stop(
    { name: tool, withinSeconds: own }: Fix,
    input: object,
    { why, planned, isDry }: Stopped,
    { plan, before }: { plan: Plan; before: Found<Calls> },
  ): Verdict {
    const isAsked = planned?.asks !== undefined && this.#errand.mayAsk === true;
    if (isDry === true && planned !== undefined) {
      const wouldBe = planned.asks === undefined ? "allow" : "ask";
      const shown = presentable(before, this.#parts.limits.findingBytes) as Record<string, object>;
      const withinSeconds = plan.withinSeconds ?? own;
      this.#errand.record({ kind: "fix-planned", wouldBe, before: shown, withinSeconds, ...planned });
    } else if (!isAsked) this.#errand.record({ kind: "fix-refused", tool, input, why });
    return this.#attempted(tool, input, { outcome: "refused", why, ...(planned === undefined ? {} : { planned }) });
  }

  #refuse(tool: string, input: object, why: string): Verdict {
    this.#errand.record({ kind: "fix-refused", tool, input, why });
    return this.#attempted(tool, input, { outcome: "refused", why });
  }

  #attempted(tool: string, input: object, verdict: Verdict): Verdict {
    const { outcome, why, facts } = verdict;
    this.#attempts.push({ fix: tool, input, outcome, why, ...(facts === undefined ? {} : { facts }) });
    return verdict;
  }
}

/** What responders hear of a verdict. */
function judgedAs({ outcome, why, facts }: Judged): Verdict {
  return { outcome, why, facts };
}

function toolCall(call: Calls[string]): ToolCall {
  return { tool: call.tool.name, input: call.input };
}
