// Composes the rooms into a Medic: each gets what it needs as arguments, and here is the only place that knows all of
// them. `composeHands` reaches hosts by hand (tool, dry runs); `composeMedic` adds the desk and all that decides.
import { setTimeout as delay } from "node:timers/promises";
import { type ByHand, runByHand } from "../agent/by-hand.ts";
import { createClaude } from "../agent/claude.ts";
import { createObserver, type Observer } from "../agent/observer.ts";
import { createRespond, type How, type Respond } from "../agent/respond.ts";
import { createFixTurns } from "../agent/fix-turns.ts";
import { ModelBreaker } from "../agent/model-breaker.ts";
import type { Responder, Toolbox, ToolOutcome } from "../agent/responder.ts";
import { createRunbookResponder } from "../agent/runbook.ts";
import { createToolboxes, type Errand } from "../agent/toolbox.ts";
import type { Config } from "../config/schema.ts";
import { openByHand } from "../incident/by-hand.ts";
import { createClearing } from "../incident/clearing.ts";
import { createDesk, type Desk } from "../incident/desk.ts";
import { unjudgedFix } from "../incident/incident.ts";
import { createIntake, type Intake } from "../incident/intake.ts";
import type { Journal } from "../incident/journal.ts";
import { heldFor, type Maintenance, windowInWords } from "../incident/maintenance.ts";
import { leftPlans, writeObservation } from "../incident/observation.ts";
import { type Known, targetFor, targetOf } from "../incident/target.ts";
import type { Log } from "../log.ts";
import type { Incident } from "../plugin/contract.ts";
import type { Catalog } from "../plugin/catalog.ts";
import { maintenanceOf } from "./maintenance.ts";
import { type Changed, createTransport, type Transport } from "../transport/pool.ts";

/** What hosts.yaml and the plugins say; exchanged as a whole. */
export type Settings = { config: Config; catalog: Catalog };

export type Parts = Settings & {
  journal: Journal;
  log: Log;
  /** The ssh-agent's socket, for hosts with `agent: true`. */
  agentSocket: string | undefined;
  /** What carries commands to the hosts; connections when absent. */
  carry?: typeof createTransport;
};

/** What reaches hosts at a person's word. */
export type Hands = {
  transport: Transport;
  toolboxFor(errand: Errand): Toolbox;
  runTool(call: ByHand, signal: AbortSignal): Promise<ToolOutcome>;
  /** Whether `runTool` is at work in this incident. */
  isAtHand(incident: string): boolean;
  known: Known;
  maintenance: Maintenance;
  /** The settings that count now. What is at work keeps those it began with. */
  settings(): Settings;
  /** Other settings, from the next incident on; answers with the hosts that are reached anew. */
  take(settings: Settings): Changed;
};

/** What heals by itself. */
export type Medic = Hands & {
  desk: Desk;
  intake: Intake;
  respond: Respond;
  /** What becomes of what a dry run planned. */
  observer: Observer;
  /** Goes on looking at what dry runs of an earlier process planned; call it once. */
  observeLeft(): void;
  /** Looks whether monitors agree with what hosts showed; call it now and then. */
  awaitClearing(): void;
};

/** Rejects when the signal aborts. */
export const sleep = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
  await delay(milliseconds, undefined, { signal });
};

/** `dryRun`: no fix is run, also not at a person's word. */
export function composeHands(parts: Parts, { dryRun = false }: { dryRun?: boolean } = {}): Hands {
  const { journal, log, agentSocket, carry = createTransport } = parts;
  let settings: Settings = { config: parts.config, catalog: parts.catalog };
  const transport = carry(settings.config.hosts, { log, agentSocket });
  const inTurn = createFixTurns();
  const maintenance = maintenanceOf(() => settings.config, journal, log);
  const toolboxFor = (errand: Errand): Toolbox => {
    const { config, catalog } = settings;
    const toolboxes = createToolboxes(
      {
        reach: transport,
        tools: catalog,
        ownership: (host) => ({
          trust: config.hosts[host]?.trust ?? "observe",
          protect: config.hosts[host]?.protect ?? [],
        }),
        limits: config.limits,
        maintenanceOf(host, services) {
          const window = maintenance.over(host, services);
          return window === undefined ? undefined : windowInWords(window);
        },
        identities: {
          hostKey: (host) => transport.statistics().find((one) => one.host === host)?.hostKey,
          pinned: (host) => config.hosts[host]?.hostKey,
          recorded: (host) => journal.identityOf(host),
        },
        unhelpedSince: (host, sinceMs) => journal.unhelpedSince(host, sinceMs),
        fixesSince: (host, of, sinceMs) => journal.fixesSince(host, of, sinceMs),
        now: Date.now,
        sleep,
        log,
      },
      inTurn,
    );
    return toolboxes(dryRun ? { ...errand, dryRun } : errand);
  };
  const atHand = new Set<string>();
  return {
    transport,
    toolboxFor,
    maintenance,
    known: {
      get hosts() {
        return settings.config.hosts;
      },
      healerOf: (host, service) => settings.catalog.healerOf(host, service),
    },
    async runTool(call, signal) {
      const { catalog } = settings;
      const evidenceFor: Catalog["evidenceFor"] = (incident, plugin) => catalog.evidenceFor(incident, plugin);
      const opened: string[] = [];
      const open = (hand: Parameters<typeof openByHand>[1], plugin: string): ReturnType<typeof openByHand> => {
        const begun = openByHand({ journal, now: Date.now }, hand, plugin);
        atHand.add(begun.incident);
        opened.push(begun.incident);
        return begun;
      };
      try {
        return await runByHand({ tools: catalog, toolboxFor, evidenceFor, open, now: Date.now }, call, signal);
      } finally {
        for (const incident of opened) atHand.delete(incident);
      }
    },
    isAtHand: (incident) => atHand.has(incident),
    settings: () => settings,
    take(next) {
      const changed = transport.reconfigure(next.config.hosts);
      settings = { config: next.config, catalog: next.catalog };
      return changed;
    },
  };
}

