import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openByHand } from "../../core/incident/by-hand.ts";
import { createDesk } from "../../core/incident/desk.ts";
import type { IncidentEvent, IncidentRecord } from "../../core/incident/incident.ts";
import { silent } from "../../core/log.ts";
import { alert, facts, fixStarted, forever, world } from "./world.ts";

/** Work that ends when the test says so. */
function workbench() {
  const began: string[] = [];
  const atWork = new Map<string, (error?: Error) => void>();
  let most = 0;
  return {
    began,
    atWork,
    most: () => most,
    respond: (record: IncidentRecord, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        began.push(record.key);
        const end = (error?: Error): void => {
          atWork.delete(record.key);
          if (error === undefined) resolve();
          else reject(error);
        };
        atWork.set(record.key, end);
        most = Math.max(most, atWork.size);
        signal.addEventListener("abort", () => end(signal.reason as Error), { once: true });
      }),
  };
}

const turns = async (count = 3): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const dispatched: IncidentEvent = {
  kind: "fix-dispatched",
  tool: "docker_restart",
  dispatch: { is: "done", seconds: 1 },
};
const key = (service: string, host = "nexus"): string => `${host}/docker:${service}`;

/** An incident as `medic tool` opens it. */
function byHand(journal: ReturnType<typeof world>["journal"]) {
  const hand = openByHand({ journal, now: Date.now }, { host: "nexus", tool: "docker_restart" }, "docker");
  return { hand, id: journal.incidents()[0]?.id ?? "" };
}

