// One incident: its states and its events (reduce.ts makes the one of the other). Knows no database, no clock and no model;
// the journal stores the events, the desk gives turns, the agent records what it did.
//
//   open ─▶ investigating ─▶ fixing ─▶ verifying ─▶ resolved{by}
//   │  ▲         │  ▲                      │
//   └──┘ held    │  └──────────────────────┘            (not fixed: the responder decides again)
//                ├─▶ awaiting-approval ─▶ open           (a person agreed: it gets its turn again)
//                │           └─────────▶ escalated       (a person said no, or nothing in time)
//                ├─▶ resolved{by}                        (well again without us, or the alert was resolved)
//                ├─▶ escalated{reason} ─▶ resolved{by}   (the monitor says it is over)
//                │        └────────────▶ dismissed       (still firing when its quiet time is over: a new one opens)
//                └─▶ dismissed{reason}
//   resolved{by, alertCleared: waiting} ─▶ alertCleared: yes      (the monitor says so too)
//   resolved ─▶ open                                      (it fires anew soon after: the same story, its attempts `earlier`)
//   resolved{…waiting} ─▶ open ─▶ escalated               (limits.clearWithin is over, and the monitor still says it fires)
import type { Attempt, Command, Facts, FixOutcome, Risk } from "../plugin/contract.ts";
import type { Alert, Target } from "./alert.ts";
import type { Dispatch, Intent, UnjudgedFix } from "./fix.ts";
import type { Written } from "./house-event.ts";
import type { ModelEvent } from "./model-event.ts";

export type State =
  | { is: "open"; held?: Held }
  | { is: "investigating" }
  | { is: "awaiting-approval"; fix: string; approval: string; expiresAt: string }
  | { is: "fixing"; fix: string }
  | { is: "verifying"; fix: string }
  | { is: "resolved"; by: ResolvedBy; why: string; alertCleared?: AlertCleared }
  | { is: "escalated"; reason: string; planned?: PlannedFix }
  | { is: "dismissed"; reason: string };

/** Whether the monitor agrees that it is over; absent when that is its own word, or when no monitor spoke. */
export type AlertCleared = "waiting" | "yes";

/** Why an incident waits although it could be worked on; `until` when that has an end known beforehand (ISO 8601). */
export type Held = { why: string; until?: string };

/** `medic`: a fix of ours, proven. `itself`: found healthy, not by us. `monitor`: the alert was resolved. */
export type ResolvedBy = "medic" | "itself" | "monitor";

/** A fix that did not run. `asks`: policy would let it run if a person agreed, and this is why it does not without. */
export type PlannedFix = {
  tool: string;
  input: object;
  steps: readonly Command[];
  touches: readonly string[];
  risk: Risk;
  asks?: string;
};

/** As `Intent` has it, for a later process that looks what becomes of the service; absent in events of an older Medic. */
export type PlannedInDryRun = PlannedFix & {
  wouldBe: "allow" | "ask";
  before?: Readonly<Record<string, object>>;
  withinSeconds?: number;
};

/** What a person agreed to: it may run once, until then, if the plan is still the same. */
export type Agreement = { approval: string; tool: string; input: object; digest: string; until: string };

/** What became of a service without the fix that a dry run planned; `unseen`: nobody could look, so it says nothing. */
export type Observation = {
  tool: string;
  came: "recovered" | "not-recovered" | "unseen";
  why: string;
  /** From the plan on: until it was well, or until nobody looked any more. */
  seconds: number;
};

/** One diagnostic as it was asked and answered; `finding` is redacted and bounded. */
export type Asked = {
  tool: string;
  input: object;
  /** Wall time including waiting for the channel. */
  seconds: number;
} & ({ outcome: "found"; finding: object } | { outcome: "unavailable" | "refused"; why: string });

