// What the events of an incident amount to: the pure function that replays them, one after the other. Knows no database and
// no clock; every time that counts stands in an event.
import type { Attempt } from "../plugin/contract.ts";
import { type Alert, holdOf, isFromPerson } from "./alert.ts";
import type { AlertCleared, IncidentEvent, IncidentRecord, JournalEvent, State } from "./incident.ts";

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
      return cleared(next, event.alert);
    case "reopened":
      return reopened(next, event);
    case "clearing-dropped":
      return withCleared(next, undefined);
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
    // A yes is for the way that led to it: whatever comes after an end is asked anew.
    case "resolved":
      return resolved(withoutAgreement(next), event);
    case "escalated":
      return { ...withoutAgreement(next), state: escalatedState(event), endedAt: event.at };
    case "dismissed":
      return { ...withoutAgreement(next), state: { is: "dismissed", reason: event.reason }, endedAt: event.at };
    default:
      return next;
  }
}

/** What comes late, after the end, is kept in the journal and changes no state: an incident is never revived by it. */
function working(record: IncidentRecord, state: State): IncidentRecord {
  return record.endedAt === undefined ? { ...record, state } : record;
}

type Of<K extends JournalEvent["kind"]> = Extract<JournalEvent, { kind: K }>;

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
    ...(event.onlyPlans === true ? { onlyPlans: true as const } : {}),
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

function resolved(record: IncidentRecord, { by, why, at }: Of<"resolved">): IncidentRecord {
  const next: IncidentRecord = { ...record, state: { is: "resolved", by, why }, endedAt: at };
  if (by === "monitor") return next;
  if (record.firing.length > 0) return withCleared(next, "waiting");
  return isFromPerson(record.alert) ? next : withCleared(next, "yes");
}

function cleared(record: IncidentRecord, { fingerprint }: Alert): IncidentRecord {
  const firing = record.firing.filter((one) => one !== fingerprint);
  const isWaiting = record.state.is === "resolved" && record.state.alertCleared === "waiting";
  const next = { ...record, firing };
  return isWaiting && firing.length === 0 ? withCleared(next, "yes") : next;
}

function withCleared(record: IncidentRecord, alertCleared: AlertCleared | undefined): IncidentRecord {
  if (record.state.is !== "resolved") return record;
  const { alertCleared: _before, ...state } = record.state;
  return { ...record, state: alertCleared === undefined ? state : { ...state, alertCleared } };
}

/** What would grow with each time a service comes back. */
const EARLIER_MAX = 20;

function reopened(record: IncidentRecord, { alert, at }: Of<"reopened">): IncidentRecord {
  const { endedAt: _ended, durationSeconds: _duration, agreed: _agreed, ...rest } = record;
  const earlier = [...(record.earlier ?? []), ...record.attempts].slice(-EARLIER_MAX);
  const next: IncidentRecord = {
    ...rest,
    ...(earlier.length === 0 ? {} : { earlier }),
    state: { is: "open" },
    attempts: [],
    reopenedAt: at,
  };
  if (alert === undefined) return next;
  const counted = withHoldOf({ ...next, alerts: record.alerts + 1, firing: joined(record, { alert }) }, alert);
  // A person's question tells nothing of what is wrong.
  return isFromPerson(alert) ? counted : { ...counted, alert };
}

function judged(record: IncidentRecord, event: Of<"fix-judged">): IncidentRecord {
  const { tool: fix, input, outcome, why, facts } = event;
  // An event of the first Medic has none.
  const attempt = { fix, input, outcome, why, ...(facts === undefined ? {} : { facts }) };
  const next = working(withAttempt(record, attempt), { is: "investigating" });
  // What was healthy for a moment and fell over again is no recovery.
  const isHealed = event.outcome === "fixed" || event.outcome === "recovered";
  if (event.firstHealthyAt === undefined || !isHealed) return next;
  return {
    ...next,
    durationSeconds: (Date.parse(event.firstHealthyAt) - Date.parse(record.reopenedAt ?? record.openedAt)) / 1000,
  };
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
