import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toyAgent } from "../support/agent.ts";
import { on, reasonOf, well, work } from "../support/claude.ts";
import { transportError } from "../support/toy.ts";
import { breaksOff, failsMidway, FakeModel, fails, hangs, says, type Said } from "../support/fake-model.ts";

describe("the claude responder and replies that are not whole", () => {
  it("runs nothing of a reply cut at its limit, asks once for a shorter one, and then goes on", async () => {
    await using model = await FakeModel.start([says({ calls: [on], stop: "max_tokens" }), says(well)]);
    const { conclusion, host } = await work(model);
    assert.equal(conclusion.is, "well");
    assert.equal(host.commands.length, 0);
    assert.match(String(model.lastBlocks(1)[0]?.text), /cut off .* none of its calls ran/);
  });

  it("leaves the incident unsettled after a second reply cut at its limit", async () => {
    const cut = says({ calls: [on], stop: "max_tokens" });
    await using model = await FakeModel.start([cut, cut]);
    const { conclusion, host } = await work(model);
    assert.equal(conclusion.is, "unsettled");
    assert.match(reasonOf(conclusion), /longer than 4096 tokens/);
    assert.equal(host.commands.length, 0);
  });

  it("runs nothing of a reply that the model declined to finish, and says so", async () => {
    await using model = await FakeModel.start([
      says({ calls: [on], stop: "refusal", stopDetails: { type: "refusal", category: "cyber", explanation: null } }),
    ]);
    const { conclusion, host } = await work(model);
    assert.deepEqual(conclusion, { is: "unsettled", reason: "the model declined to answer (cyber)" });
    assert.equal(host.commands.length, 0);
  });

  for (const stop of ["pause_turn", "model_context_window_exceeded", "stop_sequence"]) {
    it(`runs nothing of a reply that ended with ${stop}`, async () => {
      await using model = await FakeModel.start([says({ calls: [on], stop })]);
      const { conclusion, host } = await work(model);
      assert.equal(conclusion.is, "unsettled");
      assert.equal(host.commands.length, 0);
    });
  }

  it("asks again when the stream breaks at any event, and runs every call once", async () => {
    const said: Said = { thinking: "Hm.", text: "Now", calls: [on] };
    for (let events = 0; events <= 14; events++) {
      await using model = await FakeModel.start([
        breaksOff(said, events),
        breaksOff(said, events, "ended"),
        says(said),
        says(well),
      ]);
      const { conclusion, host, waits } = await work(model);
      assert.equal(conclusion.is, "well", `broken after ${events} events`);
      assert.equal(host.count("on"), 1);
      assert.deepEqual(waits, [2, 4]);
      assert.equal(model.requests[0]?.text, model.requests[2]?.text);
    }
  });

  it("gives up when the stream breaks three times, and runs nothing", async () => {
    const broken = breaksOff({ calls: [on] }, 4);
    await using model = await FakeModel.start([broken, broken, broken]);
    const { conclusion, host, waits } = await work(model);
    assert.equal(conclusion.is, "unsettled");
    assert.match(reasonOf(conclusion), /broke off.*gave up after 3 tries/);
    assert.deepEqual(waits, [2, 4]);
    assert.equal(host.commands.length, 0);
  });

  it("does not let the SDK mend half a tool input: the reply counts as broken", async () => {
    const halfInput: Said = { calls: [{ ...on, rawInput: '{"name": "lamp", "only_if' }] };
    await using model = await FakeModel.start([says(halfInput), says({ calls: [on] }), says(well)]);
    const { host } = await work(model);
    assert.equal(model.requests.length, 3);
    assert.equal(model.requests[1]?.text, model.requests[0]?.text);
    assert.equal(host.count("on"), 1);
  });

  it("does not run calls that the reply's ending contradicts", async () => {
    const odd = says({ calls: [on], stop: "end_turn" });
    await using model = await FakeModel.start([odd, odd, odd]);
    const { conclusion, host } = await work(model);
    assert.match(reasonOf(conclusion), /garbled/);
    assert.equal(host.commands.length, 0);
  });

  it("counts a reply that broke off as all that it could have cost", async () => {
    await using model = await FakeModel.start([breaksOff({ text: "Well" }, 3), says(well)]);
    const { events } = await work(model, { outputTokens: 1000 });
    const [first, second] = events.filter((event) => event.kind === "responder-usage");
    assert.equal(first?.outputTokens, 1000);
    assert.equal(second?.outputTokens, 10);
  });
});