/** What happens to an incident, in the order in which it is written down. `at` and `incident` are the journal's. */
export type IncidentEvent =
  /** `byHand`: a person runs one fix; nobody else is to work on it. `onlyPlans`: a person asks what Medic would do. */
  | { kind: "incident-opened"; key: string; target: Target; alert: Alert; byHand?: true; onlyPlans?: true }
  /** `stale`: the monitor repeats what was resolved a moment ago. */
  | { kind: "alert-folded"; alert: Alert; stale?: true }
  | { kind: "alert-resolved"; alert: Alert; allResolved: boolean }
  /** Nothing is done for it now: a maintenance window, or a label of the alert. */
  | ({ kind: "held" } & Held)
  /** It waits for its turn again. */
  | { kind: "released"; why: string }
  /** It was resolved and goes on: it fires anew (`alert`), or its monitor never said that it is over. */
  | { kind: "reopened"; why: string; alert?: Alert }
  /** Nobody waits any more for the monitor to say that it is over. */
  | { kind: "clearing-dropped"; why: string }
  | { kind: "investigation-started"; resumed: boolean }
  | { kind: "evidence-gathered"; findings: readonly Asked[]; seconds: number }
  | { kind: "responder-started"; responder: string; detail?: string }
  | { kind: "diagnosed"; responder: string; findings: readonly Asked[]; seconds: number }
  | ModelEvent
  | { kind: "responder-finished"; responder: string; conclusion: string }
  | { kind: "fix-refused"; tool: string; input: object; why: string }
  /** In a dry run: what would have run, or what a person would have been asked for (`ask`). */
  | ({ kind: "fix-planned" } & PlannedInDryRun)
  /** In a dry run: what became of the service without the planned fix. */
  | ({ kind: "plan-observed" } & Observation)
  | ({
      kind: "approval-requested";
      approval: string;
      host: string;
      why: string;
      said?: string;
      evidence: readonly string[];
      digest: string;
      expiresAt: string;
    } & Omit<PlannedFix, "asks">)
  | ({ kind: "approval-given"; by: string } & Agreement)
  | { kind: "approval-denied"; approval: string; by: string; tool: string; input: object }
  | { kind: "approval-expired"; approval: string; tool: string }
  | { kind: "approval-withdrawn"; approval: string; tool: string; why: string }
  /** The service was changed by somebody else between the look and the dispatch. Nothing ran, and it is no attempt. */
  | { kind: "fix-overtaken"; tool: string; input: object; why: string }
  | ({ kind: "fix-started" } & Intent)
  | { kind: "fix-dispatched"; tool: string; dispatch: Dispatch }
  | {
      kind: "fix-judged";
      tool: string;
      input: object;
      outcome: FixOutcome;
      facts: Facts;
      why: string;
      marker?: string;
      /** When the service was first seen healthy after the fix; ISO 8601. */
      firstHealthyAt?: string;
    }
  /** `of`: the sequence of the change that was told. */
  | { kind: "notification-sent"; channel: string; of: number }
  | { kind: "notification-given-up"; channel: string; of: number; why: string }
  | { kind: "resolved"; by: ResolvedBy; why: string }
  | { kind: "escalated"; reason: string; planned?: PlannedFix }
  | { kind: "dismissed"; reason: string };

/** The last fix of an incident that has no verdict. */
export function unjudgedFix(events: readonly (IncidentEvent & Pick<Written, "at">)[]): UnjudgedFix | undefined {
  const at = events.findLastIndex(({ kind }) => kind === "fix-started");
  const intent = events[at];
  if (intent?.kind !== "fix-started") return undefined;
  const since = events.slice(at);
  if (since.some(({ kind }) => kind === "fix-judged")) return undefined;
  const dispatched = since.find((event) => event.kind === "fix-dispatched");
  const left = { intent, startedAtMs: Date.parse(intent.at) };
  return dispatched === undefined ? left : { ...left, dispatch: dispatched.dispatch };
}

/** An event to be written down: the incident it belongs to is the writer's to say. */
export type NewEvent = IncidentEvent & { incident: string };

/** An event of an incident as the journal keeps it. */
export type JournalEvent = NewEvent & Written;

/** An incident as its events tell it. */
export type IncidentRecord = {
  id: string;
  key: string;
  target: Target;
  /** The alert that opened it, or opened it again. */
  alert: Alert;
  /** Fingerprints that monitors report as firing; a person's request is not among them. */
  firing: readonly string[];
  alerts: number;
  state: State;
  /** Since it was opened, or opened again. */
  attempts: readonly Attempt[];
  /** Those from before it was opened again, the newest of them. */
  earlier?: readonly Attempt[];
  reopenedAt?: string;
  /** A person runs one fix; the desk leaves it alone. */
  byHand?: true;
  /** A person asked what Medic would do: no fix is ever run in it, no alert folds into it. */
  onlyPlans?: true;
  /** A fix was planned in a dry run, and nothing was run. */
  dryRun?: true;
  /** How often a person was asked. */
  approvals?: number;
  /** What a person agreed to and was not used yet. */
  agreed?: Agreement;
  /** A person said no: final for this incident. */
  refusal?: string;
  /** The monitor's newest alert has a label that asks for no fix: which one, in words. */
  wantsHold?: string;
  openedAt: string;
  changedAt: string;
  /** When it was resolved, escalated or dismissed; absent while Medic works on it. */
  endedAt?: string;
  /** Alert accepted (or accepted again) → first healthy answer after a fix; seconds, once known. */
  durationSeconds?: number;
};

/** Whether nothing more happens to it by itself. `escalated` waits for a person, and still folds its alerts. */
export function isOver(state: State): boolean {
  return state.is === "resolved" || state.is === "dismissed";
}

/** Whether it is over for the host, and its monitor has not said so yet. */
export function waitsForClearing({ state }: IncidentRecord): boolean {
  return state.is === "resolved" && state.alertCleared === "waiting";
}

/** Whether Medic still has work to do on it. */
export function isActive(state: State): boolean {
  return !isOver(state) && !isWithPerson(state);
}

/** Whether it is a person's turn. */
export function isWithPerson({ is }: State): boolean {
  return is === "escalated" || is === "awaiting-approval";
}

/** How an incident ends that its monitor reports over. */
export function resolvedByMonitor(record: IncidentRecord, why: string): NewEvent[] {
  return [...withdrawal(record, why), { incident: record.id, kind: "resolved", by: "monitor", why }];
}

/** How an incident ends that is no longer wanted. */
export function dismissal(record: IncidentRecord, reason: string): NewEvent[] {
  return [...withdrawal(record, reason), { incident: record.id, kind: "dismissed", reason }];
}

/** A question that still stands when its incident ends is taken back. */
function withdrawal({ id: incident, state }: IncidentRecord, why: string): NewEvent[] {
  if (state.is !== "awaiting-approval") return [];
  return [{ incident, kind: "approval-withdrawn", approval: state.approval, tool: state.fix, why }];
}
