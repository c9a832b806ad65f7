// Takes alerts in: which incident each belongs to, and everything on disk before anybody is told that it was taken. The
// alerts that arrive in one turn of the event loop share one commit, since an fsync on an SD card is slow and blocks.
// It refuses to know how alerts arrive (http does) and who works on them (the desk does).
//
//   firing:   live incident → folded | escalated and past its quiet time → dismissed, a new one opens
//             repeats what was resolved a moment ago → folded as stale | anew soon after it was resolved → reopened
//             else → opened (unclear: escalated at once)
//   firing under another key than before, since hosts.yaml was changed → the incident of the old key is dismissed
//   resolved: live incident (also one of an old key) → noted; none fires any more and nobody works on it → resolved{by: monitor}
import { randomInt } from "node:crypto";
import type { Log } from "../log.ts";
import { redactText, redactValue } from "../secrets/redact.ts";
import { type Alert, incidentKey, isFromPerson, keyOf, type Target, withoutSecrets } from "./alert.ts";
import {
  dismissal,
  type IncidentEvent,
  type IncidentRecord,
  isWithPerson,
  type NewEvent,
  resolvedByMonitor,
  type State,
  waitsForClearing,
} from "./incident.ts";
import type { Journal } from "./journal.ts";

export type IntakeParts = {
  journal: Pick<
    Journal,
    "append" | "atomically" | "events" | "findLast" | "findLive" | "holding" | "incident" | "incidents"
  >;
  targetOf(alert: Alert): Target | "ignored";
  /** For what a person names. */
  targetFor(host: string, service: string | undefined): Target;
  limits: {
    /** Seconds for which an escalated incident folds its alerts. */
    quiet: number;
    /** Seconds for which the monitor may take to say that it is over too; 0: nobody waits for that. */
    clearWithin: number;
    /** Seconds after its end for which an incident that fires anew is the same one; 0: always another one. */
    recurWithin: number;
  };
  now(): number;
  log: Log;
};

/** An incident that alerts went to, and how it stood then. */
export type Taken = { id: string; key: string; state: State["is"] };

/** `ignored`: dropped by a rule of the owner's. */
export type Accepted = { accepted: number; ignored: number; incidents: Taken[] };

export type Intake = {
  /** Resolves once all of them are durable; rejects with JournalError when none is. */
  accept(alerts: readonly Alert[]): Promise<Accepted>;
  /**
   * A person asks; past an escalation's quiet time or not. Refuses what is not in hosts.yaml. `onlyPlans`: no fix is run,
   * in an incident of its own, since alerts that come meanwhile are for one in which it may.
   */
  investigate(host: string, service: string | undefined, onlyPlans?: boolean): Promise<Taken | { refused: string }>;
};

/** How long after its end an incident takes repeats of its alerts for the monitor being late. */
const STALE_WITHIN_SECONDS = 300;
/** A story that never ended would be too long to read, and could never be removed. */
const STORY_SECONDS_MAX = 86_400;

export function createIntake(parts: IntakeParts): Intake {
  const commit = groupCommit(parts.journal);
  return {
    accept: (alerts) => commit(() => takeAll(parts, alerts)),
    async investigate(host, service, onlyPlans = false) {
      // It would be in the incident's key, and so everywhere.
      if (service !== undefined && redactText(service) !== service) {
        return { refused: "Cannot investigate: what stands in the service's place looks like a secret" };
      }
      const target = parts.targetFor(host, service);
      if ("unclear" in target) return { refused: `Cannot investigate: ${target.unclear}` };
      const alert = requestOf(target, parts.now());
      const key = incidentKey(target);
      return commit(() =>
        taken(parts, onlyPlans ? openDry(parts, key, target, alert) : fire(parts, key, target, alert)),
      );
    },
  };
}

/** Steps that come in one turn of the event loop become durable together, or fail together. */
function groupCommit(journal: Pick<Journal, "atomically">): <T>(step: () => T) => Promise<T> {
  type Waiting = { run(): () => void; fail(error: unknown): void };
  let waiting: Waiting[] = [];
  const flush = (): void => {
    const group = waiting;
    waiting = [];
    try {
      const answers = journal.atomically(() => group.map((one) => one.run()));
      for (const answer of answers) answer();
    } catch (error) {
      for (const one of group) one.fail(error);
    }
  };
  return (step) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({
        run: () => {
          const result = step();
          return () => resolve(result);
        },
        fail: reject,
      });
    });
}

