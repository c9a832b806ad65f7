// Composes the rooms into a Medic: each gets what it needs as arguments, and here is the only place that knows all of
// them. `composeHands` reaches hosts by hand (tool, dry runs); `composeMedic` adds the desk and all that decides.
import { setTimeout as delay } from "node:timers/promises";
import { type ByHand, runByHand } from "../agent/by-hand.ts";
import { createClaude } from "../agent/claude.ts";
import { createRespond, type Respond } from "../agent/respond.ts";
import type { Responder, Toolbox, ToolOutcome } from "../agent/responder.ts";
import { createRunbookResponder } from "../agent/runbook.ts";
import { createToolboxes, type Errand } from "../agent/toolbox.ts";
import type { Config } from "../config/schema.ts";
import { openByHand } from "../incident/by-hand.ts";
import { createDesk, type Desk } from "../incident/desk.ts";
import { createIntake, type Intake } from "../incident/intake.ts";
import type { Journal } from "../incident/journal.ts";
import { type Known, targetFor, targetOf } from "../incident/target.ts";
import type { Log } from "../log.ts";
import type { Incident } from "../plugin/contract.ts";
import type { Catalog } from "../plugin/catalog.ts";
import { createTransport, type Transport } from "../transport/pool.ts";

export type Parts = {
  config: Config;
  catalog: Catalog;
  journal: Journal;
  log: Log;
  /** The ssh-agent's socket, for hosts with `agent: true`. */
  agentSocket: string | undefined;
};

/** What reaches hosts at a person's word. */
export type Hands = {
  transport: Transport;
  toolboxFor(errand: Errand): Toolbox;
  runTool(call: ByHand, signal: AbortSignal): Promise<ToolOutcome>;
  known: Known;
};

/** What heals by itself. */
export type Medic = Hands & { desk: Desk; intake: Intake; respond: Respond };

const sleep = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
  await delay(milliseconds, undefined, { signal });
};

export function composeHands({ config, catalog, journal, log, agentSocket }: Parts): Hands {
  const transport = createTransport(config.hosts, { log, agentSocket });
  const toolboxFor = createToolboxes({
    reach: transport,
    tools: catalog,
    ownership: (host) => ({
      trust: config.hosts[host]?.trust ?? "observe",
      protect: config.hosts[host]?.protect ?? [],
    }),
    limits: config.limits,
    fixesSince: (host, of, sinceMs) => journal.fixesSince(host, of, sinceMs),
    now: Date.now,
    sleep,
    log,
  });
  const known: Known = { hosts: config.hosts, healerOf: (host, service) => catalog.healerOf(host, service) };
  return {
    transport,
    toolboxFor,
    known,
    runTool: (call, signal) =>
      runByHand(
        {
          tools: catalog,
          toolboxFor,
          evidenceFor: (incident, plugin) => catalog.evidenceFor(incident, plugin),
          open: (hand, plugin) => openByHand({ journal, now: Date.now }, hand, plugin),
          now: Date.now,
        },
        call,
        signal,
      ),
  };
}

/** `dryRun`: looks and plans, and runs no fix. */
export function composeMedic(parts: Parts, { dryRun = false }: { dryRun?: boolean } = {}): Medic {
  const { config, catalog, journal, log } = parts;
  const hands = composeHands(parts);
  const runbooksFor = (incident: Incident): ReturnType<Catalog["runbooksFor"]> => catalog.runbooksFor(incident);
  const respond = createRespond({
    responders: respondersOf(parts, runbooksFor),
    toolboxFor: hands.toolboxFor,
    runbooksFor,
    evidenceFor: (incident, plugin) => catalog.evidenceFor(incident, plugin),
    record: (incident, event) => void journal.append([{ ...event, incident }]),
    sleep,
    now: Date.now,
  });
  const desk = createDesk({
    journal,
    respond: (incident, signal) => respond(incident, signal, { dryRun }),
    limits: config.limits,
    log,
    sleep,
  });
  const intake = createIntake({
    journal,
    targetOf: (alert) => targetOf(alert, config.alerts, hands.known),
    targetFor: (host, service) => targetFor(host, service, hands.known),
    limits: config.limits,
    now: Date.now,
    log,
  });
  return { ...hands, desk, intake, respond };
}

/** In the owner's order. Without a key there is no Claude at all: no client is made, so no request can leave. */
function respondersOf(
  { config, log }: Parts,
  runbooksFor: (incident: Incident) => ReturnType<Catalog["runbooksFor"]>,
): Responder[] {
  const { responder } = config;
  return responder.order.flatMap((name) => {
    if (name === "runbook")
      return [createRunbookResponder(runbooksFor, (seconds, signal) => sleep(seconds * 1000, signal))];
    if (responder.apiKey === undefined) return [];
    return [
      createClaude({
        ...responder,
        apiKey: responder.apiKey,
        requestSeconds: responder.requestTimeout,
        guidance: (incident) => runbooksFor(incident).map(({ title, guidance }) => `${title}: ${guidance}`),
        log,
      }),
    ];
  });
}
