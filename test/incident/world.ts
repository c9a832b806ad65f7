// An intake with a journal in memory and a clock that tests move, and the alerts they feed it.
import { createDesk, type DeskParts } from "../../core/incident/desk.ts";
import { createApprovals } from "../../core/incident/approvals.ts";
import { createIntake, type IntakeParts } from "../../core/incident/intake.ts";
import { createMemoryJournal, type Journal } from "../../core/incident/journal.ts";
import { createMaintenance, heldFor } from "../../core/incident/maintenance.ts";
import { targetFor, targetOf, type AlertSettings, type Known } from "../../core/incident/target.ts";
import type { Alert } from "../../core/incident/alert.ts";
import type { IncidentEvent } from "../../core/incident/incident.ts";
import { silent } from "../../core/log.ts";
import { fakeClock } from "../support/clock.ts";

export const known: Known = {
  hosts: { nexus: { address: "192.0.2.11" }, atlas: { address: "192.0.2.12" }, self: { address: "localhost" } },
  healerOf: (_host, service) => (service === "nobody" ? undefined : "docker"),
};

export const settings: AlertSettings = {
  host: ["host", "hostname", "instance"],
  service: ["service", "container", "name", "unit"],
  rules: [],
};

export function alert(bend: Partial<Alert> & { host?: string; service?: string } = {}): Alert {
  const { host = "nexus", service = "scrypted", ...rest } = bend;
  return {
    source: "alertmanager",
    fingerprint: `${host}-${service}`,
    status: "firing",
    name: "ServiceDown",
    labels: { alertname: "ServiceDown", host, service },
    annotations: {},
    startsAt: "2026-11-23T11:59:00.000Z",
    ...rest,
  };
}

export function world(bend: { journal?: Journal; parts?: Partial<IntakeParts>; settings?: AlertSettings } = {}) {
  const clock = fakeClock();
  const journal = bend.journal ?? createMemoryJournal({ now: clock.now });
  const intake = createIntake({
    journal,
    targetOf: (alert) => targetOf(alert, bend.settings ?? settings, known),
    targetFor: (host, service) => targetFor(host, service, known),
    limits: { quiet: 3600, clearWithin: 900, recurWithin: 3600 },
    now: clock.now,
    log: silent,
    ...bend.parts,
  });
  const maintenance = createMaintenance({
    journal,
    hosts: () => Object.keys(known.hosts),
    schedules: (host) => (host === "atlas" ? [{ cron: "0 3 * * 0", for: 7200, timezone: "UTC" }] : []),
    now: clock.now,
    log: silent,
  });
  /** Opens an incident and says its id. */
  const opened = async (one: Alert = alert()): Promise<string> => {
    const { incidents } = await intake.accept([one]);
    return incidents[0]?.id ?? "";
  };
  const record = (incident: string, ...events: IncidentEvent[]): void =>
    void journal.append(events.map((event) => ({ ...event, incident })));
  const desk = (
    respond: DeskParts["respond"],
    limits: Partial<DeskParts["limits"]> = {},
    isAtHand: DeskParts["isAtHand"] = () => false,
  ) =>
    createDesk({
      journal,
      respond,
      heldFor: (one) => heldFor(one, maintenance.over),
      isAtHand,
      limits: { incidents: 4, queue: 200, incident: 1800, ...limits },
      log: silent,
      sleep: forever,
    });
  const approvals = createApprovals({ journal, now: clock.now, log: silent });
  return { clock, journal, intake, maintenance, opened, record, desk, approvals };
}

/** Sleeps until aborted: time that no test waits for. */
export function forever(_milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(new Error("aborted"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}

export const facts = { began: "yes", changed: "yes", healthy: "yes" } as const;

export const fixStarted: Extract<IncidentEvent, { kind: "fix-started" }> = {
  kind: "fix-started",
  tool: "docker_restart",
  input: { name: "scrypted" },
  steps: [["root", "docker", "restart", "abc"]],
  touches: ["scrypted"],
  attempt: "0".repeat(32),
  place: `/tmp/medic-${"0".repeat(32)}`,
  identity: {},
  before: {},
  withinSeconds: 120,
  stableSeconds: 30,
};