describe("the desk", () => {
  it("gives each incident one turn and is idle when all have ended", async () => {
    const { desk, opened, record, journal } = world();
    const seen: string[] = [];
    const one = desk(async ({ id, state }) => {
      seen.push(`${id} ${state.is}`);
      await turns();
      record(id, { kind: "resolved", by: "itself", why: "well" });
    });
    const id = await opened();
    await opened();
    await one.idle();
    assert.deepEqual(seen, [`${id} open`]);
    assert.equal(journal.incident(id)?.state.is, "resolved");
    await one.idle();
  });

  it("works on one incident of a host at a time, first come first served, and on other hosts meanwhile", async () => {
    const { desk, intake } = world();
    const bench = workbench();
    desk(bench.respond);
    await intake.accept([alert(), alert({ service: "a" }), alert({ service: "b" }), alert({ host: "atlas" })]);
    await turns();
    assert.deepEqual(bench.began, [key("scrypted"), key("scrypted", "atlas")]);
    bench.atWork.get(key("scrypted"))?.();
    await turns();
    assert.deepEqual(bench.began.slice(2), [key("a")]);
    bench.atWork.get(key("a"))?.();
    await turns();
    assert.deepEqual(bench.began.slice(3), [key("b")]);
  });

  it("works on no more incidents at once than the limit, and on that many", async () => {
    const hosts = Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, { address: name }]));
    const { desk, intake } = world({
      parts: { targetOf: ({ labels }) => ({ host: labels["host"] ?? "", plugin: "docker", service: "x" }) },
    });
    const bench = workbench();
    const one = desk(bench.respond, { incidents: 3 });
    await intake.accept(Object.keys(hosts).map((host) => alert({ host })));
    await turns();
    assert.equal(bench.atWork.size, 3);
    while (bench.atWork.size > 0) {
      for (const end of bench.atWork.values()) end();
      await turns();
    }
    await one.idle();
    assert.equal(bench.began.length, 5);
    assert.equal(bench.most(), 3);
  });

  it("escalates one incident more than may wait, and loses none", async () => {
    const { desk, intake, journal } = world();
    const bench = workbench();
    desk(bench.respond, { incidents: 1, queue: 2 });
    await intake.accept([alert()]);
    await turns();
    await intake.accept(["a", "b", "c"].map((service) => alert({ service })));
    const states = journal.incidents().map(({ key, state }) => [key, state.is]);
    assert.deepEqual(states.slice(0, 3), [
      [key("c"), "escalated"],
      [key("b"), "open"],
      [key("a"), "open"],
    ]);
    const state = journal.incidents()[0]?.state;
    assert.match(state?.is === "escalated" ? state.reason : "", /2 incidents are waiting already \(limits.queue/);
  });

  it("gives no turn to an incident that was resolved while it waited", async () => {
    const { desk, intake } = world();
    const bench = workbench();
    const one = desk(bench.respond);
    await intake.accept([alert(), alert({ service: "a" })]);
    await turns();
    await intake.accept([alert({ service: "a", status: "resolved" })]);
    bench.atWork.get(key("scrypted"))?.();
    await one.idle();
    assert.deepEqual(bench.began, [key("scrypted")]);
  });

  it("gives no turn to an alert that points nowhere", async () => {
    const { desk, intake } = world();
    const bench = workbench();
    const one = desk(bench.respond);
    await intake.accept([alert({ host: "vega" })]);
    await one.idle();
    assert.deepEqual(bench.began, []);
  });

  it("escalates with the reason when the work throws, also before its first wait, and goes on with the next", async () => {
    for (const respond of [
      () => Promise.reject(new Error("out of luck")),
      () => {
        throw new Error("out of luck");
      },
    ]) {
      const { desk, intake, journal } = world();
      const one = desk(respond);
      await intake.accept([alert(), alert({ service: "a" })]);
      await one.idle();
      for (const { state } of journal.incidents()) assert.deepEqual(state, { is: "escalated", reason: "out of luck" });
    }
  });

  it("escalates what ended without a conclusion", async () => {
    const { desk, opened, journal } = world();
    const one = desk(() => Promise.resolve());
    const id = await opened();
    await one.idle();
    assert.deepEqual(journal.incident(id)?.state, {
      is: "escalated",
      reason: "the work on it ended without a conclusion",
    });
  });

  it("aborts work that takes too long and escalates it, and lets be what ended in time", async () => {
    const { opened, journal } = world();
    const bench = workbench();
    const clock: (() => void)[] = [];
    const one = createDesk({
      journal,
      log: silent,
      respond: bench.respond,
      limits: { incidents: 4, queue: 9, incident: 60 },
      heldFor: () => undefined,
      isAtHand: () => false,
      sleep: (milliseconds, signal) =>
        milliseconds === 60_000
          ? Promise.race([forever(0, signal), new Promise<void>((resolve) => void clock.push(resolve))])
          : forever(milliseconds, signal),
    });
    const id = await opened();
    await turns();
    clock[0]?.();
    await one.idle();
    assert.deepEqual(journal.incident(id)?.state, {
      is: "escalated",
      reason: "it took longer than 60 s (limits.incident in hosts.yaml)",
    });
    const intime = await opened(alert({ service: "a" }));
    await turns();
    journal.append([{ incident: intime, kind: "resolved", by: "itself", why: "well" }]);
    bench.atWork.get(key("a"))?.();
    await one.idle();
    clock[1]?.();
    await turns();
    assert.equal(journal.incident(intime)?.state.is, "resolved");
  });

  it("tells a person of work that does not stop, keeps its host, and takes nothing that it writes later for a state", async () => {
    const { opened, journal, record } = world();
    let end = (): void => undefined;
    const one = createDesk({
      journal,
      log: silent,
      limits: { incidents: 4, queue: 9, incident: 60 },
      heldFor: () => undefined,
      isAtHand: () => false,
      respond: () => new Promise<void>((resolve) => void (end = resolve)),
      sleep: () => turns(1),
    });
    const id = await opened();
    const next = await opened(alert({ service: "a" }));
    await turns(6);
    const state = journal.incident(id)?.state;
    assert.match(state?.is === "escalated" ? state.reason : "", /and it does not stop/);
    assert.equal(journal.incident(next)?.state.is, "open");
    record(id, fixStarted, dispatched);
    assert.deepEqual(journal.incident(id)?.state, state);
    const ended = end;
    ended();
    await turns(8);
    assert.equal(journal.incident(next)?.state.is, "escalated");
    end();
    await one.idle();
  });

  it("resolves an escalation whose alerts were all resolved meanwhile; one that still fires stays a person's", async () => {
    for (const status of ["resolved", "firing"] as const) {
      const { desk, opened, intake, journal, record } = world();
      const one = desk(async ({ id }) => {
        record(id, { kind: "investigation-started", resumed: false });
        await intake.accept([alert({ status })]);
        record(id, { kind: "escalated", reason: "no idea" });
      });
      const id = await opened();
      await one.idle();
      assert.equal(journal.incident(id)?.state.is, status === "resolved" ? "resolved" : "escalated");
    }
  });

  it("leaves to a person what a person asked for", async () => {
    const { desk, intake, journal, record } = world();
    const one = desk(({ id }) => Promise.resolve(record(id, { kind: "escalated", reason: "no idea" })));
    const taken = await intake.investigate("nexus", "scrypted");
    await one.idle();
    assert.ok("id" in taken);
    assert.equal(journal.incident(taken.id)?.state.is, "escalated");
  });
});

