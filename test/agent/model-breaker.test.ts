import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ModelBreaker } from "../../core/agent/model-breaker.ts";
import { fakeClock } from "../support/clock.ts";

const limits = { breaks: 3, restSeconds: 300 };

function broken(times: number) {
  const clock = fakeClock();
  const breaker = new ModelBreaker(clock.now);
  for (let count = 0; count < times; count++) breaker.heard({ is: "broken" }, limits);
  return { clock, breaker };
}

describe("a model that does not answer", () => {
  it("is asked after two breaks in a row, and left alone after three", () => {
    assert.equal(broken(2).breaker.refusal(limits), undefined);
    assert.match(
      broken(3).breaker.refusal(limits) ?? "",
      /^the model did not answer 3 times in a row, so it is left alone for 300 s more/,
    );
  });

  it("is asked by one alone when the rest is over, and left alone again when that breaks", () => {
    const { clock, breaker } = broken(3);
    clock.advance(299_999);
    assert.match(breaker.refusal(limits) ?? "", /for 1 s more/);
    clock.advance(1);
    assert.equal(breaker.refusal(limits), undefined);
    assert.match(breaker.refusal(limits) ?? "", /left alone/);
    clock.advance(10_000);
    breaker.heard({ is: "broken" }, limits);
    assert.match(breaker.refusal(limits) ?? "", /4 times in a row, so it is left alone for 300 s/);
  });

  it("is asked by everybody once it answered, also when it only said that it is busy", () => {
    for (const is of ["whole", "cut", "refused", "busy"] as const) {
      const { clock, breaker } = broken(3);
      clock.advance(300_000);
      assert.equal(breaker.refusal(limits), undefined);
      breaker.heard({ is }, limits);
      assert.equal(breaker.refusal(limits), undefined);
      breaker.heard({ is: "broken" }, limits);
      assert.equal(breaker.refusal(limits), undefined);
    }
  });

  it("is always asked with rest: 0", () => {
    assert.equal(broken(100).breaker.refusal({ breaks: 3, restSeconds: 0 }), undefined);
  });
});
