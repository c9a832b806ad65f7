// Maintenance windows: for how long nothing is changed on a host, or for one service of it. A person opens and ends them
// (events in the journal, so they survive a restart), or hosts.yaml repeats them; each has an end. A window concerns its
// own host and service and nothing else, and it only holds fixes back: alerts are taken, and resolved ones always count.
//
//   none ─(started)─▶ open ─(ended, or its time is over)─▶ none         started again: the new end counts
import type { Log } from "../log.ts";
import { matches } from "../plugin/contract.ts";
import type { IncidentRecord, Held } from "./incident.ts";
import type { MaintenanceEvent, Written } from "./house-event.ts";
import type { Journal } from "./journal.ts";
import { type Schedule, type Span, spanAfter, spanAt } from "./maintenance-schedule.ts";

/** A window for ever does not exist. */
export const WINDOW_SECONDS = { default: 3600, atLeast: 60, atMost: 7 * 86_400 } as const;

/** Who is meant: without a service the whole host. A service is a name and may have wildcards. */
export type Scope = { host: string; service?: string };

/** Times are ISO 8601, UTC. `by`: whose token, or hosts.yaml. */
export type MaintenanceWindow = Scope & { since: string; until: string; by: string; reason?: string };

export type MaintenanceParts = {
  journal: Pick<Journal, "note" | "maintenanceSince">;
  hosts(): readonly string[];
  /** What hosts.yaml repeats on a host. */
  schedules(host: string): readonly Schedule[];
  now(): number;
  log: Log;
};

export type Maintenance = {
  start(wanted: Scope & { forSeconds: number; by: string; reason?: string }): MaintenanceWindow | { refused: string };
  end(scope: Scope & { by: string }): MaintenanceWindow | { refused: string };
  /** Open now, and what hosts.yaml opens next. */
  list(): { windows: MaintenanceWindow[]; next: MaintenanceWindow[] };
  /** The window that is open for one of these services of a host, or for the host as a whole. */
  over(host: string, services: readonly string[]): MaintenanceWindow | undefined;
};

const BY_SETTINGS = "hosts.yaml";

export function createMaintenance(parts: MaintenanceParts): Maintenance {
  const { journal, hosts, schedules, now, log } = parts;
  const byPeople = (): MaintenanceWindow[] => {
    const at = now();
    const since = at - WINDOW_SECONDS.atMost * 1000;
    return openWindows(journal.maintenanceSince(since)).filter(({ until }) => Date.parse(until) > at);
  };
  const bySettings = (host: string, spanOf: typeof spanAt): MaintenanceWindow[] =>
    schedules(host).flatMap((schedule) => scheduled(host, schedule, spanOf(schedule, now())));
  return {
    start({ forSeconds, ...wanted }) {
      if (!hosts().includes(wanted.host)) return unknownHost(wanted.host);
      const at = now();
      const until = new Date(at + forSeconds * 1000).toISOString();
      journal.note({ kind: "maintenance-started", ...wanted, until });
      log.info("maintenance_started", { ...wanted, until });
      return { ...wanted, since: new Date(at).toISOString(), until };
    },
    end(scope) {
      const open = byPeople().find((window) => isSame(window, scope));
      if (open === undefined) return { refused: noneOpen(scope, bySettings(scope.host, spanAt)) };
      journal.note({ kind: "maintenance-ended", ...scope });
      log.info("maintenance_ended", scope);
      return { ...open, until: new Date(now()).toISOString() };
    },
    list: () => ({
      windows: [...byPeople(), ...hosts().flatMap((host) => bySettings(host, spanAt))],
      next: hosts().flatMap((host) => bySettings(host, spanAfter)),
    }),
    over: (host, services) =>
      [...byPeople(), ...bySettings(host, spanAt)].find((window) => window.host === host && covers(window, services)),
  };
}

/** Whether and why an incident is not worked on now. A person who asks is not kept waiting; no fix runs all the same. */
export function heldFor(record: IncidentRecord, over: Maintenance["over"]): Held | undefined {
  if (record.wantsHold !== undefined) return { why: record.wantsHold };
  const { host, service } = record.target;
  const window = host === undefined ? undefined : over(host, service === undefined ? [] : [service]);
  return window === undefined ? undefined : { why: windowInWords(window), until: window.until };
}

/** For refusals and stories. */
export function windowInWords({ host, service, until, by, reason }: MaintenanceWindow): string {
  const what = service === undefined ? `"${host}"` : `"${service}" on "${host}"`;
  return `maintenance of ${what} until ${until} (by ${by}${reason === undefined ? "" : `: ${reason}`})`;
}

/** The last word about each scope counts. */
function openWindows(events: readonly (MaintenanceEvent & Written)[]): MaintenanceWindow[] {
  const open: MaintenanceWindow[] = [];
  for (const event of events) {
    const known = open.findIndex((window) => isSame(window, event));
    const [before] = known < 0 ? [] : open.splice(known, 1);
    if (event.kind === "maintenance-ended") continue;
    const { host, service, until, by, reason, at } = event;
    // Prolonged while it was open, it began when it began.
    const since = before !== undefined && before.until > at ? before.since : at;
    const optional = { ...(service === undefined ? {} : { service }), ...(reason === undefined ? {} : { reason }) };
    open.push({ host, since, until, by, ...optional });
  }
  return open;
}

function scheduled(host: string, { service }: Schedule, span: Span | undefined): MaintenanceWindow[] {
  if (span === undefined) return [];
  const [since, until] = [new Date(span.sinceMs).toISOString(), new Date(span.untilMs).toISOString()];
  return [{ host, ...(service === undefined ? {} : { service }), since, until, by: BY_SETTINGS }];
}

function covers({ service }: MaintenanceWindow, services: readonly string[]): boolean {
  return service === undefined || services.some((name) => matches([service], name));
}

function isSame(one: Scope, other: Scope): boolean {
  return one.host === other.host && one.service === other.service;
}

function unknownHost(host: string): { refused: string } {
  return { refused: `Cannot start maintenance: hosts.yaml has no host "${host}". See medic hosts` };
}

function noneOpen(scope: Scope, repeated: readonly MaintenanceWindow[]): string {
  const what = scope.service === undefined ? `"${scope.host}"` : `"${scope.service}" on "${scope.host}"`;
  const why = repeated.some((window) => isSame(window, scope))
    ? "hosts.yaml repeats this one: change hosts.<host>.maintenance there"
    : "none is open by that name. See medic maintenance";
  return `Cannot end the maintenance of ${what}: ${why}`;
}
