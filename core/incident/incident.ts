// One incident: its states, its events, and the pure function that turns events into a state. Knows no database, no
// clock and no model; the journal stores the events, the desk gives turns, the agent records what it did.
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
import type { Attempt, Command, FixOutcome, Risk } from "../plugin/contract.ts";
import { type Alert, holdOf, isFromPerson, type Target } from "./alert.ts";
import type { Dispatch, Facts, Intent, UnjudgedFix } from "./fix.ts";
import type { Written } from "./house-event.ts";
import type { ModelEvent } from "./model-event.ts";

export type State =
  | { is: "open"; held?: Held }
  | { is: "investigating" }
  | { is: "awaiting-approval"; fix: string; approval: string; expiresAt: string }
  | { is: "fixing"; fix: string }
  | { is: "verifying"; fix: string }
  | { is: "resolved"; by: ResolvedBy; why: string }
  | { is: "escalated"; reason: string; planned?: PlannedFix }
  | { is: "dismissed"; reason: string };

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
  /** `byHand`: a person runs one fix; nobody else is to work on it. */
  | { kind: "incident-opened"; key: string; target: Target; alert: Alert; byHand?: true }
  /** `stale`: the monitor repeats what was resolved a moment ago. */
  | { kind: "alert-folded"; alert: Alert; stale?: true }
  | { kind: "alert-resolved"; alert: Alert; allResolved: boolean }
  /** Nothing is done for it now: a maintenance window, or a label of the alert. */
  | ({ kind: "held" } & Held)
  /** It waits for its turn again. */
  | { kind: "released"; why: string }
  | { kind: "investigation-started"; resumed: boolean }
  | { kind: "evidence-gathered"; findings: readonly Asked[]; seconds: number }
  | { kind: "responder-started"; responder: string; detail?: string }
  | { kind: "diagnosed"; responder: string; findings: readonly Asked[]; seconds: number }
  | ModelEvent
  | { kind: "responder-finished"; responder: string; conclusion: string }
  | { kind: "fix-refused"; tool: string; input: object; why: string }
  /** In a dry run: what would have run, or what a person would have been asked for (`ask`). */
  | ({ kind: "fix-planned"; wouldBe: "allow" | "ask" } & PlannedFix)
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
  | { kind: "resolved"; by: ResolvedBy; why: string }
  | { kind: "escalated"; reason: string; planned?: PlannedFix }
  | { kind: "dismissed"; reason: string };

/** The last fix of an incident that has no verdict. */
export function unjudgedFix(events: readonly IncidentEvent[]): UnjudgedFix | undefined {
  const at = events.findLastIndex(({ kind }) => kind === "fix-started");
  const intent = events[at];
  if (intent?.kind !== "fix-started") return undefined;
  const since = events.slice(at);
  if (since.some(({ kind }) => kind === "fix-judged")) return undefined;
  const dispatched = since.find((event) => event.kind === "fix-dispatched");
  return dispatched === undefined ? { intent } : { intent, dispatch: dispatched.dispatch };
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
  /** The alert that opened it. */
  alert: Alert;
  /** Fingerprints that monitors report as firing; a person's request is not among them. */
  firing: readonly string[];
  alerts: number;
  state: State;
  attempts: readonly Attempt[];
  /** A person runs one fix; the desk leaves it alone. */
  byHand?: true;
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
  /** Alert accepted → first healthy answer after a fix; seconds, once known. */
  durationSeconds?: number;
};

/** Whether nothing more happens to it by itself. `escalated` waits for a person, and still folds its alerts. */
export function isOver(state: State): boolean {
  return state.is === "resolved" || state.is === "dismissed";
}

/** Whether Medic still has work to do on it. */
export function isActive(state: State): boolean {
  return !isOver(state) && !isWithPerson(state);
}

/** Whether it is a person's turn. */
export function isWithPerson({ is }: State): boolean {
  return is === "escalated" || is === "awaiting-approval";
}

/** How an incident ends that its monitor reports over; a question that still stood is taken back. */
export function resolvedByMonitor({ id: incident, state }: IncidentRecord, why: string): NewEvent[] {
  const end: NewEvent = { incident, kind: "resolved", by: "monitor", why };
  if (state.is !== "awaiting-approval") return [end];
  return [{ incident, kind: "approval-withdrawn", approval: state.approval, tool: state.fix, why }, end];
}

