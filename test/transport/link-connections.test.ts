import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionCap } from "../../core/transport/connection-cap.ts";
import { TransportError } from "../../core/transport/errors.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";
import { change, failure, linkWith, read } from "../support/test-link.ts";

const many = (link: ReturnType<typeof linkWith>["link"], count: number) =>
  Array.from({ length: count }, (_, index) => link.run(`${index}`, { ...change, commandSeconds: 100 }));

const finish = async (all: Promise<unknown>[], ...connections: FakeConnection[]) => {
  for (let round = 0; round < all.length; round += 1) {
    for (const connection of connections) for (const channel of connection.busy) channel.finish();
    await settled();
  }
  await Promise.all(all);
};

describe("a second connection", () => {
  it("is dialed when the queue has stood for a second, and not before", async () => {
    const { link, clock, dials, connect } = linkWith();
    const all = many(link, 11);
    const first = await connect();
    await clock.advance(0.9);
    assert.equal(dials.length, 1);
    await clock.advance(0.6);
    assert.equal(dials.length, 2);
    const second = await connect();
    assert.deepEqual(second.lines, ["10"]);
    assert.equal(link.statistics().open, 2);
    await finish(all, first, second);
  });

  it("is not dialed for a queue that moves and will soon be done", async () => {
    const { link, clock, dials, connect } = linkWith();
    const all = many(link, 100);
    const connection = await connect();
    for (let round = 0; round < 12; round += 1) {
      await clock.advance(0.1);
      for (const channel of connection.busy) channel.finish();
      await settled();
    }
    await Promise.all(all);
    assert.equal(dials.length, 1);
  });

  it("is dialed for a queue that moves, but too slowly", async () => {
    const { link, clock, dials, connect } = linkWith();
    const all = many(link, 200);
    const first = await connect();
    for (let round = 0; round < 7; round += 1) {
      await clock.advance(0.2);
      for (const channel of first.busy) channel.finish();
      await settled();
    }
    assert.equal(dials.length, 2);
    await finish(all, first, await connect());
  });

  it("is dialed at once at a limit of 1 or 2, a third after it, never a fourth", async () => {
    for (const maxChannels of [1, 2]) {
      const { link, dials, connect } = linkWith({ maxChannels });
      const all = many(link, 10);
      const connections = [await connect(), await connect(), await connect()];
      assert.equal(dials.length, 3);
      assert.equal(link.statistics().inFlight, 3 * maxChannels);
      await finish(all, ...connections);
      assert.equal(dials.length, 3);
    }
  });

  it("is never dialed when one is all there may be", async () => {
    const { link, clock, dials, connect } = linkWith({ maxConnections: 1, maxChannels: 1 });
    const all = many(link, 3);
    const connection = await connect();
    await clock.advance(10);
    assert.equal(dials.length, 1);
    await finish(all, connection);
  });

  it("that cannot be had harms nobody, and is not tried again for a while", async () => {
    const { link, clock, dials, connect } = linkWith({ maxChannels: 1 });
    const all = many(link, 3);
    const connection = await connect();
    dials[1]?.reject(new TransportError("DialFailed", "nexus", "Cannot connect"));
    await clock.advance(20);
    assert.equal(dials.length, 2);
    assert.equal(link.statistics().lastError, "Cannot connect");
    await clock.advance(11);
    assert.equal(dials.length, 3);
    await finish(all, connection, await connect());
  });

  it("that cannot be had fails no command when the first is lost meanwhile: what waits has a dial of its own", async () => {
    const { link, dials, connect } = linkWith({ maxChannels: 1, maxConnections: 2 });
    const [running, waiting] = many(link, 2);
    const first = await connect();
    assert.equal(dials.length, 2);
    first.lose();
    await failure(running as Promise<unknown>);
    dials[1]?.reject(new TransportError("DialFailed", "nexus", "Cannot connect"));
    await settled();
    assert.equal(dials.length, 3);
    await finish([waiting as Promise<unknown>], await connect());
  });

  it("fails what waits when the dial of its own cannot be had either", async () => {
    const { link, dials, connect } = linkWith({ maxChannels: 1, maxConnections: 2 });
    const [running, waiting] = many(link, 2);
    (await connect()).lose();
    await failure(running as Promise<unknown>);
    const failed = failure(waiting as Promise<unknown>);
    for (const attempt of [1, 2]) {
      dials[attempt]?.reject(new TransportError("DialFailed", "nexus", "Cannot connect"));
      await settled();
    }
    assert.equal((await failed).dispatched, false);
    assert.equal(dials.length, 3);
  });

  it("goes when it is idle, long before the first, each counted", async () => {
    const { link, clock, connect, logged } = linkWith({ maxChannels: 1, maxConnections: 2 });
    const all = many(link, 2);
    const [first, second] = [await connect(), await connect()];
    await finish(all, first, second);
    await clock.advance(11);
    assert.deepEqual([first.isEnded, second.isEnded], [false, true]);
    const { dials, open, closes } = link.statistics();
    assert.deepEqual({ dials, open, closes }, { dials: 2, open: 1, closes: { surplus: 1 } });
    assert.equal(logged("ssh_connection_established").length, 2);
  });

  it("stays as long as the first would when the first is lost", async () => {
    const { link, clock, connect } = linkWith({ maxChannels: 1, maxConnections: 2, idleTimeout: 30 });
    const all = many(link, 2);
    const [first, second] = [await connect(), await connect()];
    await finish(all, first, second);
    first.lose();
    await clock.advance(29);
    assert.equal(second.isEnded, false);
    await clock.advance(1);
    assert.equal(second.isEnded, true);
    assert.deepEqual(link.statistics().closes, { lost: 1, idle: 1 });
  });
});