describe("the claude responder and an API that fails", () => {
  it("waits as long as the API asks for, and then goes on", async () => {
    await using model = await FakeModel.start([
      fails(429, "rate_limit_error", "slow down", { "retry-after": "7" }),
      fails(429, "rate_limit_error", "slow down", { "retry-after": "Mon, 23 Nov 2026 12:00:37 GMT" }),
      says(well),
    ]);
    const { conclusion, waits } = await work(model);
    assert.equal(conclusion.is, "well");
    assert.deepEqual(waits, [7, 30]);
  });

  it("does not wait longer than its patience", async () => {
    await using model = await FakeModel.start([
      fails(429, "rate_limit_error", "come back tomorrow", { "retry-after": "86400" }),
    ]);
    const { conclusion, waits } = await work(model);
    assert.equal(conclusion.is, "unsettled");
    assert.match(reasonOf(conclusion), /429.*come back tomorrow/);
    assert.deepEqual(waits, []);
  });

  it("asks an overloaded or failing API again, more slowly each time, and gives up after five", async () => {
    const statuses = [529, 500, 502, 503, 529, 529];
    await using model = await FakeModel.start(statuses.map((status) => fails(status, "overloaded_error", "busy")));
    const { conclusion, waits } = await work(model);
    assert.equal(conclusion.is, "unsettled");
    assert.deepEqual(waits, [2, 4, 8, 16, 32]);
    assert.equal(model.requests.length, 6);
  });

  it("treats an overload in the middle of a reply as an overload, and runs nothing of that reply", async () => {
    await using model = await FakeModel.start([
      failsMidway({ calls: [on] }, 3, "overloaded_error"),
      says({ calls: [on] }),
      says(well),
    ]);
    const { conclusion, host } = await work(model);
    assert.equal(conclusion.is, "well");
    assert.equal(host.count("on"), 1);
  });

  it("gives up on an API that never answers or goes silent, after the time for a request, three times", async () => {
    await using model = await FakeModel.start([hangs(), hangs({ text: "Let me" }), hangs()]);
    const { conclusion } = await work(model, { requestSeconds: 0.15 });
    assert.equal(conclusion.is, "unsettled");
    assert.match(reasonOf(conclusion), /no whole reply within 0\.15 s; gave up after 3 tries/);
    assert.equal(model.requests.length, 3);
  });

  it("says where it could not connect to", async () => {
    const model = await FakeModel.start([]);
    await model[Symbol.asyncDispose]();
    const { conclusion, waits } = await work(model);
    assert.equal(conclusion.is, "unsettled");
    assert.ok(reasonOf(conclusion).includes(`"${model.url}" cannot be reached`), reasonOf(conclusion));
    assert.deepEqual(waits, [2, 4]);
  });

  for (const [name, status, type, expected] of [
    ["a bad key", 401, "authentication_error", /key is not accepted \(401\).*responder\.apiKey/],
    ["a key without the right", 403, "permission_error", /may not do this \(403\): because/],
    ["an unknown model", 404, "not_found_error", /no model "claude-opus-5-5".*responder\.model/],
    ["a bad request", 400, "invalid_request_error", /did not take the request \(400\): because/],
    ["a request too large", 413, "request_too_large", /\(413\): because/],
  ] as const) {
    it(`asks once only and names what to change after ${name}`, async () => {
      await using model = await FakeModel.start([fails(status, type, "because")]);
      const { conclusion, waits } = await work(model);
      assert.equal(conclusion.is, "unsettled");
      assert.match(reasonOf(conclusion), expected);
      assert.deepEqual(waits, []);
      assert.equal(model.requests.length, 1);
    });
  }

  it("keeps what the host has proven when the API is lost after a fix", async () => {
    await using model = await FakeModel.start([says({ calls: [on] }), fails(401, "authentication_error", "revoked")]);
    const { conclusion } = await work(model);
    assert.equal(conclusion.is, "well");
    assert.match(reasonOf(conclusion), /^lamp_on: .*not asked again: the API key is not accepted/);
  });

  it("tells the model that a fix never began, so that it may ask for it once more", async () => {
    const agent = toyAgent();
    let isLost = true;
    agent.host.intercept = (_argv, { claim }) => {
      if (claim === undefined || !isLost) return undefined;
      isLost = false;
      throw transportError("ConnectionLost", true);
    };
    await using model = await FakeModel.start([says({ calls: [on] }), says({ calls: [on] }), says(well)]);
    const { conclusion } = await work(model, {}, agent);
    const [first, second] = [1, 2].map((request) => JSON.stringify(model.lastBlocks(request)));
    assert.match(first ?? "", /facts.*began\\+":\\+"no/);
    assert.match(second ?? "", /facts.*began\\+":\\+"yes/);
    assert.equal(conclusion.is, "well");
    assert.equal(agent.host.lamps.get("lamp")?.run, 2);
  });

  it("proves nothing by a fix that came before it was asked", async () => {
    const agent = toyAgent();
    agent.errand.attempts = [{ fix: "lamp_on", input: { name: "lamp" }, outcome: "fixed", why: "it was on" }];
    await using model = await FakeModel.start([fails(401, "authentication_error", "revoked")]);
    const { conclusion } = await work(model, {}, agent);
    assert.equal(conclusion.is, "unsettled");
  });
});
