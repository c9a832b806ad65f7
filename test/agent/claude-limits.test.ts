import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reasonOf, status, well, work } from "../support/claude.ts";
import { breaksOff, FakeModel, says } from "../support/fake-model.ts";

describe("the claude responder and its limits", () => {
  it("runs 32 calls of one reply and not one of 33; asks once for fewer, and is then unsettled", async () => {
    const many = (count: number) =>
      says({ calls: Array.from({ length: count }, (_, at) => ({ ...status, id: `toolu_${at}` })) });
    await using within = await FakeModel.start([many(32), says(well)]);
    assert.equal((await work(within)).host.count("status"), 32);
    await using beyond = await FakeModel.start([many(33), many(33)]);
    const { host, conclusion, events } = await work(beyond);
    assert.equal(host.commands.length, 0);
    assert.equal(conclusion.is, "unsettled");
    assert.match(reasonOf(conclusion), /33 calls in one reply, 32 are the limit/);
    assert.match(String(beyond.lastBlocks(1)[0]?.text), /more than 32 calls/);
    assert.equal(events.filter(({ kind }) => kind === "reply-discarded").length, 2);
  });

  it("stops at the limit of turns, having said which reply is the last", async () => {
    await using model = await FakeModel.start([says({ calls: [status] }), says({ calls: [status] }), says(well)]);
    const { conclusion } = await work(model, { turns: 2 });
    assert.equal(conclusion.is, "escalate");
    assert.match(reasonOf(conclusion), /^turn limit of 2 reached \(responder\.turns/);
    assert.equal(model.requests.length, 2);
    assert.match(String(model.lastBlocks(1).at(-1)?.text), /last one/);
  });

  it("takes a verdict that comes with the last turn", async () => {
    await using model = await FakeModel.start([says({ calls: [status] }), says(well)]);
    const { conclusion } = await work(model, { turns: 2 });
    assert.equal(conclusion.is, "well");
  });

  it("sends a request that can just stay within the tokens, and not one that can pass them by one", async () => {
    const script = [says({ calls: [status], usage: { input: 3000, cacheRead: 6000, output: 100 } }), says(well)];
    const next = await tokensOfSecondRequest(script);
    await using enough = await FakeModel.start(script);
    const within = await work(enough, { tokens: 9100 + next, outputTokens: 100 });
    assert.equal(within.conclusion.is, "well");
    await using short = await FakeModel.start(script);
    const beyond = await work(short, { tokens: 9100 + next - 1, outputTokens: 100 });
    assert.equal(beyond.conclusion.is, "escalate");
    assert.match(reasonOf(beyond.conclusion), /^token limit of \d+ reached: 9100 used.*responder\.tokens/);
    assert.equal(short.requests.length, 1);
  });

  it("sends a request that can just stay within the dollars, and not one that can pass them", async () => {
    const script = [says({ calls: [status], usage: { input: 100_000, output: 1000 } }), says(well)];
    const spent = (100_000 * 4 + 1000 * 20) / 1e6;
    const next = await tokensOfSecondRequest(script);
    const worst = ((next - 100) * 5 + 100 * 20) / 1e6;
    await using enough = await FakeModel.start(script);
    const within = await work(enough, { tokens: 1_000_000, dollars: spent + worst + 1e-9, outputTokens: 100 });
    assert.equal(within.conclusion.is, "well");
    await using short = await FakeModel.start(script);
    const beyond = await work(short, { tokens: 1_000_000, dollars: spent + worst - 1e-9, outputTokens: 100 });
    assert.match(reasonOf(beyond.conclusion), /^dollar limit of .* reached: 0\.4200 spent.*responder\.dollars/);
    assert.equal(short.requests.length, 1);
  });

  it("sends nothing at all when the first request could pass a limit", async () => {
    await using model = await FakeModel.start([says(well)]);
    const { conclusion } = await work(model, { tokens: 1000 });
    assert.match(reasonOf(conclusion), /^token limit of 1000 reached: 0 used/);
    assert.equal(model.requests.length, 0);
  });

  it("asks the limits before it asks again", async () => {
    await using model = await FakeModel.start([breaksOff({ text: "Well" }, 3), says(well)]);
    const { conclusion } = await work(model, { tokens: 15_000, outputTokens: 10_000 });
    assert.match(reasonOf(conclusion), /^token limit of 15000 reached/);
    assert.equal(model.requests.length, 1);
  });

  it("writes down what each reply cost, cached tokens at their price", async () => {
    const usage = { input: 1000, cacheWrite: 2000, cacheRead: 10_000, output: 500 };
    await using model = await FakeModel.start([says({ ...well, usage })]);
    const { events } = await work(model);
    const cost = events.find((event) => event.kind === "responder-usage");
    assert.equal(cost?.inputTokens, 13_000);
    assert.equal(cost?.outputTokens, 500);
    assert.equal(cost?.dollars, (1000 * 4 + 2000 * 5 + 10_000 * 0.2 + 500 * 20) / 1e6);
  });
});

/** What the second request of a script may take at worst: told by a limit that lets the first one pass and no more. */
async function tokensOfSecondRequest(script: Parameters<typeof FakeModel.start>[0]): Promise<number> {
  let tokens = 1;
  for (const _request of [1, 2]) {
    await using model = await FakeModel.start(script);
    const { conclusion } = await work(model, { tokens, outputTokens: 100 });
    tokens = Number(/may take (\d+)/.exec(reasonOf(conclusion))?.[1]);
  }
  return tokens;
}
