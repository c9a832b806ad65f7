// One cause behind several services of a host, from the alert to the end.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answer } from "../support/toy.ts";
import { homelab } from "./homelab.ts";
import { alert } from "./world.ts";

const lamps = ["hall", "stairs", "attic"];

function darkHouse() {
  const house = homelab({ lamps });
  for (const lamp of lamps) house.host.lamps.set(lamp, { on: false, run: 1 });
  const { desk } = house.serve();
  const fails = async (service: string) => {
    const { incidents } = await house.intake.accept([alert({ host: "toy-host", service })]);
    await desk.idle();
    const id = incidents[0]?.id ?? "";
    const state = house.journal.incident(id)?.state;
    const kinds = house.journal.events(id).map(({ kind }) => kind);
    return { state, kinds, reason: state?.is === "escalated" ? state.reason : "" };
  };
  /** The fuse is out: whatever is switched on stays dark. */
  const blowFuse = (): void => {
    house.host.intercept = (argv) => (argv.includes("on") ? answer({ on: false, run: "1" }) : undefined);
  };
  return { ...house, desk, fails, blowFuse };
}

describe("three lamps of one host that go out within minutes", () => {
  it("are all switched on again when that helps", async () => {
    const { fails, host } = darkHouse();
    for (const lamp of lamps) assert.equal((await fails(lamp)).state?.is, "resolved", lamp);
    assert.equal(host.count("on"), 3);
  });

  it("get no third fix when it helped neither of two: the host is looked at, and a person has to", async () => {
    const { fails, host, blowFuse } = darkHouse();
    blowFuse();
    await fails("hall");
    await fails("stairs");
    const third = await fails("attic");
    assert.match(
      third.reason,
      /look at "toy-host" itself first: fixes of hall, stairs did not help in the last 10 min/,
    );
    assert.ok(third.kinds.indexOf("evidence-gathered") >= 0, "no evidence was gathered");
    assert.ok(third.kinds.indexOf("evidence-gathered") < third.kinds.indexOf("fix-refused"));
    assert.equal(host.count("on"), 2);
  });

  it("are fixed again once a person has the host looked at, or the window is over", async () => {
    for (const look of [true, false]) {
      const { fails, host, intake, desk, clock, blowFuse } = darkHouse();
      blowFuse();
      await fails("hall");
      await fails("stairs");
      host.intercept = () => undefined;
      if (look) await intake.investigate("toy-host", undefined);
      else clock.advance(600_001);
      await desk.idle();
      assert.equal((await fails("attic")).state?.is, "resolved", look ? "looked at" : "after the window");
    }
  });
});
