import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DialBreaker } from "../../core/transport/dial-breaker.ts";
import { TransportError } from "../../core/transport/errors.ts";
import { settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";
import { sshHost } from "../support/ssh-host.ts";
import { change, failure, linkWith, read } from "../support/test-link.ts";

const asked = () => new FakeConnection({ canProbe: true });

describe("keepalives", () => {
  it("come every five seconds while a command runs, and find a dead host within twenty", async () => {
    const { link, clock, connect, logged } = linkWith();
    const sent = failure(link.run("sent", { ...change, commandSeconds: 100 }));
    const connection = await connect(asked());
    await clock.advance(19);
    assert.equal(connection.probes.length, 3);
    await clock.advance(1);
    const error = await sent;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.equal(connection.isCut, true);
    assert.equal(logged("ssh_connection_closed")[0]?.["reason"], "keepalive");
    assert.deepEqual(link.statistics().closes, { keepalive: 1 });
  });

  it("come at the set interval while none runs", async () => {
    const { link, clock, connect } = linkWith();
    const one = link.run("one", read);
    const connection = await connect(asked());
    connection.busy[0]?.finish();
    await one;
    await clock.advance(15);
    assert.equal(connection.probes.length, 1);
    await clock.advance(15);
    assert.equal(connection.probes.length, 2);
    connection.answer();
    await clock.advance(49);
    assert.equal(connection.isEnded, false);
    await clock.advance(1);
    assert.deepEqual(link.statistics().closes, { keepalive: 1 });
  });

  it("take any output for a sign of life", async () => {
    const { link, clock, connect } = linkWith();
    const slow = link.run("slow", { ...change, commandSeconds: 1000 });
    const connection = await connect(asked());
    for (let round = 0; round < 30; round += 1) {
      connection.bytes += 1000;
      await clock.advance(5);
    }
    assert.equal(connection.isEnded, false);
    connection.busy[0]?.finish();
    assert.equal((await slow).exit, 0);
  });

  it("are not put off by commands that come and time out", async () => {
    const { link, clock, connect } = linkWith({ keepaliveInterval: 4 });
    const first = failure(link.run("0", { ...change, commandSeconds: 2 }));
    const connection = await connect(asked());
    const all = [first];
    for (let round = 1; round < 8; round += 1) {
      await clock.advance(2);
      connection.busy[0]?.finish(1);
      all.push(failure(link.run(`${round}`, { ...change, commandSeconds: 2 })));
    }
    await clock.advance(2);
    assert.equal(connection.isCut, true);
    await Promise.allSettled(all);
  });

  it("do not come when the interval is 0", async () => {
    const { link, clock, connect } = linkWith({ keepaliveInterval: 0, idleTimeout: 0 });
    const one = link.run("one", read);
    const connection = await connect(asked());
    connection.busy[0]?.finish();
    await one;
    await clock.advance(1000);
    assert.equal(connection.probes.length, 0);
    assert.equal(clock.armed, 0);
  });
});

describe("a connection that nobody has used for a minute", () => {
  const rested = async (seconds: number) => {
    const made = linkWith({ keepaliveInterval: 0 });
    const one = made.link.run("one", read);
    const connection = await made.connect(asked());
    connection.busy[0]?.finish();
    await one;
    await made.clock.advance(seconds);
    return { ...made, connection };
  };

  it("is asked whether it lives before the next command, and used when it answers", async () => {
    const { link, connection, dials } = await rested(61);
    const next = link.run("next", change);
    const beside = link.run("beside", change);
    await settled();
    assert.deepEqual(connection.lines, ["one"]);
    assert.equal(connection.probes.length, 1);
    connection.answer();
    await settled();
    assert.deepEqual(connection.lines, ["one", "next", "beside"]);
    for (const channel of connection.busy) channel.finish();
    await Promise.all([next, beside]);
    assert.equal(dials.length, 1);
  });

  it("is given up when it does not answer within three seconds, and the command was not sent over it", async () => {
    const { link, clock, connection, dials, connect } = await rested(61);
    const next = link.run("next", change);
    await clock.advance(2.9);
    assert.equal(dials.length, 1);
    await clock.advance(0.1);
    assert.equal(connection.isCut, true);
    const fresh = await connect();
    fresh.busy[0]?.finish();
    assert.equal((await next).exit, 0);
    assert.deepEqual(connection.lines, ["one"]);
    assert.deepEqual(link.statistics().closes, { probe: 1 });
  });

  it("is not asked when the rest was shorter", async () => {
    const { link, connection } = await rested(59);
    const next = link.run("next", change);
    assert.deepEqual(connection.lines.length + connection.opening.length, 1);
    await settled();
    assert.equal(connection.probes.length, 0);
    connection.busy[0]?.finish();
    await next;
  });

  it("is found dead on a real link that went silent, and the command runs over a new one", async () => {
    await using host = await sshHost({ pool: { keepaliveInterval: 1, keepaliveCount: 1 } });
    await host.transport.run("nexus", ["true"], read);
    const slow = failure(host.transport.run("nexus", ["sleep", "91"], change));
    await host.server.until(({ commands }) => commands.length === 2);
    host.server.silence();
    const error = await slow;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
    assert.equal(host.server.counts.connections, 2);
  });
});

describe("dials that keep failing", () => {
  const fail = async (made: ReturnType<typeof linkWith>) => {
    const failed = failure(made.link.run("failed", read));
    made.dials.at(-1)?.reject(new TransportError("AuthenticationFailed", "nexus", "Cannot log in"));
    return failed;
  };

  it("are not tried after the third in a row, and commands fail at once with the time of the next", async () => {
    const made = linkWith();
    for (let count = 0; count < 3; count += 1) assert.equal((await fail(made)).message, "Cannot log in");
    const refused = await failure(made.link.run("refused", read));
    assert.equal(refused.kind, "AuthenticationFailed");
    assert.equal(refused.dispatched, false);
    assert.match(refused.message, /^Cannot log in \(not tried again: 3 dials in a row have failed, next try in 2 s\)$/);
    assert.equal(made.dials.length, 3);
    assert.equal(made.link.statistics().nextDialSeconds, 2);
    assert.equal(made.link.statistics().dials, 3);
  });

  it("are tried once when the time has come, and later each time it fails again", async () => {
    const made = linkWith();
    for (let count = 0; count < 3; count += 1) await fail(made);
    await made.clock.advance(2);
    await fail(made);
    assert.equal(made.dials.length, 4);
    await made.clock.advance(3.9);
    await failure(made.link.run("still refused", read));
    assert.equal(made.dials.length, 4);
    await made.clock.advance(0.1);
    const again = made.link.run("again", read);
    const connection = await made.connect();
    connection.busy[0]?.finish();
    assert.equal((await again).exit, 0);
    assert.equal(made.link.statistics().nextDialSeconds, undefined);
  });

  it("begin to count anew after one that succeeded", async () => {
    const made = linkWith();
    for (let count = 0; count < 2; count += 1) await fail(made);
    const good = made.link.run("good", read);
    const connection = await made.connect();
    connection.busy[0]?.finish();
    await good;
    connection.lose();
    await settled();
    for (let count = 0; count < 3; count += 1) assert.equal((await fail(made)).message, "Cannot log in");
    assert.equal(made.dials.length, 6);
  });

  it("wait a minute at most, give or take a quarter", () => {
    for (const [random, leastSeconds, mostSeconds] of [
      [0, 45, 45],
      [1, 75, 75],
    ] as const) {
      const breaker = new DialBreaker(
        () => 0,
        () => random,
      );
      for (let count = 0; count < 20; count += 1) breaker.failed(new TransportError("DialFailed", "nexus", "no"));
      assert.ok(breaker.waitSeconds >= leastSeconds && breaker.waitSeconds <= mostSeconds, `${breaker.waitSeconds}`);
    }
  });
});
