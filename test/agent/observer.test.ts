import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createObserver } from "../../core/agent/observer.ts";
import type { Unfixed } from "../../core/agent/verification.ts";
import type { Observation } from "../../core/incident/incident.ts";
import { silent } from "../../core/log.ts";
import { fakeClock } from "../support/clock.ts";
import { lampOn, toyPlugin } from "../support/toy.ts";
import { never, toyAgent } from "../support/agent.ts";

type Lamp = { on: boolean; run?: string } | { unavailable: string };

/** Observes a lamp whose state is a function of the seconds since the plan. */
function observing(lampAt: (seconds: number) => Lamp, bend: { withinSeconds?: number; stableMax?: number } = {}) {
  const clock = fakeClock();
  const began = clock.now();
  const seen: (Observation & { incident: string })[] = [];
  const looks: number[] = [];
  let whenRecorded = (): void => undefined;
  const recorded = new Promise<void>((resolve) => (whenRecorded = resolve));
  const observer = createObserver({
    stableMax: () => bend.stableMax ?? Infinity,
    record(incident, observation) {
      seen.push({ incident, ...observation });
      whenRecorded();
    },
    now: clock.now,
    sleep: clock.sleep,
    log: silent,
  });
  const unfixed: Unfixed = {
    fix: { ...lampOn, withinSeconds: bend.withinSeconds ?? 20 },
    input: { name: "lamp" },
    plan: { steps: [["root", "lamp", "on", "lamp"]], touches: ["lamp"] },
    before: { lamp: { on: false, run: "1" } },
    plannedAtMs: began,
    look: async () => {
      const seconds = (clock.now() - began) / 1000;
      looks.push(seconds);
      return { lamp: lampAt(seconds) };
    },
  };
  return { observer, unfixed, seen, looks, recorded };
}

describe("the observer", () => {
  const came = async (
    lampAt: (seconds: number) => Lamp,
    bend?: Parameters<typeof observing>[1],
  ): Promise<Observation> => {
    const { observer, unfixed, seen, recorded } = observing(lampAt, bend);
    observer.observe("i1", unfixed);
    await recorded;
    return seen[0] as Observation;
  };

  it("says that the service recovered by itself once it stayed well for as long as the fix would have had to show", async () => {
    const observation = await came((seconds) => ({ on: seconds >= 4, run: "2" }));
    assert.equal(observation.came, "recovered");
    assert.ok(observation.seconds >= 4 && observation.seconds < 9, String(observation.seconds));
    assert.match(observation.why, /well by itself after \d+ s/);
  });

  it("says that it did not when it is not well within the fix's time, or only for a moment, or in another run each time", async () => {
    const { came: what, why, seconds } = await came(() => ({ on: false, run: "1" }));
    assert.deepEqual([what, why, seconds], ["not-recovered", "not well by itself within 20 s", 20]);
    assert.equal((await came((seconds) => ({ on: seconds > 4 && seconds < 8, run: "1" }))).came, "not-recovered");
    let run = 0;
    assert.equal((await came((seconds) => ({ on: seconds < 20, run: String(run++) }))).came, "not-recovered");
    assert.equal((await came(() => ({ on: true, run: String(run++) }))).came, "not-recovered");
    assert.equal((await came((seconds) => (seconds < 20 ? { on: true } : { on: false }))).came, "not-recovered");
  });

  it("counts what turned well in time and stayed so after it", async () => {
    assert.equal((await came((seconds) => ({ on: seconds >= 18, run: "2" }))).came, "recovered");
  });

  it("says that nobody could look when the host does not answer at the end", async () => {
    const observation = await came(() => ({ unavailable: "no route" }));
    assert.equal(observation.came, "unseen");
    assert.match(observation.why, /could not be asked within 20 s: lamp: no route/);
  });

  it("says that nobody could see it when its plugin breaks on what is there", async () => {
    const { observer, unfixed, seen, recorded } = observing(() => ({ on: true, run: "2" }));
    const fix = { ...unfixed.fix, healthy: () => assert.fail("no such key") };
    observer.observe("i1", { ...unfixed, fix });
    await recorded;
    assert.equal(seen[0]?.came, "unseen");
    assert.match(seen[0]?.why ?? "", /its plugin could not judge what it saw: no such key/);
  });

  it("takes the owner's limits.stable as the longest it waits", async () => {
    const lamp = (seconds: number): Lamp => ({ on: seconds < 3, run: "1" });
    assert.equal((await came(lamp, { stableMax: 1 })).came, "recovered");
    assert.equal((await came(lamp)).came, "not-recovered");
  });

  it("looks ever more seldom: some forty times in ten minutes", async () => {
    const { observer, unfixed, looks, recorded } = observing(() => ({ on: false, run: "1" }), { withinSeconds: 600 });
    observer.observe("i1", unfixed);
    await recorded;
    assert.ok(looks.length >= 30 && looks.length <= 45, String(looks.length));
    assert.ok((looks[1] ?? 0) <= 1);
  });

  it("goes on where an earlier process left it, and says nothing of what was over while Medic did not run", async () => {
    const left = async (agoSeconds: number) => {
      const { observer, unfixed, seen, recorded } = observing((seconds) => ({ on: seconds >= 4, run: "2" }));
      observer.observe("i1", { ...unfixed, plannedAtMs: unfixed.plannedAtMs - agoSeconds * 1000 });
      await recorded;
      return seen[0];
    };
    const soon = await left(10);
    assert.equal(soon?.came, "recovered");
    assert.ok((soon?.seconds ?? 0) >= 14, "counted from when it was looked at again");
    assert.match((await left(21))?.why ?? "", /Medic did not run when its 20 s were over/);
    assert.equal((await left(21))?.came, "unseen");
  });

  it("looks at one plan of an incident at a time, and at so many incidents", async () => {
    const { observer, unfixed, seen } = observing(() => ({ on: false, run: "1" }), { withinSeconds: 1_000_000 });
    for (let count = 0; count < 3; count++) observer.observe("i0", unfixed);
    for (let count = 1; count < 32; count++) observer.observe(`i${count}`, unfixed);
    assert.deepEqual(seen, []);
    observer.observe("one more", unfixed);
    assert.deepEqual(
      seen.map(({ incident, came: what, why }) => [incident, what, why]),
      [["one more", "unseen", "32 other services are looked at already"]],
    );
    await observer.close();
    observer.observe("too late", unfixed);
    assert.equal(seen.length, 1);
  });
});

