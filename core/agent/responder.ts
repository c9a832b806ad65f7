// What a responder is, and what it may hold: the incident, the toolbox, a way to write down what it says. `runbook.ts`
// and `claude.ts` implement it; `respond.ts` asks them in the owner's order.
import type { EndedFix } from "../incident/ending.ts";
import type { UnjudgedFix } from "../incident/fix.ts";
import type { Asked, IncidentEvent, PlannedFix } from "../incident/incident.ts";
import type { Unfixed } from "./verification.ts";
import type { LeftPlan } from "../incident/observation.ts";
import type { Calls, Diagnostic, Facts, Fix, FixOutcome, Incident, Refusal, Seen } from "../plugin/contract.ts";

/** One tool call as a responder asks for it; the input is checked by the toolbox. */
export type ToolCall = { tool: string; input: unknown };

/**
 * What became of a tool call. `text` of `why` is for people and models; a refusal is final for whoever asked, except for
 * one that says `lookAgain`: the service was changed by somebody else just before.
 */
export type ToolOutcome =
  | (Asked & { kind: "diagnostic" })
  | {
      kind: "fix";
      tool: string;
      input: object;
      outcome: FixOutcome;
      why: string;
      /** Of a fix that passed its gates. */
      facts?: Facts;
      planned?: PlannedFix;
      lookAgain?: true;
    };

export type { EndedFix };

/** A tool that this incident may use, with the options its host gives it. */
export type OfferedTool = { tool: Diagnostic | Fix; plugin: string; /** JSON Schema of the input. */ schema: object };

/** The only door to a host during an incident. */
export interface Toolbox {
  /** Sorted by name, so that a prompt made of it is stable. */
  readonly tools: readonly OfferedTool[];
  /** One turn: all diagnostics in parallel, then the fixes one at a time. Answers stand in the order of the calls; never throws for a call. */
  turn(calls: readonly ToolCall[], signal: AbortSignal): Promise<ToolOutcome[]>;
  /** Follows a fix that another process left to its verdict; never runs a step. Throws only when aborted. */
  takeUp(left: UnjudgedFix, signal: AbortSignal): Promise<EndedFix>;
  /** What a dry run of an earlier process planned, to be looked at on; or why that cannot be. */
  unfixed(left: Pick<LeftPlan, "planned" | "plannedAtMs">): Unfixed | Refusal;
  /** One round of a runbook's inquiry. */
  ask<C extends Calls>(calls: C, signal: AbortSignal): Promise<Seen<C>>;
  /** Fixes that ran or were refused in this incident, oldest first. */
  readonly attempts: Incident["attempts"];
}

/** What a responder came to. Only the host's own answers resolve an incident, so `settled` is a claim that respond.ts proves. */
export type Conclusion =
  /** `seen`: concluded by a runbook from what the host answered just now, so there is nothing left to prove. */
  | { is: "well"; why: string; seen?: true }
  | { is: "escalate"; reason: string; planned?: PlannedFix }
  /** Nothing here fits, or it could not be reached: the next responder's turn. */
  | { is: "unsettled"; reason: string };

export interface Responder {
  readonly name: string;
  work(incident: Incident, tools: Toolbox, briefing: Briefing): Promise<Conclusion>;
}

/** What the responder gets beside the tools. */
export type Briefing = {
  /** The evidence gathered before anything else. */
  evidence: readonly Asked[];
  /** Writes to the journal, durably, before it returns. */
  record(event: IncidentEvent): void;
  signal: AbortSignal;
};
