import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Command, Fix, Plugin } from "../../core/plugin/contract.ts";
import { lampOn, toyPlugin } from "../support/toy.ts";
import { alert } from "./world.ts";
import { dark, homelab } from "./homelab.ts";

/** A lamp that a person has to agree to; the question is out. */
async function asked(bend: Parameters<typeof homelab>[0] = {}) {
  const lab = homelab({ trust: "observe", approvalSeconds: 3600, ...bend });
  const { desk, end } = lab.serve();
  const { incidents } = await lab.intake.accept([dark]);
  await desk.idle();
  const incident = incidents[0]?.id ?? "";
  const state = (): string => lab.journal.incident(incident)?.state.is ?? "";
  const reason = (): string => {
    const at = lab.journal.incident(incident)?.state;
    return at?.is === "escalated" ? at.reason : "";
  };
  const kinds = (): string[] => lab.journal.events(incident).map(({ kind }) => kind);
  return { ...lab, desk, end, incident, id: `${incident}.1`, state, reason, kinds };
}

/** The toy plugin whose fix takes other steps from time to time. */
function planning(steps: () => Command[]): Plugin {
  const lampOnAnew: Fix = {
    ...(lampOn as Fix),
    *plan() {
      yield* [];
      return { steps: steps(), touches: ["lamp"] };
    },
  };
  return {
    ...toyPlugin,
    tools: toyPlugin.tools.map((tool) => (tool.name === "lamp_on" ? lampOnAnew : tool)),
  };
}

describe("a fix above the host's trust", () => {
  it("is asked for, with its exact commands, and runs nothing meanwhile", async () => {
    const { approvals, incident, id, host, state, kinds, clock } = await asked();
    assert.equal(state(), "awaiting-approval");
    assert.equal(host.count("on"), 0);
    const [approval, ...others] = approvals.pending();
    assert.deepEqual(others, []);
    assert.ok(approval !== undefined);
    assert.equal(approval.id, id);
    assert.deepEqual(approval.steps, [["root", "lamp", "on", "lamp"]]);
    assert.deepEqual(approval.touches, ["lamp"]);
    assert.match(approval.why, /"lamp_on" is disruptive and "toy-host" has trust: observe/);
    assert.ok(approval.evidence.some((line) => line.startsWith("lamp_status: ")));
    assert.equal(Date.parse(approval.expiresAt) - clock.now(), 3600_000);
    assert.deepEqual(approvals.find(incident), approval);
    assert.ok(!kinds().includes("fix-refused"), "asking is no attempt");
  });

  it("lets the host's other incidents have their turn while a person is asked", async () => {
    const { intake, journal, desk, host } = await asked();
    host.lamps.set("hall", { on: true, run: 1 });
    const { incidents } = await intake.accept([alert({ host: "toy-host", service: "hall" })]);
    await desk.idle();
    const other = journal.incident(incidents[0]?.id ?? "");
    assert.notEqual(other?.state.is, "open");
  });

  it("runs once after a yes, and what the host shows ends the incident", async () => {
    const { approvals, id, desk, host, journal, incident, state, kinds } = await asked();
    assert.equal(approvals.decide(id, "approve", "alex")?.is, "taken");
    await desk.idle();
    assert.equal(state(), "resolved");
    assert.equal(host.count("on"), 1);
    assert.deepEqual(
      journal.incident(incident)?.attempts.map(({ fix, outcome }) => [fix, outcome]),
      [["lamp_on", "fixed"]],
    );
    assert.equal(approvals.find(id)?.answer.is, "approved");
    const order = kinds();
    assert.ok(order.indexOf("approval-given") < order.indexOf("fix-started"));
  });

  it("runs nothing after a no, which is final for its incident", async () => {
    const { approvals, id, desk, host, state, reason, journal, incident, serve } = await asked();
    assert.equal(approvals.decide(id, "deny", "alex")?.is, "taken");
    await desk.idle();
    assert.equal(state(), "escalated");
    assert.match(reason(), /alex said no to lamp_on/);
    assert.equal(host.count("on"), 0);
    assert.equal(approvals.decide(id, "approve", "sam")?.is, "late");
    assert.match(journal.incident(incident)?.refusal ?? "", /alex said no/);
    await serve().desk.idle();
    assert.equal(host.count("on"), 0);
  });

  it("is left to a person when nobody answers: silence is a no", async () => {
    const { approvals, id, clock, host, state, reason } = await asked();
    clock.advance(3_599_000);
    approvals.expire();
    assert.equal(state(), "awaiting-approval");
    clock.advance(1000);
    approvals.expire();
    assert.equal(state(), "escalated");
    assert.match(reason(), /nobody agreed to lamp_on within 60 min .*silence is a no/);
    assert.equal(approvals.decide(id, "approve", "alex")?.is, "late");
    assert.equal(approvals.find(id)?.answer.is, "expired");
    assert.equal(host.count("on"), 0);
  });

  it("cannot be agreed to at the end of its time, though nobody has looked yet", async () => {
    const { approvals, id, clock, desk, host, state } = await asked();
    clock.advance(3_600_000);
    const decided = approvals.decide(id, "approve", "alex");
    assert.equal(decided?.is, "late");
    assert.equal(decided?.approval.answer.is, "expired");
    await desk.idle();
    assert.equal(state(), "escalated");
    assert.equal(host.count("on"), 0);
  });

  it("is asked for no more once the monitor reports it over", async () => {
    const { approvals, id, intake, host, desk, state, kinds } = await asked();
    await intake.accept([{ ...dark, status: "resolved" }]);
    assert.equal(state(), "resolved");
    assert.ok(kinds().includes("approval-withdrawn"));
    assert.deepEqual(approvals.pending(), []);
    const decided = approvals.decide(id, "approve", "alex");
    assert.equal(decided?.is, "late");
    assert.equal(decided?.approval.answer.is, "withdrawn");
    await desk.idle();
    assert.equal(host.count("on"), 0);
  });

  it("is answered once: of two people the second is told who was first", async () => {
    const { approvals, id, incident, desk, host } = await asked();
    approvals.decide(id, "approve", "alex");
    const second = approvals.decide(incident, "deny", "sam");
    assert.equal(second?.is, "late");
    assert.ok(second?.approval.answer.is === "approved" && second.approval.answer.by === "alex");
    await desk.idle();
    assert.equal(host.count("on"), 1);
  });

  it("knows no approval of another name", async () => {
    const { approvals, incident } = await asked();
    for (const id of [`${incident}.2`, `${incident}.0`, "nonsense", ""])
      assert.equal(approvals.decide(id, "approve", "alex"), undefined);
  });
});

