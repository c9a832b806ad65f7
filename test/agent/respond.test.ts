import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRespond } from "../../core/agent/respond.ts";
import type { Responder } from "../../core/agent/responder.ts";
import { createRunbookResponder } from "../../core/agent/runbook.ts";
import { type IncidentRecord, unjudgedFix } from "../../core/incident/incident.ts";
import type { Incident } from "../../core/plugin/contract.ts";
import { kinds, never, timed, toyAgent, toyRecord } from "../support/agent.ts";
import { darkness, lampStatus, transportError } from "../support/toy.ts";

function toyRespond(agent: ReturnType<typeof toyAgent>, responders?: readonly Responder[]) {
  const runbooksFor = (incident: Incident) =>
    darkness.when(incident, { lamps: ["lamp"] })
      ? [{ title: darkness.title, decide: (now: Incident) => darkness.decide(now, { lamps: ["lamp"] }) }]
      : [];
  const pause = (seconds: number, signal: AbortSignal) => agent.clock.sleep(seconds * 1000, signal);
  const respond = createRespond({
    responders: responders ?? [createRunbookResponder(runbooksFor, pause)],
    toolboxFor: agent.toolboxFor,
    runbooksFor,
    leftFix: () => unjudgedFix(timed(agent)),
    evidenceFor: () => [{ tool: lampStatus, input: { name: "lamp" } }],
    record: (_incident, event) => void agent.events.push(event),
    sleep: agent.clock.sleep,
    now: agent.clock.now,
  });
  return (record: IncidentRecord = toyRecord) => respond(record, never);
}

/** The first dispatches are held up on the way and never take their claims. */
function losing(agent: ReturnType<typeof toyAgent>, dispatches: number): void {
  let lost = 0;
  agent.host.intercept = (_argv, { claim }) => {
    if (claim === undefined || lost >= dispatches) return undefined;
    lost++;
    throw transportError("ConnectionLost", true);
  };
}

const saysWell: Responder = { name: "claude", work: async () => ({ is: "well", why: "I restarted it, all is fine" }) };

describe("a fix that never began", () => {
  it("is decided anew by the runbook, which is told that nothing ran, and happens once", async () => {
    const agent = toyAgent();
    losing(agent, 1);
    await toyRespond(agent)();
    const judged = agent.events.filter((event) => event.kind === "fix-judged");
    assert.deepEqual(
      judged.map(({ outcome, facts }) => [outcome, facts.began]),
      [
        ["failed", "no"],
        ["fixed", "yes"],
      ],
    );
    assert.equal(agent.host.lamps.get("lamp")?.run, 2);
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "resolved" && last.by === "medic");
  });

  it("is not sent a third time", async () => {
    const agent = toyAgent();
    losing(agent, 9);
    await toyRespond(agent)();
    assert.equal(agent.events.filter(({ kind }) => kind === "fix-started").length, 2);
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "escalated");
    assert.match(last.reason, /2 fixes of this incident never began: find out what keeps commands from "toy-host"/);
    assert.equal(agent.host.lamps.get("lamp")?.run, 1);
  });

  it("counts also when another process sent it, and one that began is not decided anew", async () => {
    for (const [began, starts] of [["no", 1] as const, ["yes", 0] as const]) {
      const agent = toyAgent();
      const facts = { began, changed: "no", healthy: "unknown" } as const;
      const attempt = { fix: "lamp_on", input: { name: "lamp" }, outcome: "failed", why: "x", facts } as const;
      // In turn on purpose: one agent after the other.
      // oxlint-disable-next-line no-await-in-loop
      await toyRespond(agent)({ ...toyRecord, attempts: [attempt] });
      assert.equal(agent.events.filter(({ kind }) => kind === "fix-started").length, starts, began);
    }
  });
});

