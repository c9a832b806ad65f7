import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { verify, type Watched } from "../../core/agent/verification.ts";
import type { Fix } from "../../core/plugin/contract.ts";
import { fakeClock } from "../support/clock.ts";
import { lampOn } from "../support/toy.ts";

type Lamp = { on: boolean; run: string } | { unavailable: string };

/** Verifies against a lamp whose state is a function of the seconds since the fix. */
async function verifyLamp(lampAt: (seconds: number) => Lamp, more: Partial<Watched> = {}) {
  const clock = fakeClock();
  const start = clock.now();
  return verify({
    fix: lampOn,
    input: { name: "lamp" },
    before: { lamp: { on: false, run: "1" } },
    marker: "1",
    steps: 1,
    dispatch: { is: "done", seconds: 1 },
    withinSeconds: 20,
    stableSeconds: 5,
    look: async () => ({ lamp: lampAt((clock.now() - start) / 1000) }),
    now: clock.now,
    sleep: clock.sleep,
    signal: new AbortController().signal,
    ...more,
  });
}

describe("verification", () => {
  it("calls fixed what began, changed, and stays healthy", async () => {
    const verdict = await verifyLamp((seconds) => ({ on: seconds >= 3, run: "2" }));
    assert.equal(verdict.outcome, "fixed");
    assert.equal(verdict.marker, "2");
    assert.match(verdict.firstHealthyAt ?? "", /^2026-11-23T12:00:0[345]/);
  });

  it("calls recovered what is healthy in the same run as before", async () => {
    assert.equal((await verifyLamp(() => ({ on: true, run: "1" }))).outcome, "recovered");
  });

  it("calls a fix whose runs have no name fixed only when what was sick is healthy after it", async () => {
    const { marker: _, ...reload } = lampOn;
    const healthy = { lamp: { on: true, run: "1" } };
    const lampAt = () => healthy.lamp;
    assert.equal((await verifyLamp(lampAt, { fix: reload })).outcome, "fixed");
    assert.equal((await verifyLamp(lampAt, { fix: reload, before: healthy })).outcome, "recovered");
  });

  it("calls recovered what is healthy after a fix that nothing proves", async () => {
    const { marker: _, ...rest } = lampOn;
    const fix: Fix = { ...rest, proof: "never-retry" };
    assert.equal((await verifyLamp(() => ({ on: true, run: "1" }), { fix })).outcome, "recovered");
  });

  it("calls recovered, not fixed, what is healthy when nobody knows whether the fix ran", async () => {
    const verdict = await verifyLamp(() => ({ on: true, run: "2" }), {
      dispatch: { is: "unknown", why: "the link was lost" },
    });
    assert.equal(verdict.outcome, "recovered");
  });

  it("calls unknown what is not healthy when nobody knows whether the fix ran", async () => {
    const verdict = await verifyLamp(() => ({ on: false, run: "1" }), {
      dispatch: { is: "unknown", why: "the link was lost" },
    });
    assert.equal(verdict.outcome, "unknown");
  });

  it("does not call fixed what keeps restarting, though each look finds it healthy", async () => {
    const verdict = await verifyLamp((seconds) => ({ on: true, run: String(Math.floor(seconds / 1.7)) }), {
      withinSeconds: 30,
    });
    assert.notEqual(verdict.outcome, "fixed");
  });

  it("does not call fixed what falls over within the stable window", async () => {
    const verdict = await verifyLamp((seconds) => ({ on: seconds >= 2 && seconds < 5, run: "2" }));
    assert.equal(verdict.outcome, "not-fixed");
    assert.match(verdict.why, /did not stay/);
  });

  it("lets a stable window that began in time end after the deadline", async () => {
    const verdict = await verifyLamp((seconds) => ({ on: seconds >= 17, run: "2" }), {
      withinSeconds: 20,
      stableSeconds: 10,
    });
    assert.equal(verdict.outcome, "fixed");
  });

  it("calls unverified what cannot be seen, never fixed", async () => {
    const verdict = await verifyLamp(() => ({ unavailable: "no route to host" }));
    assert.equal(verdict.outcome, "unverified");
    assert.match(verdict.why, /no route to host/);
  });

  it("does not count a blind moment as health", async () => {
    const verdict = await verifyLamp((seconds) =>
      seconds < 18 ? { unavailable: "rebooting" } : { on: true, run: "2" },
    );
    assert.equal(verdict.outcome, "fixed");
    assert.match(verdict.firstHealthyAt ?? "", /12:00:(18|19|20|21|22|23)/);
  });

  describe("of what no waiting can mend", () => {
    const fix: Fix = { ...lampOn, hopeless: () => "the bulb is burnt" };
    const burnt = () => ({ on: false, run: "2" });

    it("ends at once, with the reason", async () => {
      const clock = fakeClock();
      const began = clock.now();
      const verdict = await verifyLamp(burnt, { fix, now: clock.now, sleep: clock.sleep });
      assert.deepEqual([verdict.outcome, verdict.why, verdict.facts.healthy], ["not-fixed", "the bulb is burnt", "no"]);
      assert.equal(clock.now(), began);
    });

    it("waits while the fix says nothing of the kind", async () => {
      const patient: Fix = { ...lampOn, hopeless: () => undefined };
      assert.match((await verifyLamp(burnt, { fix: patient })).why, /not healthy within 20 s/);
    });

    it("waits while the service still shows the run from before", async () => {
      assert.match((await verifyLamp(() => ({ on: false, run: "1" }), { fix })).why, /not healthy within/);
    });

    it("ends for what shows no run, where the fix says so of what changed", async () => {
      const down: Fix = { ...fix, marker: () => undefined };
      assert.equal((await verifyLamp(burnt, { fix: down, marker: undefined })).why, "the bulb is burnt");
    });

    it("waits for a fix that nobody saw end", async () => {
      const dispatch = { is: "unknown", why: "the link was lost" } as const;
      assert.equal((await verifyLamp(burnt, { fix, dispatch })).outcome, "unknown");
    });

    it("believes the host's health before the plugin's despair", async () => {
      assert.equal((await verifyLamp(() => ({ on: true, run: "2" }), { fix })).outcome, "fixed");
    });
  });

  it("stops when aborted", async () => {
    const abort = new AbortController();
    abort.abort(new Error("shutting down"));
    await assert.rejects(
      verifyLamp(() => ({ on: false, run: "1" }), { signal: abort.signal }),
      /shutting down/,
    );
  });
});
