// The toolbox: the only door to a host during an incident. Every call passes its gates in one order, visible in `#fix`
// and in diagnosis.ts: known? → valid? → permitted? → transport. A fix goes on: seen → planned → judged → budget → intent in
// the journal → steps → verification. It refuses to know who asks (runbook, model or person) and how commands travel.
import type { Asked, Dispatch, IncidentEvent, PlannedFix } from "../incident/incident.ts";
import type {
  Attempt,
  Calls,
  Command,
  Fix,
  FixOutcome,
  Found,
  Incident,
  Plan,
  Seen,
  Unavailable,
} from "../plugin/contract.ts";
import { conclude } from "../plugin/inquiry.ts";
import type { Log } from "../log.ts";
import { advised, type Answer, asObject, diagnose, knownCall, messageOf, type Reach, type Tools } from "./diagnosis.ts";
import { createFixTurns, type InTurn } from "./fix-turns.ts";
import { judge, type Trust } from "./policy.ts";
import { redactText } from "./redact.ts";
import type { OfferedTool, Toolbox, ToolCall, ToolOutcome } from "./responder.ts";
import { verify } from "./verification.ts";

export type Ownership = { trust: Trust; protect: readonly string[] };
export type FixBudget = { fixesPerService: number; fixesPerHost: number; fixWindow: number };

export type ToolboxParts = {
  reach: Reach;
  tools: Tools;
  ownership(host: string): Ownership;
  limits: FixBudget & { findingBytes: number; stable?: number };
  /**
   * Fixes started since a time, over all incidents: of this service (by its key, or by a name that is touched), on this
   * host, and one of this service whose end nobody knows.
   */
  fixesSince(
    host: string,
    of: { key: string; touches: readonly string[] },
    sinceMs: number,
  ): { service: number; host: number; open?: { tool: string; incident: string } };
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  log: Log;
};

/** One incident's side of the toolbox. */
export type Errand = {
  key: string;
  host: string;
  attempts: readonly Attempt[];
  /** Writes to the journal, durably, before it returns. */
  record(event: IncidentEvent): void;
  /** Plans and judges, but runs no fix. */
  dryRun?: boolean;
  /** A person agreed beforehand to what would only be asked. */
  approved?: boolean;
  /** Asked between the gates and the intent: for evidence that nobody has gathered yet. */
  beforeFix?(touches: readonly string[]): Promise<void>;
};

/** Makes toolboxes that share the rule "one fix at a time per host"; with the same `inTurn`, others share it too. */
export function createToolboxes(parts: ToolboxParts, inTurn: InTurn = createFixTurns()): (errand: Errand) => Toolbox {
  return (errand) => new IncidentToolbox(parts, errand, inTurn);
}