describe("one incident", () => {
  it("is seen, fixed, proven and resolved by Medic", async () => {
    const agent = toyAgent();
    await toyRespond(agent)();
    assert.deepEqual(kinds(agent.events), [
      "investigation-started",
      "evidence-gathered",
      "responder-started",
      "diagnosed",
      "diagnosed",
      "fix-started",
      "fix-dispatched",
      "fix-judged",
      "diagnosed",
      "responder-finished",
      "resolved",
    ]);
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "resolved" && last.by === "medic");
    assert.equal(agent.host.count("on"), 1);
  });

  it("is resolved by itself when it is found healthy", async () => {
    const agent = toyAgent();
    agent.host.lamps.set("lamp", { on: true, run: 1 });
    await toyRespond(agent)();
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "resolved" && last.by === "itself");
    assert.equal(agent.host.count("on"), 0);
  });

  it("is escalated with the planned commands when the owner has to agree", async () => {
    const agent = toyAgent({ trust: "observe" });
    await toyRespond(agent)();
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "escalated");
    assert.deepEqual(last.planned?.steps, [["root", "lamp", "on", "lamp"]]);
    assert.equal(agent.host.count("on"), 0);
  });

  it("is escalated when the fix does not help, and the fix is not repeated", async () => {
    const agent = toyAgent();
    agent.host.intercept = (argv) =>
      argv.at(-2) === "on" ? { exit: 0, stdout: "{}", stderr: "", cutBytes: 0 } : undefined;
    await toyRespond(agent)();
    assert.equal(agent.events.at(-1)?.kind, "escalated");
    assert.equal(agent.host.count("on"), 1);
  });

  it("is escalated, and nothing repeated, when the link is lost in the middle of the fix", async () => {
    const agent = toyAgent();
    agent.host.intercept = (_argv, { claim }) => {
      if (claim === undefined) return undefined;
      agent.host.take(claim);
      throw transportError("ConnectionLost", true);
    };
    await toyRespond(agent)();
    assert.equal(agent.events.at(-1)?.kind, "escalated");
    assert.equal(agent.host.count("on"), 1);
  });

  it("with an unclear target is escalated, and no host is asked", async () => {
    const agent = toyAgent();
    await toyRespond(agent)({ ...toyRecord, target: { unclear: 'no host is called "nexsu"' } });
    assert.deepEqual(kinds(agent.events), ["escalated"]);
    assert.equal(agent.host.commands.length, 0);
  });

  it("is not resolved by a responder's word alone", async () => {
    const agent = toyAgent();
    await toyRespond(agent, [saysWell])();
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "escalated");
    assert.match(last.reason, /the host does not show it/);
    assert.equal(agent.host.count("on"), 0);
  });

  it("is resolved by itself when a responder's word is what the host shows", async () => {
    const agent = toyAgent();
    agent.host.lamps.set("lamp", { on: true, run: 1 });
    await toyRespond(agent, [saysWell])();
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "resolved" && last.by === "itself");
  });

  it("goes to the next responder when one leaves it unsettled, and not when one escalates", async () => {
    const asked: string[] = [];
    const responder = (name: string, is: "unsettled" | "escalate"): Responder => ({
      name,
      async work() {
        asked.push(name);
        return { is, reason: `${name} says so` };
      },
    });
    const agent = toyAgent();
    await toyRespond(agent, [responder("a", "unsettled"), responder("b", "escalate"), responder("c", "unsettled")])();
    assert.deepEqual(asked, ["a", "b"]);
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "escalated" && last.reason === "b says so");
  });

  it("gathers the evidence before any fix", async () => {
    const agent = toyAgent();
    await toyRespond(agent)();
    const order = kinds(agent.events);
    assert.ok(order.indexOf("evidence-gathered") < order.indexOf("fix-started"));
  });

  it("keeps no secret that a runbook quotes from a host", async () => {
    const agent = toyAgent();
    const quoting: Responder = {
      name: "quoting",
      work: async () => ({ is: "escalate", reason: "it said last: password=hunter2secret" }),
    };
    await toyRespond(agent, [quoting])();
    assert.equal(agent.events.at(-1)?.kind, "escalated");
    assert.doesNotMatch(JSON.stringify(agent.events), /hunter2secret/);
  });

  it("is not resolved by Medic when its fix had failed before the service came back", async () => {
    const agent = toyAgent();
    agent.host.lamps.set("lamp", { on: true, run: 1 });
    const attempt = (outcome: "fixed" | "not-fixed") => ({ fix: "lamp_on", input: {}, outcome, why: "" });
    await toyRespond(agent)({ ...toyRecord, attempts: [attempt("fixed"), attempt("not-fixed")] });
    const last = agent.events.at(-1);
    assert.ok(last?.kind === "resolved" && last.by === "itself");
  });

  it("tells its responders which plugin the incident is for", async () => {
    const agent = toyAgent();
    const told: unknown[] = [];
    const listening: Responder = {
      name: "listening",
      work: async (incident) => (told.push(incident.plugin), { is: "escalate", reason: "x" }),
    };
    await toyRespond(agent, [listening])();
    assert.deepEqual(told, ["toy"]);
  });
});