/**
 * `dryRun`: looks and plans, and runs no fix; `observes`: and looks what becomes of the service without it. `asks`: there
 * is a way for a person to answer.
 */
export function composeMedic(
  parts: Parts,
  { dryRun = false, observes = false, asks = false }: { dryRun?: boolean; observes?: boolean; asks?: boolean } = {},
): Medic {
  const { journal, log } = parts;
  const hands = composeHands(parts, { dryRun });
  const observer = createObserver({
    stableMax: () => hands.settings().config.limits.stable ?? Infinity,
    record: (incident, observation) => writeObservation(journal, incident, observation),
    now: Date.now,
    sleep,
    log,
  });
  const how: How = observes ? { dryRun, observe: observer.observe } : { dryRun };
  const modelBreaker = new ModelBreaker(Date.now);
  /** Made for one incident, which ends with the settings it began with. */
  const respond: Respond = (incident, signal, asked) => {
    const { config, catalog } = hands.settings();
    const runbooksFor = (one: Incident): ReturnType<Catalog["runbooksFor"]> => catalog.runbooksFor(one);
    const work = createRespond({
      responders: respondersOf(config, log, modelBreaker, catalog),
      toolboxFor: hands.toolboxFor,
      runbooksFor,
      evidenceFor: (one, plugin) => catalog.evidenceFor(one, plugin),
      ...(asks ? { approvalSeconds: config.approvals.within } : {}),
      leftFix: (id) => unjudgedFix(journal.events(id)),
      record: (id, event) => void journal.append([{ ...event, incident: id }]),
      sleep,
      now: Date.now,
    });
    return work(incident, signal, asked);
  };
  const desk = createDesk({
    journal,
    respond: (incident, signal) => respond(incident, signal, how),
    heldFor: (incident) => heldFor(incident, hands.maintenance.over),
    isAtHand: hands.isAtHand,
    get limits() {
      return hands.settings().config.limits;
    },
    log,
    sleep,
  });
  const intake = createIntake({
    journal,
    targetOf: (alert) => targetOf(alert, hands.settings().config.alerts, hands.known),
    targetFor: (host, service) => targetFor(host, service, hands.known),
    get limits() {
      return hands.settings().config.limits;
    },
    now: Date.now,
    log,
  });
  const awaitClearing = createClearing({
    journal,
    get limits() {
      return hands.settings().config.limits;
    },
    now: Date.now,
  });
  const observeLeft = (): void => {
    for (const left of leftPlans(journal)) {
      const { incident, key, host, planned } = left;
      const unfixed = hands.toolboxFor({ key, host, attempts: [], record: () => undefined }).unfixed(left);
      if (!("refused" in unfixed)) observer.observe(incident, unfixed);
      else
        writeObservation(journal, incident, { tool: planned.tool, came: "unseen", why: unfixed.refused, seconds: 0 });
    }
  };
  return { ...hands, desk, intake, respond, observer, observeLeft, awaitClearing };
}

/** In the owner's order. Without a key there is no Claude at all: no client is made, so no request can leave. */
function respondersOf(
  config: Config,
  log: Log,
  breaker: ModelBreaker,
  catalog: Pick<Catalog, "runbooksFor" | "guidanceFor">,
): Responder[] {
  const { responder } = config;
  return responder.order.flatMap((name) => {
    if (name === "runbook")
      return [
        createRunbookResponder(
          (one) => catalog.runbooksFor(one),
          (seconds, signal) => sleep(seconds * 1000, signal),
        ),
      ];
    if (responder.apiKey === undefined) return [];
    return [
      createClaude({
        ...responder,
        apiKey: responder.apiKey,
        requestSeconds: responder.requestTimeout,
        breaker,
        guidance: (incident) => catalog.guidanceFor(incident),
        log,
      }),
    ];
  });
}