describe("a dry run", () => {
  const on = { tool: "lamp_on", input: { name: "lamp" } };

  it("writes down all that a later process needs to look on, which is refused what it cannot know", async () => {
    const { host, toolboxFor, errand, events, clock } = toyAgent();
    await toolboxFor({ ...errand, dryRun: true }).turn([on], never);
    const planned = events.find((event) => event.kind === "fix-planned");
    assert.ok(planned !== undefined);
    const plannedAtMs = clock.now();
    const again = toolboxFor(errand).unfixed({ planned, plannedAtMs });
    assert.ok("fix" in again);
    assert.deepEqual([again.fix.name, again.plannedAtMs], ["lamp_on", plannedAtMs]);
    assert.deepEqual(again.before, { lamp: { on: false, run: "1" } });
    assert.equal(again.plan.withinSeconds, 20);
    assert.deepEqual(await again.look(never), { lamp: { on: false, run: "1" } });
    assert.equal(host.count("on"), 0);
    const { before: _before, ...older } = planned;
    assert.deepEqual(toolboxFor(errand).unfixed({ planned: older, plannedAtMs }), {
      refused: "it was planned by another Medic",
    });
    const gone = toolboxFor(errand).unfixed({ planned: { ...planned, tool: "lamp_off" }, plannedAtMs });
    assert.deepEqual(gone, { refused: 'no tool is called "lamp_off"' });
  });

  it("breaks on what an older plugin planned only where it is looked at, and not while serve starts", async () => {
    const { toolboxFor, errand, events, clock } = toyAgent();
    await toolboxFor({ ...errand, dryRun: true }).turn([on], never);
    const planned = events.find((event) => event.kind === "fix-planned");
    assert.ok(planned !== undefined);
    const watch = (): never => {
      throw new Error("this lamp has no switch any more");
    };
    const tools = toyPlugin.tools.map((tool) => (tool.name === "lamp_on" ? { ...tool, watch } : tool));
    const newer = toyAgent({ plugins: [{ ...toyPlugin, tools }] });
    const left = newer.toolboxFor(newer.errand).unfixed({ planned, plannedAtMs: clock.now() });
    assert.ok("fix" in left);
    await assert.rejects(left.look(never), /no switch any more/);
  });

  it("writes down the plan and what it would be, hands it to be observed, and runs nothing", async () => {
    for (const [trust, wouldBe] of [
      ["disruptive", "allow"],
      ["observe", "ask"],
    ] as const) {
      const { host, toolboxFor, errand, events } = toyAgent({ trust });
      const unfixed: Unfixed[] = [];
      const observe = (one: Unfixed): void => void unfixed.push(one);
      const [outcome] = await toolboxFor({ ...errand, dryRun: true, observe }).turn([on], never);
      assert.ok(outcome?.kind === "fix" && outcome.outcome === "refused" && outcome.planned !== undefined);
      assert.match(outcome.why, /^dry run: nothing is changed/);
      assert.equal(host.count("on"), 0);
      const planned = events.find((event) => event.kind === "fix-planned");
      assert.ok(planned !== undefined);
      assert.equal(planned.wouldBe, wouldBe);
      assert.deepEqual(planned.steps, [["root", "lamp", "on", "lamp"]]);
      assert.equal(planned.risk, "disruptive");
      assert.equal(
        events.some(({ kind }) => kind === "fix-started" || kind === "fix-refused"),
        false,
      );
      assert.equal(unfixed.length, 1);
      assert.deepEqual(await unfixed[0]?.look(never), { lamp: { on: false, run: "1" } });
    }
  });

  it("observes nothing that policy refuses, and what is destructive would always be asked", async () => {
    const { toolboxFor, errand, events } = toyAgent({ protect: ["lamp"] });
    const unfixed: Unfixed[] = [];
    const observe = (one: Unfixed): void => void unfixed.push(one);
    await toolboxFor({ ...errand, dryRun: true, observe }).turn([on], never);
    assert.deepEqual(unfixed, []);
    assert.ok(events.some(({ kind }) => kind === "fix-refused"));
    const other = toyAgent();
    const smash = { tool: "lamp_smash", input: { name: "lamp" } };
    await other.toolboxFor({ ...other.errand, dryRun: true }).turn([smash], never);
    const planned = other.events.find((event) => event.kind === "fix-planned");
    assert.equal(planned?.wouldBe, "ask");
    assert.equal(other.host.count("smash"), 0);
  });
});
