// Medic whole but for the network and the host: intake, journal, desk and agent around the toy lamp, stopped at every
// event of an incident's story and started again on the same journal.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRespond } from "../../core/agent/respond.ts";
import { createRunbookResponder } from "../../core/agent/runbook.ts";
import { createToolboxes } from "../../core/agent/toolbox.ts";
import { createDesk, type Desk } from "../../core/incident/desk.ts";
import { createIntake } from "../../core/incident/intake.ts";
import { createMemoryJournal, type Journal } from "../../core/incident/journal.ts";
import type { NewEvent } from "../../core/incident/incident.ts";
import { targetFor, targetOf } from "../../core/incident/target.ts";
import { silent } from "../../core/log.ts";
import { toyAgent } from "../support/agent.ts";
import { alert, forever, settings } from "./world.ts";

function homelab() {
  const agent = toyAgent();
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
    limits: { quiet: 3600 },
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
    const mortal: Pick<Journal, "append" | "events" | "incident" | "incidents" | "subscribe"> = {
      append,
      events: (id) => journal.events(id),
      incident: (id) => journal.incident(id),
      incidents: (wanted) => journal.incidents(wanted),
      subscribe: (listener) => journal.subscribe((event) => void (isEnded || listener(event))),
    };
    const runbooksFor = catalog.runbooksFor.bind(catalog);
    const respond = createRespond({
      responders: [createRunbookResponder(runbooksFor, (seconds, signal) => clock.sleep(seconds * 1000, signal))],
      toolboxFor: createToolboxes({ ...parts, fixesSince: (host, of, since) => journal.fixesSince(host, of, since) }),
      runbooksFor,
      evidenceFor: catalog.evidenceFor.bind(catalog),
      record: (incident, event) => void append([{ ...event, incident }]),
      sleep: clock.sleep,
      now: clock.now,
    });
    const limits = { incidents: 4, queue: 200, incident: 1800 };
    const desk = createDesk({ journal: mortal, respond, limits, log: silent, sleep: forever });
    desk.resume();
    return { desk, end: () => void (isEnded = true) };
  };
  return { ...agent, journal, intake, serve };
}

const dark = alert({ host: "toy-host", service: "lamp" });

describe("an alert about the lamp", () => {
  it("ends with the lamp on, one fix, and Medic's word for it proven", async () => {
    const { intake, journal, serve, host } = homelab();
    const { desk } = serve();
    const { incidents } = await intake.accept([dark]);
    await desk.idle();
    const record = journal.incident(incidents[0]?.id ?? "");
    assert.ok(record?.state.is === "resolved" && record.state.by === "medic", JSON.stringify(record?.state));
    assert.deepEqual(
      record.attempts.map(({ fix, outcome }) => [fix, outcome]),
      [["lamp_on", "fixed"]],
    );
    assert.equal(host.count("on"), 1);
    assert.ok((record.durationSeconds ?? 0) >= 0);
    assert.equal((await intake.accept([dark])).incidents[0]?.id, record.id);
    await desk.idle();
    assert.equal(host.count("on"), 1);
  });

  it("is carried on or left to a person, and never fixed twice, whenever Medic is killed and started again", async () => {
    const ends = new Map<string, number>();
    let stops = 0;
    for (let isWhole = false; !isWhole; stops++) {
      const { intake, journal, serve, host } = homelab();
      const first = serve(stops);
      const { incidents } = await intake.accept([dark]);
      const id = incidents[0]?.id ?? "";
      await first.desk.idle();
      first.end();
      const left = journal.incident(id)?.state.is ?? "";
      isWhole = left === "resolved";
      const ran = host.count("on");
      await serve().desk.idle();
      const state = journal.incident(id)?.state;
      assert.ok(state?.is === "resolved" || state?.is === "escalated", `killed after ${stops} events: ${state?.is}`);
      assert.equal(journal.verify().intact, true);
      assert.ok(host.count("on") <= 1, `killed after ${stops} events: the fix ran ${host.count("on")} times`);
      if (left === "fixing") assert.equal(state.is, "escalated");
      if (ran === 0 && left !== "fixing") assert.equal(state.is, "resolved");
      ends.set(`${left} → ${state.is}`, (ends.get(`${left} → ${state.is}`) ?? 0) + 1);
    }
    assert.ok(stops > 8, `only ${stops} places to stop at`);
    for (const way of ["open → resolved", "investigating → resolved", "fixing → escalated", "verifying → resolved"]) {
      assert.ok(ends.has(way), `${way} is not among ${[...ends.keys()].join(", ")}`);
    }
  });
});