describe("a plan made anew after a yes", () => {
  it("is asked for again when its steps are others now", async () => {
    let steps: Command[] = [["root", "lamp", "on", "lamp"]];
    const { approvals, id, incident, desk, host, state, journal } = await asked({ plugins: [planning(() => steps)] });
    steps = [
      ["root", "lamp", "wipe", "lamp"],
      ["root", "lamp", "on", "lamp"],
    ];
    approvals.decide(id, "approve", "alex");
    await desk.idle();
    assert.equal(state(), "awaiting-approval");
    assert.equal(host.count("on"), 0);
    assert.equal(approvals.find(id)?.answer.is, "approved");
    const [again] = approvals.pending();
    assert.equal(again?.id, `${incident}.2`);
    approvals.decide(`${incident}.2`, "approve", "alex");
    await desk.idle();
    assert.equal(host.count("on"), 1);
    assert.equal(journal.incident(incident)?.state.is, "resolved");
  });

  it("runs nothing when the service is well again, and says so", async () => {
    const { approvals, id, desk, host, journal, incident } = await asked();
    host.lamps.set("lamp", { on: true, run: 7 });
    approvals.decide(id, "approve", "alex");
    await desk.idle();
    const state = journal.incident(incident)?.state;
    assert.ok(state?.is === "resolved" && state.by === "itself", JSON.stringify(state));
    assert.equal(host.count("on"), 0);
  });

  it("passes the other gates too: a budget that is used up still counts", async () => {
    const { approvals, id, desk, host, parts, state, reason } = await asked();
    parts.limits.fixesPerHost = 0;
    approvals.decide(id, "approve", "alex");
    await desk.idle();
    assert.equal(state(), "escalated");
    assert.match(reason(), /fixes on "toy-host"/);
    assert.equal(host.count("on"), 0);
  });

  it("is asked for again when the yes is older than the question was let stand", async () => {
    const lab = await asked();
    const { approvals, id, clock, journal, incident, host } = lab;
    lab.end();
    approvals.decide(id, "approve", "alex");
    clock.advance(3_600_000);
    await lab.serve().desk.idle();
    assert.equal(host.count("on"), 0);
    assert.equal(journal.incident(incident)?.state.is, "awaiting-approval");
  });
});

describe("a restart while a person is asked", () => {
  it("keeps the question, and its answer counts", async () => {
    const lab = await asked();
    lab.end();
    const { desk } = lab.serve();
    await desk.idle();
    assert.equal(lab.approvals.pending().length, 1);
    lab.approvals.decide(lab.id, "approve", "alex");
    await desk.idle();
    assert.equal(lab.state(), "resolved");
    assert.equal(lab.host.count("on"), 1);
  });

  it("between the yes and the fix runs it once, wherever Medic is killed", async () => {
    for (let stops = 0; ; stops++) {
      const lab = await asked();
      lab.end();
      const first = lab.serve(stops);
      lab.approvals.decide(lab.id, "approve", "alex");
      await first.desk.idle();
      first.end();
      const left = lab.state();
      const ran = lab.host.count("on");
      await lab.serve().desk.idle();
      assert.ok(lab.host.count("on") <= 1, `killed after ${stops} events: it ran ${lab.host.count("on")} times`);
      assert.ok(["resolved", "escalated"].includes(lab.state()), `killed after ${stops} events: ${lab.state()}`);
      if (ran === 0 && left !== "fixing") assert.equal(lab.state(), "resolved");
      if (left === "resolved") {
        assert.ok(stops > 5);
        return;
      }
    }
  });
});
