import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IncidentEvent } from "../../core/incident/incident.ts";
import { createMemoryJournal, type Journal } from "../../core/incident/journal.ts";
import { silent } from "../../core/log.ts";
import type { Change } from "../../core/notify/change.ts";
import type { Channel } from "../../core/notify/channel.ts";
import type { Message } from "../../core/notify/message.ts";
import { createOutbox } from "../../core/notify/outbox.ts";
import type { Sent } from "../../core/notify/outgoing.ts";
import type { FakeClock } from "../support/clock.ts";
import { alert, fixStarted, world } from "../incident/world.ts";

const usual: readonly Change[] = ["approval", "fixed", "resolved", "escalated"];
const escalated: IncidentEvent = { kind: "escalated", reason: "it stays dark" };
const resolved: IncidentEvent = { kind: "resolved", by: "monitor", why: "the monitor says so" };

/** A channel that is up or not; `sent` is what it took. */
function fakeChannel(name = "phone", on = usual) {
  const sent: Message[] = [];
  const state: { answer: (message: Message) => Sent | Promise<Sent>; tries: number } = {
    answer: () => ({ is: "sent" }),
    tries: 0,
  };
  const channel: Channel = {
    name,
    on,
    async send(message) {
      state.tries++;
      const answer = await state.answer(message);
      if (answer.is === "sent") sent.push(message);
      return answer;
    },
  };
  return { channel, sent, state, down: () => (state.answer = () => ({ is: "down", why: "it is off" })) };
}

/** Sleeping ends only when the test says so, so no try comes unasked. */
function pausedSleep(clock: FakeClock) {
  let waiting: { ms: number; go(): void }[] = [];
  const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (): void => reject(new Error("aborted"));
      if (signal.aborted) return stop();
      signal.addEventListener("abort", stop, { once: true });
      waiting.push({ ms, go: resolve });
    });
  return {
    sleep,
    /** Lets all who sleep wake up; says how long they slept. */
    async wake(): Promise<number[]> {
      const woken = waiting.splice(0);
      waiting = [];
      for (const { ms, go } of woken) {
        clock.advance(ms);
        go();
      }
      await settled();
      return woken.map(({ ms }) => ms);
    },
  };
}