/** A journal that refuses these events while the disk is full. */
function fullDisk(journal: ReturnType<typeof world>["journal"], refuses: (kind: string) => boolean = () => true) {
  const append = journal.append.bind(journal);
  const disk = { isFull: true };
  journal.append = (events) => {
    if (disk.isFull && events.some(({ kind }) => refuses(kind))) throw new Error("the disk is full");
    return append(events);
  };
  return disk;
}

describe("the desk whose journal could not be written", () => {
  it("takes up again what was at work, whatever it was at, once there is space", async () => {
    for (const done of [[], [fixStarted], [fixStarted, dispatched]]) {
      const { desk, opened, record, journal } = world();
      const disk = fullDisk(journal);
      disk.isFull = false;
      const seen: string[] = [];
      const one = desk(async ({ id, state }) => {
        seen.push(state.is);
        if (seen.length > 1) return record(id, { kind: "resolved", by: "itself", why: "well" });
        record(id, { kind: "investigation-started", resumed: false }, ...done);
        await turns(1);
        disk.isFull = true;
        record(id, { kind: "escalated", reason: "no idea" });
      });
      const id = await opened();
      await one.idle();
      const left = journal.incident(id)?.state.is;
      disk.isFull = false;
      one.look();
      await one.idle();
      assert.deepEqual(seen, ["open", left]);
      assert.equal(journal.incident(id)?.state.is, "resolved");
    }
  });

  it("holds, or leaves to a person, what opened while that could not be written", async () => {
    for (const kind of ["held", "escalated"]) {
      const { desk, opened, journal, maintenance } = world();
      const bench = workbench();
      const disk = fullDisk(journal, (one) => one === kind);
      // One more than its queue takes is left to a person.
      const one = desk(bench.respond, { incidents: 1, queue: 0 });
      await opened(alert({ host: "atlas" }));
      await turns();
      if (kind === "held") maintenance.start({ host: "nexus", by: "alex", forSeconds: 60 });
      const id = await opened();
      assert.deepEqual(journal.incident(id)?.state, { is: "open" });
      disk.isFull = false;
      one.look();
      const state = journal.incident(id)?.state;
      assert.equal(state?.is === "open" && state.held !== undefined ? "held" : state?.is, kind);
    }
  });

  it("begins nothing anew while it cannot be written, and all of it once it can", async () => {
    const { desk, opened, journal } = world();
    const hosts = ["nexus", "atlas"];
    for (const host of hosts) await opened(alert({ host }));
    const bench = workbench();
    const one = desk(bench.respond);
    const { trouble } = journal;
    journal.trouble = () => "the disk is full";
    one.look();
    await turns();
    assert.deepEqual(bench.began, []);
    journal.trouble = trouble;
    one.look();
    await turns();
    assert.deepEqual(
      bench.began,
      hosts.map((host) => key("scrypted", host)),
    );
  });

  it("looks twice at nothing that is at work, waits or is run by hand", async () => {
    const { desk, opened, journal, record } = world();
    const bench = workbench();
    const hand = byHand(journal);
    const one = desk(bench.respond, {}, (incident) => incident === hand.id);
    const first = await opened();
    await opened(alert({ service: "a" }));
    await turns();
    record(first, { kind: "investigation-started", resumed: false });
    hand.hand.record(fixStarted);
    one.look();
    one.look();
    await turns();
    assert.deepEqual(bench.began, [key("scrypted")]);
    bench.atWork.get(key("scrypted"))?.();
    await turns();
    bench.atWork.get(key("a"))?.();
    await one.idle();
    assert.deepEqual(bench.began, [key("scrypted"), key("a")]);
  });

  it("follows a fix by hand to its end that whoever ran it could not write down, and dismisses one that had not begun", async () => {
    for (const [events, expected] of [[[fixStarted], "resolved"] as const, [[], "dismissed"] as const]) {
      const { desk, journal, record } = world();
      const { id } = byHand(journal);
      record(id, ...events);
      const well = { kind: "resolved", by: "itself", why: "well" } as const;
      const one = desk((incident) => Promise.resolve(record(incident.id, well)));
      one.look();
      await one.idle();
      assert.equal(journal.incident(id)?.state.is, expected);
    }
  });

  it("goes on when the journal cannot be read as a turn is given, and gives that turn at the next look", async () => {
    const { desk, opened, journal, record } = world();
    const one = desk(({ id }) => Promise.resolve(record(id, { kind: "resolved", by: "itself", why: "well" })));
    const id = await opened();
    const incident = journal.incident.bind(journal);
    journal.incident = () => {
      throw new Error("disk I/O error");
    };
    await one.idle();
    journal.incident = incident;
    assert.equal(journal.incident(id)?.state.is, "open");
    one.look();
    await one.idle();
    assert.equal(journal.incident(id)?.state.is, "resolved");
  });
});

