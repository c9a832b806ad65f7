// Medic whole but for the network and the host: intake, journal, desk and agent around the toy lamp. `serve` may be stopped
// at any event of an incident's story and started again on the same journal.
import { createRespond } from "../../core/agent/respond.ts";
import { createRunbookResponder } from "../../core/agent/runbook.ts";
import { createToolboxes } from "../../core/agent/toolbox.ts";
import { createApprovals } from "../../core/incident/approvals.ts";
import { createDesk, type Desk, type DeskParts } from "../../core/incident/desk.ts";
import { createIntake } from "../../core/incident/intake.ts";
import { createMemoryJournal } from "../../core/incident/journal.ts";
import { type NewEvent, unjudgedFix } from "../../core/incident/incident.ts";
import { targetFor, targetOf } from "../../core/incident/target.ts";
import { silent } from "../../core/log.ts";
import { toyAgent } from "../support/agent.ts";
import { alert, forever, settings } from "./world.ts";

/** `approvalSeconds`: how long a person has to answer. */
export function homelab(bend: Parameters<typeof toyAgent>[0] & { approvalSeconds?: number } = {}) {
  const agent = toyAgent(bend);
  const { clock, catalog, parts } = agent;
  const journal = createMemoryJournal({ now: clock.now });
  const known = {
    hosts: { "toy-host": { address: "192.0.2.1" } },
    healerOf: (host: string, service: string) => catalog.healerOf(host, service),
  };
  const intake = createIntake({
    journal,
    targetOf: (one) => targetOf(one, settings, known),
    targetFor: (host, service) => targetFor(host, service, known),
    limits: { quiet: 3600, clearWithin: 900, recurWithin: 3600 },
    now: clock.now,
    log: silent,
  });
  /** One life of `serve`: after so many events that it wrote itself, nothing it does reaches the journal any more. */
  const serve = (eventsMax = Infinity): { desk: Desk; end(): void } => {
    let left = eventsMax;
    const append = (events: readonly NewEvent[]) => {
      if (left < events.length) throw new Error("killed");
      left -= events.length;
      return journal.append(events);
    };
    let isEnded = false;
    const mortal: DeskParts["journal"] = {
      append,
      events: (id) => journal.events(id),
      incident: (id) => journal.incident(id),
      incidents: (wanted) => journal.incidents(wanted),
      subscribe: (listener) => journal.subscribe((event) => void (isEnded || listener(event))),
      trouble: () => journal.trouble(),
    };
    const runbooksFor = catalog.runbooksFor.bind(catalog);
    const respond = createRespond({
      responders: [createRunbookResponder(runbooksFor, (seconds, signal) => clock.sleep(seconds * 1000, signal))],
      toolboxFor: createToolboxes({
        ...parts,
        fixesSince: (host, of, since) => journal.fixesSince(host, of, since),
        unhelpedSince: (host, since) => journal.unhelpedSince(host, since),
      }),
      runbooksFor,
      leftFix: (id) => unjudgedFix(journal.events(id)),
      evidenceFor: catalog.evidenceFor.bind(catalog),
      record: (incident, event) => void append([{ ...event, incident }]),
      ...(bend.approvalSeconds === undefined ? {} : { approvalSeconds: bend.approvalSeconds }),
      sleep: clock.sleep,
      now: clock.now,
    });
    const limits = { incidents: 4, queue: 200, incident: 1800 };
    const desk = createDesk({
      journal: mortal,
      respond,
      heldFor: () => undefined,
      isAtHand: () => false,
      limits,
      log: silent,
      sleep: forever,
    });
    desk.resume();
    return { desk, end: () => void (isEnded = true) };
  };
  const approvals = createApprovals({ journal, now: clock.now, log: silent });
  return { ...agent, journal, intake, serve, approvals };
}

/** The lamp is out. */
export const dark = alert({ host: "toy-host", service: "lamp" });
