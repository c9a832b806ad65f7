import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChannelLimit } from "../../core/transport/channel-limit.ts";
import { ChannelSlots, type Lease } from "../../core/transport/channel-slots.ts";

describe("a lease", () => {
  it("gives its slot back once, however often it is disposed", () => {
    const slots = new ChannelSlots(new ChannelLimit(2, () => 0), () => 0);
    const [one, two] = [slots.take(), slots.take()];
    assert.equal(slots.take(), undefined);
    one?.[Symbol.dispose]();
    one?.[Symbol.dispose]();
    assert.equal(slots.taken, 1);
    two?.[Symbol.dispose]();
    assert.equal(slots.taken, 0);
  });

  it("never lets more be taken than the limit, nor fewer than none, whatever happens", () => {
    const event = fc.constantFrom("take", "confirm", "release", "refuse", "wait");
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), fc.integer({ min: 1, max: 12 }), (events, limit) => {
        let now = 0;
        const slots = new ChannelSlots(new ChannelLimit(limit, () => now), () => now);
        const held: Lease[] = [];
        for (const one of events) {
          if (one === "wait") now += 400;
          if (one === "confirm") held.at(-1)?.confirm();
          if (one === "release" || one === "refuse") held.shift()?.[Symbol.dispose]();
          if (one === "refuse") slots.refused();
          const lease = one === "take" ? slots.take() : undefined;
          if (lease !== undefined) held.push(lease);
          assert.equal(slots.taken, held.length);
          assert.ok(slots.taken <= limit);
        }
        for (const lease of held) lease[Symbol.dispose]();
        now += 10_000;
        const last = slots.take();
        assert.ok(last !== undefined, "no slot although all came back");
      }),
    );
  });
});

describe("a fixed limit", () => {
  it("is not learned away, while auto is", () => {
    for (const [maxChannels, learned] of [
      [8, 8],
      ["auto", 2],
    ] as const) {
      const most = new ChannelLimit(maxChannels, () => 0);
      const slots = new ChannelSlots(most, () => 0);
      const leases = Array.from({ length: 3 }, () => slots.take());
      leases[0]?.confirm();
      leases[1]?.confirm();
      leases[2]?.[Symbol.dispose]();
      assert.equal(slots.refused(), "when-freed");
      assert.equal(most.value, learned);
    }
  });

  it("rests for a while at what the host bore, then is tried again", () => {
    let now = 0;
    const slots = new ChannelSlots(new ChannelLimit(8, () => now), () => now);
    const [open, refused] = [slots.take(), slots.take()];
    open?.confirm();
    refused?.[Symbol.dispose]();
    slots.refused();
    assert.equal(slots.take(), undefined);
    now += 5000;
    assert.notEqual(slots.take(), undefined);
  });
});
