import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dollarsFor, isPriced, tokensOf } from "../../core/agent/pricing.ts";

const million = { inputTokens: 1_000_000, cacheWriteTokens: 0, cacheReadTokens: 0, outputTokens: 0 };

describe("the price of a reply", () => {
  it("is each kind of token at its own price", () => {
    const usage = { inputTokens: 10, cacheWriteTokens: 20, cacheReadTokens: 30, outputTokens: 40 };
    assert.equal(dollarsFor("claude-opus-5-5", usage), (10 * 4 + 20 * 5 + 30 * 0.2 + 40 * 20) / 1e6);
    assert.equal(tokensOf(usage), 100);
  });

  it("knows a model by its name with or without a date", () => {
    assert.equal(dollarsFor("claude-haiku-4-5-20251001", million), 1);
    assert.equal(isPriced("claude-haiku-4-5"), true);
  });

  it("takes an unknown model for the dearest one, so that a limit is never passed by ignorance", () => {
    for (const model of ["claude-next", "toString", ""]) {
      assert.equal(isPriced(model), false);
      assert.equal(dollarsFor(model, million), dollarsFor("claude-fable-5-1", million));
    }
  });

  it("is higher for a long prompt where the model says so, and not at the very edge", () => {
    const edge = { inputTokens: 40_000, cacheWriteTokens: 0, cacheReadTokens: 60_000, outputTokens: 0 };
    const short = dollarsFor("claude-haiku-5-5", edge);
    const long = dollarsFor("claude-haiku-5-5", { ...edge, outputTokens: 0, inputTokens: 40_001 });
    assert.ok(Math.abs(short - 0.0046) < 1e-9);
    assert.ok(long > short * 4.9);
  });
});
