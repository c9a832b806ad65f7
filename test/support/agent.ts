// A whole agent around the toy host: real toolbox, real responders, real respond; only the host and the clock are toys.
import { createToolboxes, type Errand, type ToolboxParts } from "../../core/agent/toolbox.ts";
import { createCatalog } from "../../core/plugin/catalog.ts";
import { silent } from "../../core/log.ts";
import type { IncidentEvent, IncidentRecord } from "../../core/incident/incident.ts";
import type { Incident, Plugin } from "../../core/plugin/contract.ts";
import { fakeClock } from "./clock.ts";
import { ToyHost, toyPlugin } from "./toy.ts";

export const never = new AbortController().signal;

export function toyAgent(
  bend: {
    trust?: "observe" | "reversible" | "disruptive";
    protect?: string[];
    plugins?: Plugin[];
    lamps?: string[];
    enabled?: object;
  } = {},
) {
  const host = new ToyHost();
  const clock = fakeClock();
  const events: IncidentEvent[] = [];
  const catalog = createCatalog(bend.plugins ?? [toyPlugin], {
    "toy-host": { plugins: { toy: bend.lamps === undefined ? {} : { lamps: bend.lamps }, ...bend.enabled } },
  });
  const parts: ToolboxParts = {
    reach: host,
    tools: catalog,
    identities: { hostKey: () => undefined, pinned: () => undefined, recorded: () => undefined },
    ownership: () => ({ trust: bend.trust ?? "disruptive", protect: bend.protect ?? [] }),
    limits: {
      fixesPerService: 3,
      fixesPerHost: 6,
      fixesInAll: 20,
      fixWindow: 3600,
      breakerServices: 2,
      breakerWindow: 600,
      findingBytes: 65_536,
      incident: 600,
    },
    fixesSince: () => {
      const count = events.filter((event) => event.kind === "fix-started").length;
      return { service: count, host: count, all: count };
    },
    maintenanceOf: () => undefined,
    unhelpedSince: () => [],
    now: clock.now,
    sleep: clock.sleep,
    log: silent,
  };
  const toolboxFor = createToolboxes(parts);
  const errand: Errand = {
    key: "toy-host/toy:lamp",
    host: "toy-host",
    attempts: [],
    record: (event) => void events.push(event),
  };
  return { host, clock, events, catalog, parts, toolboxFor, errand };
}

export const toyIncident: Incident = {
  host: "toy-host",
  service: "lamp",
  alert: { name: "Dark", labels: {}, annotations: {}, startsAt: "2026-11-23T12:00:00Z" },
  attempts: [],
};

export const toyRecord: IncidentRecord = {
  id: "i1",
  key: "toy-host/toy:lamp",
  target: { host: "toy-host", plugin: "toy", service: "lamp" },
  alert: {
    source: "person",
    fingerprint: "f1",
    status: "firing",
    name: "Dark",
    labels: {},
    annotations: {},
    startsAt: "2026-11-23T12:00:00Z",
  },
  firing: ["f1"],
  alerts: 1,
  state: { is: "open" },
  attempts: [],
  openedAt: "2026-11-23T12:00:00Z",
  changedAt: "2026-11-23T12:00:00Z",
};

export function kinds(events: readonly IncidentEvent[]): string[] {
  return events.map((event) => event.kind);
}

/** The events as a journal would have them, all of this moment. */
export function timed({ events, clock }: ReturnType<typeof toyAgent>): (IncidentEvent & { at: string })[] {
  return events.map((event) => ({ ...event, at: new Date(clock.now()).toISOString() }));
}
