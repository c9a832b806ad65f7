import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createClearing } from "../../core/incident/clearing.ts";
import { alert, facts, fixStarted, world } from "./world.ts";

const within = 900;
const resolved = (bend: Parameters<typeof alert>[0] = {}) => alert({ status: "resolved", ...bend });
const judged = {
  kind: "fix-judged",
  tool: "docker_restart",
  input: {},
  outcome: "fixed",
  facts,
  why: "healthy",
} as const;

/** A world in which an incident can be healed, and looked after. */
function healing(bend: Parameters<typeof world>[0] = {}) {
  const around = world(bend);
  const { journal, clock, record } = around;
  const limits = { clearWithin: within };
  const look = createClearing({ journal, limits, now: clock.now });
  const heal = (id: string): void =>
    record(id, { kind: "investigation-started", resumed: false }, fixStarted, judged, {
      kind: "resolved",
      by: "medic",
      why: "healthy",
    });
  const stateOf = (id: string) => journal.incident(id)?.state;
  const clearedOf = (id: string): string | undefined => {
    const state = stateOf(id);
    return state?.is === "resolved" ? state.alertCleared : state?.is;
  };
  const kinds = (id: string): string[] => journal.events(id).map(({ kind }) => kind);
  return { ...around, limits, look, heal, stateOf, clearedOf, kinds };
}

describe("the clearing of an alert", () => {
  it("is awaited after a fix, and its word closes the story", async () => {
    const { opened, heal, intake, clearedOf } = healing();
    const id = await opened();
    heal(id);
    assert.equal(clearedOf(id), "waiting");
    await intake.accept([resolved()]);
    assert.equal(clearedOf(id), "yes");
  });

  it("reopens the incident and tells a person when it does not come in time, and not a moment before", async () => {
    const { opened, heal, look, clock, stateOf, clearedOf, journal } = healing();
    const id = await opened();
    heal(id);
    clock.advance(within * 1000);
    look();
    assert.equal(clearedOf(id), "waiting");
    clock.advance(1);
    look();
    const state = stateOf(id);
    assert.match(
      state?.is === "escalated" ? state.reason : "",
      /^well on the host, but the monitor still says that it fires: its alert did not end within 15 min/,
    );
    assert.deepEqual(
      journal.incident(id)?.earlier?.map(({ outcome }) => outcome),
      ["fixed"],
    );
    look();
    assert.equal(journal.events(id).filter(({ kind }) => kind === "reopened").length, 1);
  });

  it("gives no turn to what it reopened: that is a person's", async () => {
    const { opened, heal, look, clock, desk } = healing();
    const worked: string[] = [];
    const id = await opened();
    heal(id);
    const one = desk((record) => Promise.resolve(void worked.push(record.id)));
    clock.advance(within * 1000 + 1);
    look();
    await one.idle();
    assert.deepEqual(worked, []);
  });

  it("is still taken when it comes late, and ends the incident", async () => {
    const { opened, heal, look, clock, intake, stateOf } = healing();
    const id = await opened();
    heal(id);
    clock.advance(within * 1000 + 1);
    look();
    await intake.accept([resolved()]);
    const state = stateOf(id);
    assert.equal(state?.is === "resolved" ? state.by : "", "monitor");
  });

  it("waits for the last of several alerts", async () => {
    const { opened, heal, intake, clearedOf } = healing();
    const id = await opened();
    await opened(alert({ name: "Slow", fingerprint: "slow" }));
    heal(id);
    await intake.accept([resolved()]);
    assert.equal(clearedOf(id), "waiting");
    await intake.accept([resolved({ fingerprint: "slow" })]);
    assert.equal(clearedOf(id), "yes");
  });

  it("is there already when the monitor was faster than the proof", async () => {
    const { opened, heal, intake, clearedOf, record } = healing();
    const id = await opened();
    record(id, { kind: "investigation-started", resumed: false });
    await intake.accept([resolved()]);
    heal(id);
    assert.equal(clearedOf(id), "yes");
  });

  it("is not awaited where a person asked and no monitor spoke", async () => {
    const { intake, heal, look, clock, stateOf } = healing();
    const taken = await intake.investigate("nexus", "scrypted");
    const id = "id" in taken ? taken.id : "";
    heal(id);
    clock.advance(within * 1000 + 1);
    look();
    assert.deepEqual(stateOf(id), { is: "resolved", by: "medic", why: "healthy" });
  });

  it("takes repeats of the very alert as the monitor being late, for as long as it is awaited", async () => {
    const { opened, heal, clock, clearedOf, kinds } = healing();
    const id = await opened();
    heal(id);
    clock.advance(within * 1000);
    assert.equal(await opened(), id);
    assert.equal(kinds(id).at(-1), "alert-folded");
    assert.equal(clearedOf(id), "waiting");
  });

  it("has its deadline from the journal, so the next process keeps it", async () => {
    const { opened, heal, clock, stateOf, journal, limits } = healing();
    const id = await opened();
    heal(id);
    clock.advance(within * 1000 + 1);
    createClearing({ journal, limits, now: clock.now })();
    assert.equal(stateOf(id)?.is, "escalated");
    assert.equal(journal.verify().intact, true);
  });

  it("is not awaited with clearWithin: 0, and given up where Medic did not run for a day", async () => {
    const { opened, heal, clock, look, limits, clearedOf, kinds } = healing();
    const id = await opened();
    heal(id);
    clock.advance((within + 86_400) * 1000 + 1);
    limits.clearWithin = 0;
    look();
    assert.equal(clearedOf(id), "waiting");
    limits.clearWithin = within;
    look();
    assert.equal(clearedOf(id), undefined);
    assert.equal(kinds(id).at(-1), "clearing-dropped");
  });
});