function takeAll(parts: IntakeParts, alerts: readonly Alert[]): Accepted {
  const ids = new Set<string>();
  let ignored = 0;
  for (const said of alerts) {
    const target = clean(parts.targetOf(said));
    const alert = withoutSecrets(said);
    if (target === "ignored") {
      ignored++;
      parts.log.info("alert_ignored", { alert: alert.name, fingerprint: alert.fingerprint });
      continue;
    }
    const key = keyOf(alert, target);
    const id = alert.status === "firing" ? fire(parts, key, target, alert) : resolve(parts, key, alert);
    if (id !== undefined) ids.add(id);
  }
  return { accepted: alerts.length - ignored, ignored, incidents: [...ids].map((id) => taken(parts, id)) };
}

/** Where it points is looked up by what the monitor said; why it points nowhere quotes that. */
function clean(target: Target | "ignored"): Target | "ignored" {
  return target !== "ignored" && "unclear" in target ? (redactValue(target) as Target) : target;
}

function fire(parts: IntakeParts, key: string, target: Target, alert: Alert): string {
  const { journal } = parts;
  const live = journal.findLive(key);
  if (live?.firing.includes(alert.fingerprint) !== true) leaveOld(parts, key, alert);
  if (live !== undefined && !isPastQuiet(parts, live, alert)) return note(parts, live, { kind: "alert-folded", alert });
  if (live !== undefined) {
    note(parts, live, { kind: "dismissed", reason: "taken up again in a new incident" });
    return open(parts, key, target, alert);
  }
  const last = journal.findLast(key);
  if (last !== undefined && isStale(parts, last, alert)) {
    return note(parts, last, { kind: "alert-folded", alert, stale: true });
  }
  if (last !== undefined && isSameStory(parts, last, alert)) {
    const why = isFromPerson(alert) ? "a person asked, and its alert still fires" : `it fires again: "${alert.name}"`;
    return note(parts, last, { kind: "reopened", why, alert });
  }
  if (last !== undefined && waitsForClearing(last)) {
    note(parts, last, { kind: "clearing-dropped", why: "a new incident was opened for it" });
  }
  return open(parts, key, target, alert);
}

/** What was healed and fails again: whoever decides has to see what was tried. A person who asks begins anew. */
function isSameStory(parts: IntakeParts, last: IncidentRecord, alert: Alert): boolean {
  if (last.state.is !== "resolved" || last.byHand === true || "unclear" in last.target) return false;
  if (isAwaited(parts, last)) return true;
  const { recurWithin } = parts.limits;
  const isYoung = (parts.now() - Date.parse(last.openedAt)) / 1000 <= STORY_SECONDS_MAX;
  return !isFromPerson(alert) && isYoung && recurWithin > 0 && secondsSinceEnd(parts, last) <= recurWithin;
}

/** Its end is not agreed on yet: the monitor may still say that it is over. */
function isAwaited(parts: IntakeParts, last: IncidentRecord): boolean {
  const { clearWithin } = parts.limits;
  return clearWithin > 0 && waitsForClearing(last) && secondsSinceEnd(parts, last) <= clearWithin;
}

/** A person who asks need not wait for the quiet time: asking is what ends it. */
function isPastQuiet(parts: IntakeParts, live: IncidentRecord, alert: Alert): boolean {
  if (live.state.is !== "escalated") return false;
  return alert.source === "person" || secondsSinceEnd(parts, live) > parts.limits.quiet;
}

/** The very alert that was there before: a new beginning is a new failure, however soon. */
function isStale(parts: IntakeParts, last: IncidentRecord, alert: Alert): boolean {
  if (last.state.is !== "resolved") return false;
  if (secondsSinceEnd(parts, last) > STALE_WITHIN_SECONDS && !isAwaited(parts, last)) return false;
  return alertsOf(parts, last).some(
    ({ fingerprint, startsAt }) => fingerprint === alert.fingerprint && startsAt === alert.startsAt,
  );
}

/** Those that fired, oldest first. */
function alertsOf({ journal }: IntakeParts, { id }: IncidentRecord): Alert[] {
  return journal.events(id).flatMap((event) => {
    const isFiring = event.kind === "incident-opened" || event.kind === "alert-folded" || event.kind === "reopened";
    return isFiring && event.alert !== undefined ? [event.alert] : [];
  });
}

/** Incidents that this alert went to before hosts.yaml was changed; under their keys nothing would ever reach them again. */
function findOld(parts: IntakeParts, key: string, alert: Alert): IncidentRecord[] {
  if (isFromPerson(alert)) return [];
  return parts.journal
    .holding(alert.fingerprint)
    .filter((one) => one.key !== key && one.alert.source === alert.source && hasMoved(parts, one, alert.fingerprint));
}