/** Replays one event. Pure; unknown kinds (a newer Medic's) leave the record as it is. */
export function reduce(record: IncidentRecord | undefined, event: JournalEvent): IncidentRecord {
  if (record === undefined) return opened(event);
  const next: IncidentRecord = { ...record, changedAt: event.at };
  switch (event.kind) {
    case "alert-folded":
      return {
        ...withHoldOf(next, event.alert),
        alerts: record.alerts + 1,
        firing: event.stale === true ? record.firing : joined(record, event),
      };
    case "alert-resolved":
      return { ...next, firing: record.firing.filter((fingerprint) => fingerprint !== event.alert.fingerprint) };
    case "held": {
      const { why, until } = event;
      return working(next, { is: "open", held: until === undefined ? { why } : { why, until } });
    }
    case "released":
      return working(next, { is: "open" });
    case "investigation-started":
      return working(next, { is: "investigating" });
    case "fix-planned":
      return { ...next, dryRun: true };
    case "approval-requested": {
      const { tool, approval, expiresAt } = event;
      const asked = { ...withoutAgreement(next), approvals: (record.approvals ?? 0) + 1 };
      return working(asked, { is: "awaiting-approval", fix: tool, approval, expiresAt });
    }
    case "approval-given": {
      const { approval, tool, input, digest, until } = event;
      return working({ ...next, agreed: { approval, tool, input, digest, until } }, { is: "open" });
    }
    case "approval-denied": {
      const why = `${event.by} said no to ${event.tool} in this incident`;
      return withAttempt({ ...next, refusal: why }, { fix: event.tool, input: event.input, outcome: "refused", why });
    }
    case "fix-started":
      return working(withoutAgreement(next), { is: "fixing", fix: event.tool });
    case "fix-dispatched":
      return working(next, { is: "verifying", fix: event.tool });
    case "fix-refused":
      return withAttempt(next, { fix: event.tool, input: event.input, outcome: "refused", why: event.why });
    case "fix-judged":
      return judged(next, event);
    case "resolved":
      return { ...next, state: { is: "resolved", by: event.by, why: event.why }, endedAt: event.at };
    case "escalated":
      return { ...next, state: escalatedState(event), endedAt: event.at };
    case "dismissed":
      return { ...next, state: { is: "dismissed", reason: event.reason }, endedAt: event.at };
    default:
      return next;
  }
}

/** What comes late, after the end, is kept in the journal and changes no state: an incident is never revived by it. */
function working(record: IncidentRecord, state: State): IncidentRecord {
  return record.endedAt === undefined ? { ...record, state } : record;
}

function opened(event: JournalEvent): IncidentRecord {
  if (event.kind !== "incident-opened") {
    throw new Error(
      `Cannot replay incident "${event.incident}": its first event is "${event.kind}", not "incident-opened"`,
    );
  }
  const record: IncidentRecord = {
    id: event.incident,
    key: event.key,
    target: event.target,
    alert: event.alert,
    firing: isFromPerson(event.alert) ? [] : [event.alert.fingerprint],
    alerts: 1,
    state: { is: "open" },
    attempts: [],
    ...(event.byHand === true ? { byHand: true as const } : {}),
    openedAt: event.at,
    changedAt: event.at,
  };
  return withHoldOf(record, event.alert);
}

/** What a person asks says nothing about the labels of the monitor's alerts. */
function withHoldOf(whole: IncidentRecord, alert: Alert): IncidentRecord {
  if (isFromPerson(alert)) return whole;
  const { wantsHold: _before, ...record } = whole;
  const wantsHold = holdOf(alert);
  return wantsHold === undefined ? record : { ...record, wantsHold };
}

function judged(record: IncidentRecord, event: Extract<JournalEvent, { kind: "fix-judged" }>): IncidentRecord {
  const attempt = { fix: event.tool, input: event.input, outcome: event.outcome, why: event.why };
  const next = working(withAttempt(record, attempt), { is: "investigating" });
  // What was healthy for a moment and fell over again is no recovery.
  const isHealed = event.outcome === "fixed" || event.outcome === "recovered";
  if (event.firstHealthyAt === undefined || !isHealed) return next;
  return { ...next, durationSeconds: (Date.parse(event.firstHealthyAt) - Date.parse(record.openedAt)) / 1000 };
}

function withoutAgreement({ agreed: _agreed, ...record }: IncidentRecord): IncidentRecord {
  return record;
}

function withAttempt(record: IncidentRecord, attempt: Attempt): IncidentRecord {
  return { ...record, attempts: [...record.attempts, attempt] };
}

function escalatedState(event: Extract<IncidentEvent, { kind: "escalated" }>): State {
  return event.planned === undefined
    ? { is: "escalated", reason: event.reason }
    : { is: "escalated", reason: event.reason, planned: event.planned };
}

/** A monitor whose fingerprints are never the same twice would have it grow for ever; it repeats what still fires. */
const FIRING_MAX = 100;

function joined(record: IncidentRecord, { alert }: { alert: Alert }): readonly string[] {
  return isFromPerson(alert) || record.firing.includes(alert.fingerprint)
    ? record.firing
    : [...record.firing, alert.fingerprint].slice(-FIRING_MAX);
}