describe("the desk of the next process", () => {
  it("resolves what was left to a person and was over for its monitor; what still fires stays a person's", async () => {
    for (const status of ["resolved", "firing"] as const) {
      const { desk, opened, intake, journal, record } = world();
      const bench = workbench();
      desk(bench.respond);
      const id = await opened();
      await turns();
      await intake.accept([alert({ status })]);
      // Killed between this and the end of the turn.
      record(id, { kind: "escalated", reason: "no idea" });
      desk(bench.respond).resume();
      assert.equal(journal.incident(id)?.state.is, status === "resolved" ? "resolved" : "escalated");
    }
  });

  it("takes back a question whose alert was over as the last process died", async () => {
    const { opened, journal, record, desk } = world();
    const id = await opened();
    record(
      id,
      { kind: "investigation-started", resumed: false },
      { kind: "alert-resolved", alert: alert({ status: "resolved" }), allResolved: true },
      {
        kind: "approval-requested",
        approval: `${id}.1`,
        host: "nexus",
        why: "it is down",
        evidence: [],
        tool: "docker_restart",
        input: {},
        steps: [["true"]],
        touches: ["scrypted"],
        risk: "disruptive",
        digest: "d".repeat(64),
        expiresAt: "2026-11-23T13:00:00.000Z",
      },
    );
    desk(() => Promise.resolve()).resume();
    const kinds = journal.events(id).map(({ kind }) => kind);
    assert.deepEqual(kinds.slice(-2), ["approval-withdrawn", "resolved"]);
  });

  it("ends a fix by hand that had its verdict by that verdict", async () => {
    const why = "docker says so";
    for (const [outcome, state] of [
      ["fixed", { is: "resolved", by: "medic", why }],
      ["recovered", { is: "resolved", by: "itself", why }],
      ["not-fixed", { is: "escalated", reason: `docker_restart: not-fixed: ${why}` }],
      ["unknown", { is: "escalated", reason: `docker_restart: unknown: ${why}` }],
    ] as const) {
      const { desk, journal, record } = world();
      const { id } = byHand(journal);
      record(id, fixStarted, dispatched, {
        kind: "fix-judged",
        tool: "docker_restart",
        input: { name: "scrypted" },
        outcome,
        facts,
        why,
      });
      const bench = workbench();
      desk(bench.respond).resume();
      await turns();
      assert.deepEqual(journal.incident(id)?.state, state);
      assert.deepEqual(bench.began, []);
    }
  });

  it("takes up what was open or looked into, oldest first", async () => {
    const { desk, opened, record } = world();
    const first = await opened();
    await opened(alert({ service: "a" }));
    record(first, { kind: "investigation-started", resumed: false });
    const bench = workbench();
    desk(bench.respond).resume();
    await turns();
    bench.atWork.get(key("scrypted"))?.();
    await turns();
    assert.deepEqual(bench.began, [key("scrypted"), key("a")]);
  });

  it("leaves alone what has ended, and what waits for a person", async () => {
    const { desk, opened, record } = world();
    record(await opened(), { kind: "resolved", by: "itself", why: "" });
    record(await opened(alert({ service: "a" })), { kind: "escalated", reason: "" });
    const bench = workbench();
    const one = desk(bench.respond);
    one.resume();
    await one.idle();
    assert.deepEqual(bench.began, []);
  });

  it("takes up an incident whose fix was under way as it was left: what became of it is the host's to say", async () => {
    for (const events of [[fixStarted], [fixStarted, dispatched]]) {
      const { desk, opened, record, journal } = world();
      const id = await opened();
      record(id, ...events);
      const left = journal.incident(id);
      const seen: IncidentRecord[] = [];
      const one = desk((incident) => Promise.resolve(void seen.push(incident)));
      one.resume();
      await one.idle();
      assert.deepEqual(seen, [left]);
      assert.deepEqual(left?.attempts, []);
    }
  });

  it("takes up a fix by hand that had begun, and dismisses one that had not", async () => {
    for (const [events, expected] of [[[fixStarted], 1] as const, [[], 0] as const]) {
      const { desk, journal, record } = world();
      const { id, hand } = byHand(journal);
      record(id, ...events);
      const seen: IncidentRecord[] = [];
      const one = desk((incident) => Promise.resolve(void seen.push(incident)));
      one.resume();
      await one.idle();
      assert.equal(seen.length, expected);
      if (expected === 0) assert.equal(journal.incident(id)?.state.is, "dismissed");
      hand.record({ kind: "dismissed", reason: "over" });
    }
  });

  it("says what was under way when the work throws during a fix", async () => {
    const { desk, opened, record, journal } = world();
    const one = desk(({ id }) => {
      record(id, fixStarted, dispatched);
      throw new Error("the link broke");
    });
    const id = await opened();
    await one.idle();
    const state = journal.incident(id)?.state;
    const reason = 'the link broke while "docker_restart" (scrypted) was being verified. It ran: look at the host';
    assert.deepEqual(state, { is: "escalated", reason });
  });
});