/** By its newest alert of this fingerprint: two services that share one by mistake are left apart. */
function hasMoved(parts: IntakeParts, record: IncidentRecord, fingerprint: string): boolean {
  const last = alertsOf(parts, record).findLast((alert) => alert.fingerprint === fingerprint);
  if (last === undefined) return false;
  const target = clean(parts.targetOf(last));
  return target === "ignored" || keyOf(last, target) !== record.key;
}

function leaveOld(parts: IntakeParts, key: string, alert: Alert): void {
  const why = `its alerts now go to ${key}`;
  for (const old of findOld(parts, key, alert)) {
    if (!old.firing.every((one) => hasMoved(parts, old, one))) continue;
    if (waitsForClearing(old)) note(parts, old, { kind: "clearing-dropped", why });
    else if (isIdle(old)) parts.journal.append(dismissal(old, why));
  }
}

function open(parts: IntakeParts, key: string, target: Target, alert: Alert): string {
  const id = newIncidentId(parts);
  const events: NewEvent[] = [{ incident: id, kind: "incident-opened", key, target, alert }];
  if ("unclear" in target) events.push({ incident: id, kind: "escalated", reason: target.unclear });
  parts.journal.append(events);
  return id;
}

/** Whoever asks again while it is looked into gets that answer; else asking would fill the queue that alerts wait in. */
function openDry(parts: IntakeParts, of: string, target: Target, alert: Alert): string {
  const active = parts.journal.incidents({ states: ["open", "investigating"] });
  const same = active.find((one) => one.onlyPlans === true && incidentKey(one.target) === of);
  if (same !== undefined) return note(parts, same, { kind: "alert-folded", alert });
  const incident = newIncidentId(parts);
  const key = `${of}/dry-run/${incident}`;
  parts.journal.append([{ incident, kind: "incident-opened", key, target, alert, onlyPlans: true }]);
  return incident;
}

function resolve(parts: IntakeParts, key: string, alert: Alert): string | undefined {
  const known = parts.journal.findLive(key);
  const live =
    known?.firing.includes(alert.fingerprint) === true ? known : (findOld(parts, key, alert).at(-1) ?? known);
  if (live === undefined) return resolveLate(parts, key, alert);
  const isLast = live.firing.every((fingerprint) => fingerprint === alert.fingerprint);
  note(parts, live, { kind: "alert-resolved", alert, allResolved: isLast });
  if (isLast && isIdle(live)) {
    parts.journal.append(resolvedByMonitor(live, `the monitor reports "${alert.name}" resolved`));
  }
  return live.id;
}

/** The monitor agrees with what is over already: noted once, so the story shows when. */
function resolveLate(parts: IntakeParts, key: string, alert: Alert): string | undefined {
  const last = parts.journal.findLast(key);
  if (last === undefined || !last.firing.includes(alert.fingerprint)) {
    parts.log.debug("alert_resolved_unknown", { key, alert: alert.name });
    return undefined;
  }
  return note(parts, last, { kind: "alert-resolved", alert, allResolved: last.firing.length === 1 });
}

/** Nobody is at work on it. Whoever is goes on, and resolves it by what the host shows. */
function isIdle({ state }: IncidentRecord): boolean {
  return state.is === "open" || isWithPerson(state);
}

function note(parts: IntakeParts, { id }: IncidentRecord, event: IncidentEvent): string {
  parts.journal.append([{ ...event, incident: id }]);
  return id;
}

function taken({ journal }: IntakeParts, id: string): Taken {
  const { key, state } = journal.incident(id) as IncidentRecord;
  return { id, key, state: state.is };
}

function secondsSinceEnd({ now }: IntakeParts, { endedAt, changedAt }: IncidentRecord): number {
  return (now() - Date.parse(endedAt ?? changedAt)) / 1000;
}

function requestOf(target: { host: string; service?: string | undefined }, at: number): Alert {
  const { host, service } = target;
  return {
    source: "person",
    fingerprint: `person:${host}/${service ?? "-"}`,
    status: "firing",
    name: "asked by a person",
    labels: { host, ...(service === undefined ? {} : { service }) },
    annotations: {},
    startsAt: new Date(at).toISOString(),
  };
}

// No vowels, no look-alikes: it is read aloud and typed.
const LETTERS = "23456789bcdfghjkmnpqrstvwxz";

/** `20261123-2313-k3f2mq`: sorts by time, and names no incident of another data folder. */
export function newIncidentId(parts: { journal: Pick<Journal, "incident">; now(): number }): string {
  const digits = new Date(parts.now()).toISOString().replace(/\D/g, "");
  const random = Array.from({ length: 6 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  const id = `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${random}`;
  return parts.journal.incident(id) === undefined ? id : newIncidentId(parts);
}
