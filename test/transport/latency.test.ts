import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LatencyHistogram } from "../../core/transport/latency.ts";

describe("a latency histogram", () => {
  it("tells the median and the slow end within an eighth", () => {
    for (const scale of [0.000_3, 0.004, 0.11, 7]) {
      const histogram = new LatencyHistogram();
      for (let index = 1; index <= 100; index += 1) histogram.add((index / 50) * scale);
      const { count, p50Seconds, p95Seconds } = histogram.read();
      assert.equal(count, 100);
      assert.ok(Math.abs(p50Seconds / scale - 1) <= 0.125, `${p50Seconds} for ${scale}`);
      assert.ok(Math.abs(p95Seconds / (1.9 * scale) - 1) <= 0.125, `${p95Seconds} for ${1.9 * scale}`);
    }
  });

  it("adds up exactly, whatever is counted", () => {
    const histogram = new LatencyHistogram();
    for (const seconds of [0, 0.25, 0.5, 1_000_000]) histogram.add(seconds);
    assert.equal(histogram.read().sumSeconds, 1_000_000.75);
    assert.equal(histogram.read().count, 4);
  });

  it("says 0 while nothing was counted", () => {
    assert.deepEqual(new LatencyHistogram().read(), { count: 0, sumSeconds: 0, p50Seconds: 0, p95Seconds: 0 });
  });
});