describe("the desk that closes", () => {
  it("gives no more turns, lets what is at work end, and leaves the rest to be resumed", async () => {
    const { desk, intake, journal } = world();
    const bench = workbench();
    const one = desk(bench.respond);
    await intake.accept([alert(), alert({ service: "a" })]);
    await turns();
    const closed = one.close(10);
    await intake.accept([alert({ service: "b" })]);
    await turns();
    journal.append([{ incident: journal.findLive(key("scrypted"))?.id ?? "", kind: "resolved", by: "medic", why: "" }]);
    bench.atWork.get(key("scrypted"))?.();
    await closed;
    assert.deepEqual(bench.began, [key("scrypted")]);
    assert.deepEqual(
      journal.incidents().map(({ state }) => state.is),
      ["open", "open", "resolved"],
    );
  });

  it("aborts what does not end in its grace, and does not call that an end", async () => {
    const { journal, opened, record } = world();
    const bench = workbench();
    const one = createDesk({
      journal,
      log: silent,
      respond: bench.respond,
      limits: { incidents: 4, queue: 9, incident: 60 },
      heldFor: () => undefined,
      isAtHand: () => false,
      sleep: (milliseconds, signal) => (milliseconds === 5000 ? turns(1) : forever(milliseconds, signal)),
    });
    const id = await opened();
    await turns();
    record(id, { kind: "investigation-started", resumed: false });
    await one.close(5);
    assert.equal(bench.atWork.size, 0);
    assert.equal(journal.incident(id)?.state.is, "investigating");
  });

  it("ends when nobody is at work", async () => {
    const { desk } = world();
    await desk(() => Promise.resolve()).close(10);
  });
});