type Verdict = { outcome: FixOutcome; why: string; planned?: PlannedFix };

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
    const unsure = this.#attempts.find(({ outcome }) => outcome === "unknown" || outcome === "unverified");
    if (unsure !== undefined) {
      return this.#refuse(
        tool.name,
        input,
        `what became of "${unsure.fix}" is not known, so nothing more may be changed`,
      );
    }
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
    const gate = this.#gate(tool, input, plan);
    if (gate !== undefined) return gate;
    await this.#errand.beforeFix?.(plan.touches);
    // Aborted while it looked: what has not begun does not begin.
    signal.throwIfAborted();
    return this.#apply(tool, input, plan, before, watch, signal);
  }

  /** Policy and budgets; undefined lets the plan through. */
  #gate(tool: Fix, input: object, plan: Plan): Verdict | undefined {
    const { host, key, dryRun, approved } = this.#errand;
    const { tools, limits, ownership, fixesSince, now } = this.#parts;
    const planned: PlannedFix = { tool: tool.name, input, steps: plan.steps, touches: plan.touches, risk: tool.risk };
    const verdict = judge({
      host,
      plugin: tools.pluginOf(tool.name),
      tool: tool.name,
      risk: tool.risk,
      plan,
      ...ownership(host),
      ownersOf: (name) => tools.ownersOf(host, name),
    });
    if (verdict.is === "refuse") return this.#refuse(tool.name, input, verdict.why);
    if (verdict.is === "ask" && approved !== true) {
      return { ...this.#refuse(tool.name, input, `a person has to agree: ${verdict.why}`), planned };
    }
    const scope = { key, touches: plan.touches };
    const started = fixesSince(host, scope, now() - limits.fixWindow * 1000);
    if (started.open !== undefined && approved !== true) {
      const { tool: last, incident } = started.open;
      const why = `what became of "${last}" in incident ${incident} is not known, so it may be under way: a person should look`;
      return this.#refuse(tool.name, input, why);
    }
    const window = `in the last ${Math.round(limits.fixWindow / 60)} min (limits in hosts.yaml)`;
    if (started.service >= limits.fixesPerService) {
      return this.#refuse(
        tool.name,
        input,
        `${started.service} fixes of "${plan.touches.join(", ")}" ${window}: a person should look`,
      );
    }
    if (started.host >= limits.fixesPerHost) {
      return this.#refuse(tool.name, input, `${started.host} fixes on "${host}" ${window}: a person should look`);
    }
    if (dryRun === true) {
      return this.#attempted(tool.name, input, { outcome: "refused", why: "dry run: nothing is changed", planned });
    }
    return undefined;
  }

  /** From the intent on disk to the verdict. Nothing here is ever run a second time. */
  async #apply(
    tool: Fix,
    input: object,
    plan: Plan,
    before: Found<Calls>,
    watch: Calls,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const { record } = this.#errand;
    const { limits, now, sleep } = this.#parts;
    const marker = tool.marker?.(before);
    const intent = { tool: tool.name, input, steps: plan.steps, touches: plan.touches };
    record({ kind: "fix-started", ...intent, ...(marker === undefined ? {} : { marker }) });
    const dispatch = await this.#dispatch(tool, plan.steps);
    record({ kind: "fix-dispatched", tool: tool.name, dispatch });
    if (dispatch.is === "not-sent")
      return this.#judged(tool.name, input, { outcome: "failed", why: `nothing ran: ${dispatch.why}` });
    if (dispatch.is === "failed") return this.#judged(tool.name, input, { outcome: "failed", why: dispatch.said });
    const verdict = await verify({
      fix: tool,
      input,
      before,
      dispatch,
      withinSeconds: plan.withinSeconds ?? tool.withinSeconds,
      stableSeconds: Math.min(tool.stableSeconds, limits.stable ?? Infinity),
      look: async () => (await this.#look(watch, signal)).seen,
      now,
      sleep,
      signal,
    });
    return this.#judged(tool.name, input, verdict);
  }

  async #dispatch(tool: Fix, steps: readonly Command[]): Promise<Dispatch> {
    const { reach, now } = this.#parts;
    const began = now();
    for (const [index, step] of steps.entries()) {
      try {
        // No signal: a fix under way is never cut, it is waited for and judged.
        const limit = tool.timeoutSeconds === undefined ? {} : { commandSeconds: tool.timeoutSeconds };
        const how = { kind: "fix", tool: tool.name, ...limit } as const;
        const result = await reach.run(this.#errand.host, step, how);
        if (result.exit === 0) continue;
        const text = redactText((result.stderr.trim() || result.stdout.trim()).slice(-2000));
        const said = advised(this.#parts.tools, tool.name, text === "" ? `exit ${result.exit}` : text);
        return { is: "failed", step: index, exit: result.exit, said };
      } catch (error) {
        if (index === 0 && !wasDispatched(error)) return { is: "not-sent", why: messageOf(error) };
        return { is: "unknown", why: messageOf(error) };
      }
    }
    return { is: "done", seconds: (now() - began) / 1000 };
  }

  #refuse(tool: string, input: object, why: string): Verdict {
    this.#errand.record({ kind: "fix-refused", tool, input, why });
    return this.#attempted(tool, input, { outcome: "refused", why });
  }

  #judged(tool: string, input: object, verdict: Verdict & { marker?: string; firstHealthyAt?: string }): Verdict {
    this.#errand.record({ kind: "fix-judged", tool, input, ...verdict });
    return this.#attempted(tool, input, { outcome: verdict.outcome, why: verdict.why });
  }

  #attempted(tool: string, input: object, verdict: Verdict): Verdict {
    this.#attempts.push({ fix: tool, input, outcome: verdict.outcome, why: verdict.why });
    return verdict;
  }
}

function toolCall(call: Calls[string]): ToolCall {
  return { tool: call.tool.name, input: call.input };
}

/** Only an error that says so itself never left; anything else may have run. */
function wasDispatched(error: unknown): boolean {
  return !(error instanceof Error && "dispatched" in error && error.dispatched === false);
}
