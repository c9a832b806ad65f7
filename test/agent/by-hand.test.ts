import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ByHandParts, LeftToNext, runByHand } from "../../core/agent/by-hand.ts";
import { kinds, never, toyAgent } from "../support/agent.ts";
import { answer } from "../support/toy.ts";

const on = { host: "toy-host", tool: "lamp_on", input: { name: "lamp" }, approved: true };

function hands(agent: ReturnType<typeof toyAgent>, bend: Partial<ByHandParts> = {}) {
  const parts: ByHandParts = {
    tools: agent.catalog,
    toolboxFor: agent.toolboxFor,
    evidenceFor: (incident, plugin) => agent.catalog.evidenceFor(incident, plugin),
    open: () => ({ key: "toy-host/toy:by-hand", record: (event) => void agent.events.push(event) }),
    now: agent.clock.now,
    ...bend,
  };
  return (call: Partial<typeof on> = {}, signal = never) => runByHand(parts, { ...on, ...call }, signal);
}

describe("a fix by hand", () => {
  it("has its evidence, its intent, its verdict and its end in the journal", async () => {
    const agent = toyAgent({ trust: "observe" });
    assert.equal((await hands(agent)()).outcome, "fixed");
    assert.deepEqual(kinds(agent.events), [
      "diagnosed",
      "evidence-gathered",
      "fix-started",
      "fix-dispatched",
      "fix-judged",
      "resolved",
    ]);
    const evidence = agent.events[1];
    assert.ok(evidence?.kind === "evidence-gathered");
    assert.deepEqual(evidence.findings[0]?.input, { name: "lamp" });
  });

  it("gathers no evidence and changes nothing when it is refused, and that is its end", async () => {
    const agent = toyAgent({ protect: ["lamp"] });
    assert.equal((await hands(agent)()).outcome, "refused");
    assert.deepEqual(kinds(agent.events), ["diagnosed", "fix-refused", "dismissed"]);
    assert.equal(agent.host.count("on"), 0);
  });

  it("that is broken off while it is verified ends unverified, for a person", async () => {
    const agent = toyAgent();
    const abort = new AbortController();
    agent.host.intercept = (argv) => {
      if (argv.at(-2) === "on") abort.abort(new Error("the client hung up"));
      return undefined;
    };
    await assert.rejects(hands(agent)({}, abort.signal), /hung up/);
    assert.equal(agent.host.count("on"), 1);
    const [judged, end] = agent.events.slice(-2);
    assert.ok(judged?.kind === "fix-judged" && judged.outcome === "unverified");
    assert.ok(end?.kind === "escalated" && /hung up/.test(end.reason));
  });

  it("that is broken off because its Medic stops is left as it is to the next one, once it began", async () => {
    for (const [isBegun, last] of [[true, "fix-dispatched"] as const, [false, "dismissed"] as const]) {
      const agent = toyAgent();
      const abort = new AbortController();
      agent.host.intercept = (_argv, { claim }) => {
        if (isBegun === (claim !== undefined)) abort.abort(new LeftToNext("Medic is stopping"));
        return undefined;
      };
      // oxlint-disable-next-line no-await-in-loop
      await assert.rejects(hands(agent)({}, abort.signal), /Medic is stopping/);
      assert.equal(agent.events.at(-1)?.kind, last);
      assert.equal(agent.host.count("on"), isBegun ? 1 : 0);
    }
  });

  it("that is broken off before it began is dismissed, and never begins", async () => {
    const agent = toyAgent();
    const abort = new AbortController();
    agent.host.intercept = () => {
      abort.abort(new Error("the client hung up"));
      return answer({ on: false, run: "1" });
    };
    await assert.rejects(hands(agent)({}, abort.signal), /hung up/);
    assert.equal(agent.host.count("on"), 0);
    assert.equal(agent.events.at(-1)?.kind, "dismissed");
  });

  it("that the journal cannot hold does not begin, and says so", async () => {
    const agent = toyAgent();
    const full = (): void => {
      throw new Error("disk full");
    };
    await assert.rejects(hands(agent, { open: () => ({ key: "k", record: full }) })(), /disk full/);
    assert.equal(agent.host.count("on"), 0);
  });

  it("is an answer without an incident when the tool only looks", async () => {
    const agent = toyAgent();
    assert.equal((await hands(agent)({ tool: "lamp_status" })).outcome, "found");
    assert.deepEqual(agent.events, []);
  });
});