describe("an alert that fires anew after its incident was resolved", () => {
  const anew = alert({ startsAt: "2026-11-23T12:30:00.000Z" });

  async function cleared() {
    const around = healing();
    const id = await around.opened();
    around.heal(id);
    await around.intake.accept([resolved()]);
    return { ...around, id };
  }

  it("goes on in the same story, with what was tried, and gets its turn", async () => {
    const { id, opened, journal, desk, clock } = await cleared();
    const seen: unknown[] = [];
    const one = desk((record) => Promise.resolve(void seen.push([record.attempts, record.earlier?.length])));
    clock.advance(3600_000);
    assert.equal(await opened(anew), id);
    await one.idle();
    assert.deepEqual(seen, [[[], 1]]);
    const record = journal.incident(id);
    assert.deepEqual([record?.firing, record?.alert.startsAt, record?.alerts], [["nexus-scrypted"], anew.startsAt, 2]);
    assert.equal(record?.reopenedAt, "2026-11-23T13:00:00.000Z");
    assert.equal(journal.incidents().length, 1);
    assert.equal(journal.verify().intact, true);
  });

  it("opens another incident once the window is over", async () => {
    const { id, opened, clock } = await cleared();
    clock.advance(3600_001);
    assert.notEqual(await opened(anew), id);
  });

  it("opens another incident with recurWithin: 0, and for a person who asks", async () => {
    const limits = { quiet: 3600, clearWithin: within, recurWithin: 0 };
    const off = healing({ parts: { limits } });
    const first = await off.opened();
    off.heal(first);
    await off.intake.accept([resolved()]);
    assert.notEqual(await off.opened(anew), first);

    const { id, intake } = await cleared();
    const taken = await intake.investigate("nexus", "scrypted");
    assert.notEqual("id" in taken ? taken.id : id, id);
  });

  it("reopens for a person while its clearing is awaited, since the story is not over", async () => {
    const { opened, heal, intake } = healing();
    const id = await opened();
    heal(id);
    const taken = await intake.investigate("nexus", "scrypted");
    assert.equal("id" in taken ? taken.id : "", id);
  });

  it("ends the story after a day, however often it came back", async () => {
    const { id, opened, heal, intake, clock } = await cleared();
    let last = id;
    let times = 0;
    for (; last === id && times < 100; times++) {
      clock.advance(1800_000);
      const startsAt = new Date(clock.now()).toISOString();
      last = await opened(alert({ startsAt }));
      heal(last);
      await intake.accept([resolved()]);
    }
    assert.equal(times, 49);
  });

  it("counts its fixes toward the budgets, and takes a fix of unknown end for ended when it was resolved since", async () => {
    const { id, opened, journal, record, clock } = await cleared();
    const history = () => journal.fixesSince("nexus", { key: "nexus/docker:scrypted", touches: ["scrypted"] }, 0);
    await opened(anew);
    record(id, fixStarted, { ...judged, outcome: "unknown" });
    assert.equal(history().service, 2);
    assert.equal(history().open?.incident, id);
    record(id, { kind: "resolved", by: "monitor", why: "over" });
    clock.advance(1000);
    await opened(alert({ startsAt: "2026-11-23T12:40:00.000Z" }));
    assert.equal(journal.incident(id)?.state.is, "open");
    assert.equal(history().open, undefined);
  });

  it("measures how long it took from when it came back", async () => {
    const { id, opened, journal, record, clock } = await cleared();
    clock.advance(60_000);
    await opened(anew);
    clock.advance(5000);
    record(id, fixStarted, { ...judged, firstHealthyAt: new Date(clock.now()).toISOString() });
    assert.equal(journal.incident(id)?.durationSeconds, 5);
  });

  it("escalates again what points nowhere, in an incident of its own", async () => {
    const { opened, intake, journal } = healing();
    const stranger = { host: "vega", service: "x" };
    const id = await opened(alert(stranger));
    await intake.accept([resolved(stranger)]);
    const next = await opened(alert({ ...stranger, startsAt: "2026-11-23T12:30:00.000Z" }));
    assert.notEqual(next, id);
    assert.equal(journal.incident(next)?.state.is, "escalated");
  });
});