/** Everything that can happen without time has happened. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
}

function telling(journal?: Journal) {
  const around = world(journal === undefined ? {} : { journal });
  const pause = pausedSleep(around.clock);
  const start = (...channels: Channel[]) => {
    const outbox = createOutbox({
      journal: around.journal,
      linkTo: (approval) => `https://medic.example/a/${approval}/signature`,
      withinSeconds: () => 86_400,
      now: around.clock.now,
      sleep: pause.sleep,
      log: silent,
    });
    outbox.take(channels);
    return outbox;
  };
  const kinds = (incident: string): string[] => around.journal.events(incident).map(({ kind }) => kind);
  return { ...around, ...pause, start, kinds };
}

describe("the outbox", () => {
  it("tells of each change once, with where to look and the journal's head", async () => {
    const { opened, record, start, kinds, journal } = telling();
    const phone = fakeChannel();
    start(phone.channel);
    const incident = await opened();
    await settled();
    assert.equal(phone.sent.length, 0, "opened is not among what it wants");
    record(incident, escalated);
    const head = journal.head();
    await settled();
    assert.equal(phone.sent.length, 1);
    const [message] = phone.sent;
    assert.equal(message?.title, "nexus/docker:scrypted needs you");
    assert.equal(message?.change, "escalated");
    assert.equal(message?.head, `${head.sequence}:${head.hash}`);
    assert.match(message?.text ?? "", new RegExp(`^it stays dark\\nincident ${incident}\\njournal ${head.sequence}:`));
    assert.match(message?.id ?? "", /^[-_A-Za-z0-9]{1,64}$/);
    assert.equal(kinds(incident).at(-1), "notification-sent");
    record(incident, { kind: "alert-folded", alert: alert() });
    await settled();
    assert.equal(phone.sent.length, 1, "an alert that folds changes no state");
    record(incident, resolved);
    await settled();
    assert.deepEqual(
      phone.sent.map(({ change }) => change),
      ["escalated", "resolved"],
    );
  });

  it("tells what Medic fixed apart from what was well by itself", async () => {
    const { opened, record, start } = telling();
    const phone = fakeChannel("phone", ["fixed"]);
    start(phone.channel);
    record(await opened(), resolved);
    record(await opened(alert({ service: "caddy" })), { kind: "resolved", by: "medic", why: "it answers" });
    await settled();
    assert.deepEqual(
      phone.sent.map(({ key }) => key),
      ["nexus/docker:caddy"],
    );
  });

  it("asks with the commands, the risk and a link", async () => {
    const { opened, record, start, clock } = telling();
    const phone = fakeChannel();
    start(phone.channel);
    const incident = await opened();
    record(incident, asked(incident, clock.now(), [["root", "docker", "restart", "--", "3a191c2c"]]));
    await settled();
    const [message] = phone.sent;
    assert.equal(message?.title, "Run docker_restart on nexus?");
    assert.match(
      message?.text ?? "",
      /\$ sudo docker restart -- 3a191c2c\ndisruptive; no answer until \d\d:\d\d UTC is a no/,
    );
    assert.equal(message?.question?.link, `https://medic.example/a/${incident}.1/signature`);
    assert.equal(message?.question?.isWhole, true);
  });

  it("says so when the commands are longer than a message", async () => {
    const { opened, record, start, clock } = telling();
    const phone = fakeChannel();
    start(phone.channel);
    const incident = await opened();
    record(incident, asked(incident, clock.now(), [["rm", "x".repeat(900)]]));
    await settled();
    assert.equal(phone.sent[0]?.question?.isWhole, false);
    assert.match(phone.sent[0]?.text ?? "", /1 commands?, too long for here/);
  });

  it("keeps secrets and endless texts out of a message", async () => {
    const { opened, record, start } = telling();
    const phone = fakeChannel();
    start(phone.channel);
    record(await opened(), { kind: "escalated", reason: `password=hunter2hunter2 \u202e${"y".repeat(5000)}` });
    await settled();
    const text = phone.sent[0]?.text ?? "";
    assert.doesNotMatch(text, /hunter2|\u202e/);
    assert.ok(text.length < 700, String(text.length));
  });

  it("says nothing of a fix that a person runs by hand", async () => {
    const { journal, start } = telling();
    const phone = fakeChannel();
    start(phone.channel);
    const incident = "20261123-1200-byhand";
    const target = { host: "nexus", plugin: "docker", service: "by-hand/x" };
    journal.append([
      { incident, kind: "incident-opened", key: "nexus/docker:by-hand/x", target, alert: alert(), byHand: true },
      { incident, ...escalated },
    ]);
    await settled();
    assert.equal(phone.state.tries, 0);
  });

  it("stands in nobody's way: one channel that is down holds up no other", async () => {
    const { opened, record, start, wake } = telling();
    const phone = fakeChannel();
    const hook = fakeChannel("hook");
    phone.down();
    const outbox = start(phone.channel, hook.channel);
    const incident = await opened();
    record(incident, escalated);
    await settled();
    assert.equal(hook.sent.length, 1);
    assert.deepEqual(outbox.numbers(), [
      { channel: "phone", sent: 0, failed: 1, givenUp: 0, waiting: 1 },
      { channel: "hook", sent: 1, failed: 0, givenUp: 0, waiting: 0 },
    ]);
    phone.state.answer = () => ({ is: "sent" });
    await wake();
    assert.equal(phone.sent.length, 1);
  });

  it("tries again, each time later, until the channel is back; and then once", async () => {
    const { opened, record, start, wake } = telling();
    const phone = fakeChannel();
    phone.down();
    start(phone.channel);
    record(await opened(), escalated);
    await settled();
    const waits: number[] = [];
    for (let tries = 0; tries < 12; tries++) waits.push(...(await wake()));
    assert.deepEqual(waits.slice(0, 4), [1000, 2000, 4000, 8000]);
    assert.equal(waits.at(-1), 300_000);
    phone.state.answer = () => ({ is: "sent" });
    await wake();
    await wake();
    assert.equal(phone.sent.length, 1);
    assert.equal(phone.state.tries, 14);
  });

  it("tells the newest change only, of each incident, when the channel is back", async () => {
    const { opened, record, start, wake } = telling();
    const phone = fakeChannel("phone", [...usual, "opened", "fixing"]);
    phone.down();
    start(phone.channel);
    const first = await opened();
    const second = await opened(alert({ service: "caddy" }));
    record(first, fixStarted);
    record(second, escalated);
    record(first, { kind: "resolved", by: "medic", why: "it answers" });
    await settled();
    phone.state.answer = () => ({ is: "sent" });
    await wake();
    assert.deepEqual(phone.sent.map(({ key, change }) => `${key} ${change}`).toSorted(), [
      "nexus/docker:caddy escalated",
      "nexus/docker:scrypted fixed",
    ]);
  });

  it("asks nobody what nobody can answer any more", async () => {
    const { opened, record, start, wake, clock } = telling();
    const phone = fakeChannel();
    phone.down();
    start(phone.channel);
    const incident = await opened();
    record(incident, asked(incident, clock.now(), [["true"]]));
    await settled();
    const digest = "d".repeat(64);
    record(incident, {
      kind: "approval-given",
      approval: `${incident}.1`,
      by: "alex",
      tool: "docker_restart",
      input: {},
      digest,
      until: new Date(clock.now()).toISOString(),
    });
    phone.state.answer = () => ({ is: "sent" });
    await wake();
    assert.deepEqual(phone.sent, []);
  });

  it("gives up what the channel refuses for good, and goes on with the next", async () => {
    const { opened, record, start, kinds, wake } = telling();
    const phone = fakeChannel();
    phone.state.answer = ({ key }) =>
      key === "nexus/docker:scrypted" ? { is: "refused", why: "it answered 400" } : { is: "sent" };
    const outbox = start(phone.channel);
    const first = await opened();
    record(first, escalated);
    record(await opened(alert({ service: "caddy" })), escalated);
    await settled();
    assert.equal(kinds(first).at(-1), "notification-given-up");
    assert.equal(phone.sent.length, 1);
    assert.equal(outbox.numbers()[0]?.givenUp, 1);
    await wake();
    assert.equal(phone.state.tries, 2);
  });

  it("gives up what could not be told in time, and no sooner", async () => {
    const { opened, record, start, kinds, wake, clock } = telling();
    const phone = fakeChannel();
    phone.down();
    start(phone.channel);
    const incident = await opened();
    record(incident, escalated);
    await settled();
    clock.advance(86_399_000 - 1000);
    await wake();
    assert.ok(!kinds(incident).includes("notification-given-up"));
    clock.advance(1000);
    await wake();
    assert.equal(kinds(incident).at(-1), "notification-given-up");
    phone.state.answer = () => ({ is: "sent" });
    await wake();
    assert.deepEqual(phone.sent, []);
  });

  it("sends nothing twice though what it sent cannot be written down for a while", async () => {
    const { opened, record, start, wake, journal, kinds } = telling();
    const phone = fakeChannel();
    start(phone.channel);
    const incident = await opened();
    const append = journal.append.bind(journal);
    let fails = 2;
    journal.append = (events) => {
      if (events[0]?.kind === "notification-sent" && fails-- > 0) throw new Error("the disk is full");
      return append(events);
    };
    record(incident, escalated);
    await settled();
    await wake();
    await wake();
    assert.equal(phone.state.tries, 1);
    assert.equal(kinds(incident).at(-1), "notification-sent");
  });
});

describe("the outbox whose journal could not be read", () => {
  it("tells it a little later, and meanwhile goes on with the others", async () => {
    const { opened, record, start, wake, journal } = telling();
    const phone = fakeChannel();
    const outbox = start(phone.channel);
    const [first, second] = [await opened(), await opened(alert({ service: "caddy" }))];
    const incident = journal.incident.bind(journal);
    let fails = 2;
    journal.incident = (id) => {
      if (id === first && fails-- > 0) throw new Error("disk I/O error");
      return incident(id);
    };
    record(first, escalated);
    record(second, escalated);
    await settled();
    await wake();
    assert.deepEqual(
      phone.sent.map(({ key }) => key),
      ["nexus/docker:caddy"],
    );
    await wake();
    assert.deepEqual(
      phone.sent.map(({ key }) => key),
      ["nexus/docker:caddy", "nexus/docker:scrypted"],
    );
    await outbox.close(0);
  });
});

describe("the outbox of the next process", () => {
  it("tells what the last one could not, and nothing that it could", async () => {
    const { opened, record, start, clock } = telling();
    const phone = fakeChannel();
    const first = start(phone.channel);
    record(await opened(), escalated);
    await settled();
    phone.down();
    record(await opened(alert({ service: "caddy" })), escalated);
    await settled();
    const closed = first.close(0);
    await settled();
    await closed;
    const again = fakeChannel();
    clock.advance(60_000);
    start(again.channel);
    await settled();
    assert.deepEqual(
      again.sent.map(({ key }) => key),
      ["nexus/docker:caddy"],
    );
  });

  it("finds what changed while nobody was told", async () => {
    const { opened, record, start } = telling();
    const phone = fakeChannel();
    await start(phone.channel).close(0);
    record(await opened(), escalated);
    start(phone.channel);
    await settled();
    assert.equal(phone.sent.length, 1);
  });

  it("tells a channel that is new nothing of what was before it", async () => {
    const { opened, record, start } = telling();
    record(await opened(), escalated);
    const phone = fakeChannel();
    start(phone.channel);
    await settled();
    assert.equal(phone.state.tries, 0);
    record(await opened(alert({ service: "caddy" })), escalated);
    await settled();
    assert.equal(phone.sent.length, 1);
  });

  it("repeats what may have arrived, with the same id", async () => {
    const { opened, record, start } = telling();
    const ids: string[] = [];
    const phone = fakeChannel();
    let arrived: (sent: Sent) => void = () => undefined;
    phone.state.answer = ({ id }) => {
      ids.push(id);
      return new Promise((resolve) => (arrived = resolve));
    };
    const first = start(phone.channel);
    record(await opened(), escalated);
    await settled();
    const closed = first.close(0);
    arrived({ is: "down", why: "Medic is stopping" });
    await settled();
    await closed;
    const again = fakeChannel();
    start(again.channel);
    await settled();
    assert.deepEqual(
      again.sent.map(({ id }) => id),
      ids,
    );
  });

  it("gives up what grew too old while nobody was there", async () => {
    const { opened, record, start, clock, kinds } = telling();
    const phone = fakeChannel();
    await start(phone.channel).close(0);
    const incident = await opened();
    record(incident, escalated);
    clock.advance(86_401_000);
    start(phone.channel);
    await settled();
    assert.equal(phone.state.tries, 0);
    assert.equal(kinds(incident).at(-1), "notification-given-up");
  });
});

describe("channels that change while Medic runs", () => {
  it("count at once: what waits goes the new way, what is gone is told nothing", async () => {
    const { opened, record, start, wake } = telling();
    const phone = fakeChannel();
    const hook = fakeChannel("hook");
    phone.down();
    const outbox = start(phone.channel, hook.channel);
    record(await opened(), escalated);
    await settled();
    const moved = fakeChannel();
    outbox.take([moved.channel]);
    await wake();
    assert.equal(moved.sent.length, 1);
    record(await opened(alert({ service: "caddy" })), escalated);
    await settled();
    assert.equal(moved.sent.length, 2);
    assert.equal(hook.sent.length, 1);
  });
});

it("count all or none: where one cannot be noted in the journal, those from before go on", async () => {
  const { start, journal, opened, record } = telling();
  const phone = fakeChannel();
  const outbox = start(phone.channel);
  const { note } = journal;
  const before = journal.head();
  journal.note = (event) => {
    if (event.kind === "channel-added" && event.channel === "pager") throw new Error("the disk is full");
    note.call(journal, event);
  };
  const [hook, pager] = [fakeChannel("hook"), fakeChannel("pager")];
  assert.throws(() => outbox.take([hook.channel, pager.channel]), /the disk is full/);
  assert.deepEqual(
    outbox.numbers().map(({ channel }) => channel),
    ["phone"],
  );
  assert.deepEqual(journal.head(), before);
  record(await opened(), escalated);
  await settled();
  assert.deepEqual([phone.sent.length, hook.sent.length, pager.sent.length], [1, 0, 0]);
});

it("without a channel the journal is not written to", () => {
  const journal = createMemoryJournal({ now: Date.now });
  const before = journal.head();
  telling(journal).start();
  assert.deepEqual(journal.head(), before);
});

function asked(incident: string, at: number, steps: readonly (readonly [string, ...string[]])[]): IncidentEvent {
  return {
    kind: "approval-requested",
    approval: `${incident}.1`,
    host: "nexus",
    tool: "docker_restart",
    input: {},
    steps,
    touches: ["scrypted"],
    risk: "disruptive",
    why: "trust",
    evidence: [],
    digest: "d".repeat(64),
    expiresAt: new Date(at + 3_600_000).toISOString(),
  };
}
