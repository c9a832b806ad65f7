// Medic stopped at every event of an incident's story and started again on the same journal.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dark, homelab } from "./homelab.ts";

describe("an alert about the lamp", () => {
  it("ends with the lamp on, one fix, and Medic's word for it proven", async () => {
    const { intake, journal, serve, host } = homelab();
    const { desk } = serve();
    const { incidents } = await intake.accept([dark]);
    await desk.idle();
    const record = journal.incident(incidents[0]?.id ?? "");
    assert.ok(record?.state.is === "resolved" && record.state.by === "medic", JSON.stringify(record?.state));
    assert.deepEqual(
      record.attempts.map(({ fix, outcome }) => [fix, outcome]),
      [["lamp_on", "fixed"]],
    );
    assert.equal(host.count("on"), 1);
    assert.ok((record.durationSeconds ?? 0) >= 0);
    assert.equal((await intake.accept([dark])).incidents[0]?.id, record.id);
    await desk.idle();
    assert.equal(host.count("on"), 1);
  });

  it("is carried on or left to a person, and never fixed twice, whenever Medic is killed and started again", async () => {
    const ends = new Map<string, number>();
    let stops = 0;
    for (let isWhole = false; !isWhole; stops++) {
      const { intake, journal, serve, host } = homelab();
      const first = serve(stops);
      const { incidents } = await intake.accept([dark]);
      const id = incidents[0]?.id ?? "";
      await first.desk.idle();
      first.end();
      const left = journal.incident(id)?.state.is ?? "";
      isWhole = left === "resolved";
      await serve().desk.idle();
      const state = journal.incident(id)?.state;
      assert.ok(state?.is === "resolved" || state?.is === "escalated", `killed after ${stops} events: ${state?.is}`);
      assert.equal(journal.verify().intact, true);
      assert.ok(host.count("on") <= 1, `killed after ${stops} events: the fix ran ${host.count("on")} times`);
      // Its claim is taken, or it is Medic's: then it never began, and is decided anew.
      assert.equal(host.count("on"), 1);
      ends.set(`${left} → ${state.is}`, (ends.get(`${left} → ${state.is}`) ?? 0) + 1);
    }
    assert.ok(stops > 8, `only ${stops} places to stop at`);
    for (const way of ["open → resolved", "investigating → resolved", "fixing → resolved", "verifying → resolved"]) {
      assert.ok(ends.has(way), `${way} is not among ${[...ends.keys()].join(", ")}`);
    }
  });
});
