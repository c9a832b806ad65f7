// A fix that has passed every gate: from its intent on disk to the verdict. Nothing here is ever run a second time. It
// refuses to know who asked, and whether it may.
import type { Dispatch, IncidentEvent } from "../incident/incident.ts";
import type { Calls, Fix, Found, Plan, Seen } from "../plugin/contract.ts";
import { advised, messageOf, type Reach, type Tools } from "./diagnosis.ts";
import { redactText } from "./redact.ts";
import { verify, type Verdict } from "./verification.ts";

export type ApplyParts = {
  reach: Reach;
  tools: Pick<Tools, "hintFor">;
  limits: { stable?: number };
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
};

/** A plan and what it was made from. */
export type Intended = {
  host: string;
  fix: Fix;
  input: object;
  plan: Plan;
  before: Found<Calls>;
  /** Asks what the fix watches, once, without writing it down. */
  look(): Promise<Seen<Calls>>;
  /** Writes to the journal, durably, before it returns. */
  record(event: IncidentEvent): void;
};

/** Runs the steps and watches the host until there is a verdict, which is written down. Throws only when aborted. */
export async function applyFix(parts: ApplyParts, intended: Intended, signal: AbortSignal): Promise<Verdict> {
  const { fix, input, plan, before, record, look } = intended;
  const { limits, now, sleep } = parts;
  const marker = fix.marker?.(before);
  const intent = { tool: fix.name, input, steps: plan.steps, touches: plan.touches };
  record({ kind: "fix-started", ...intent, ...(marker === undefined ? {} : { marker }) });
  const dispatch = await send(parts, intended);
  record({ kind: "fix-dispatched", tool: fix.name, dispatch });
  const judged = (verdict: Verdict): Verdict => {
    record({ kind: "fix-judged", tool: fix.name, input, ...verdict });
    return verdict;
  };
  if (dispatch.is === "not-sent") return judged({ outcome: "failed", why: `nothing ran: ${dispatch.why}` });
  if (dispatch.is === "failed") return judged({ outcome: "failed", why: dispatch.said });
  const verdict = await verify({
    fix,
    input,
    before,
    dispatch,
    withinSeconds: plan.withinSeconds ?? fix.withinSeconds,
    stableSeconds: Math.min(fix.stableSeconds, limits.stable ?? Infinity),
    look,
    now,
    sleep,
    signal,
  });
  return judged(verdict);
}

async function send({ reach, tools, now }: ApplyParts, { host, fix, plan }: Intended): Promise<Dispatch> {
  const began = now();
  for (const [index, step] of plan.steps.entries()) {
    try {
      const result = await reach.run(host, step, howOf(fix));
      if (result.exit === 0) continue;
      const text = redactText(result.stderr.trim() || result.stdout.trim()).slice(-2000);
      const said = advised(tools, fix.name, text === "" ? `exit ${result.exit}` : text);
      return { is: "failed", step: index, exit: result.exit, said };
    } catch (error) {
      if (index === 0 && !wasDispatched(error)) return { is: "not-sent", why: messageOf(error) };
      return { is: "unknown", why: messageOf(error) };
    }
  }
  return { is: "done", seconds: (now() - began) / 1000 };
}

// No signal: a fix under way is never cut, it is waited for and judged.
function howOf({ name, timeoutSeconds }: Fix): { kind: "fix"; tool: string; commandSeconds?: number } {
  return { kind: "fix", tool: name, ...(timeoutSeconds === undefined ? {} : { commandSeconds: timeoutSeconds }) };
}

/** Only an error that says so itself never left; anything else may have run. */
function wasDispatched(error: unknown): boolean {
  return !(error instanceof Error && "dispatched" in error && error.dispatched === false);
}