describe("reuse: off", () => {
  it("gives each command a connection of its own, and ends it afterwards", async () => {
    const { link, connect } = linkWith({ reuse: "off" });
    const all = many(link, 3);
    const connections = [await connect(), await connect(), await connect()];
    assert.deepEqual(
      connections.map(({ lines }) => lines),
      [["0"], ["1"], ["2"]],
    );
    await finish(all, ...connections);
    assert.ok(connections.every(({ isEnded }) => isEnded));
    const { dials, reuses, open, closes } = link.statistics();
    assert.deepEqual({ dials, reuses, open, closes }, { dials: 3, reuses: 0, open: 0, closes: { "single-use": 3 } });
  });

  it("dials one at a time, and no more at once than maxChannels says", async () => {
    const { link, dials, connect } = linkWith({ reuse: "off", maxChannels: 2 });
    const all = many(link, 3);
    assert.equal(dials.length, 1);
    const connections = [await connect(), await connect()];
    assert.equal(dials.length, 2);
    connections[0]?.busy[0]?.finish();
    await settled();
    connections.push(await connect());
    await finish(all, ...connections);
    assert.equal(dials.length, 3);
  });
});

describe("a bad connection", () => {
  it("that leaves an open unanswered takes no more commands, and those that run on it go on", async () => {
    const { link, clock, connect } = linkWith({ maxConnections: 1 });
    const running = link.run("running", { ...change, commandSeconds: 100 });
    const bad = await connect(new FakeConnection({ isEager: false }));
    bad.opening.shift()?.accept();
    await settled();
    const stuck = failure(link.run("stuck", { ...read, deadlineSeconds: 5 }));
    await clock.advance(5);
    assert.equal((await stuck).kind, "ChannelRefused");
    const next = link.run("next", read);
    const good = await connect();
    good.busy[0]?.finish();
    await next;
    assert.equal(bad.isEnded, false);
    bad.busy[0]?.finish();
    assert.equal((await running).exit, 0);
    await settled();
    assert.equal(bad.isEnded, true);
    assert.deepEqual(link.statistics().closes, { stalled: 1 });
  });

  it("is kept when only the caller was in a hurry", async () => {
    const { link, clock, connect } = linkWith();
    const hasty = failure(link.run("hasty", { ...read, deadlineSeconds: 0.5 }));
    const connection = await connect(new FakeConnection({ isEager: false }));
    await clock.advance(1);
    assert.equal((await hasty).kind, "ChannelRefused");
    assert.equal(connection.isEnded, false);
    connection.opening.shift()?.accept();
    await settled();
    assert.equal(link.statistics().inFlight, 0);
  });
});

describe("the cap on connections over all hosts", () => {
  it("ends the one that was idle longest to make room", async () => {
    const [cap, clock] = [new ConnectionCap(2), new FakeClock()];
    const hosts = [linkWith({}, { cap, clock }), linkWith({}, { cap, clock }), linkWith({}, { cap, clock })];
    const connections: FakeConnection[] = [];
    for (const { link, connect } of hosts) {
      const one = link.run("one", read);
      const connection = await connect();
      connections.push(connection);
      connection.busy[0]?.finish();
      await one;
      await clock.advance(1);
    }
    assert.deepEqual(
      connections.map(({ isEnded }) => isEnded),
      [true, false, false],
    );
    assert.deepEqual(hosts[0]?.link.statistics().closes, { evicted: 1 });
  });

  it("makes a dial wait while all are in use, and lets it go on when one is not", async () => {
    const [cap, clock] = [new ConnectionCap(1), new FakeClock()];
    const [busy, other] = [linkWith({}, { cap, clock }), linkWith({}, { cap, clock })];
    const running = busy.link.run("running", read);
    const first = await busy.connect();
    const waiting = other.link.run("waiting", read);
    const late = failure(other.link.run("late", { ...read, deadlineSeconds: 1 }));
    await clock.advance(2);
    assert.equal((await late).kind, "DialTimeout");
    assert.equal(other.dials.length, 0);
    first.busy[0]?.finish();
    await running;
    await settled();
    assert.equal(first.isEnded, true);
    (await other.connect()).busy[0]?.finish();
    assert.equal((await waiting).exit, 0);
  });

  it("gives the place of a failed dial back", async () => {
    const [cap, clock] = [new ConnectionCap(1), new FakeClock()];
    const { link, dials, connect } = linkWith({}, { cap, clock });
    const failed = failure(link.run("failed", read));
    dials[0]?.reject(new Error("no route"));
    await failed;
    const next = link.run("next", read);
    (await connect()).busy[0]?.finish();
    await next;
  });
});
