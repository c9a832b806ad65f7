import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TransportError } from "../../core/transport/errors.ts";
import { settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";
import { change, failure, linkWith, read } from "../support/test-link.ts";

describe("the dial", () => {
  it("is one for a hundred cold commands", async () => {
    const { link, dials, connect } = linkWith();
    const all = Array.from({ length: 100 }, (_, index) => link.run(`command ${index}`, read));
    const connection = await connect();
    for (let index = 0; index < 100; index += 1) {
      connection.channels[index]?.finish();
      await settled();
    }
    assert.equal((await Promise.all(all)).length, 100);
    assert.equal(dials.length, 1);
    assert.deepEqual(
      connection.lines,
      Array.from({ length: 100 }, (_, index) => `command ${index}`),
    );
  });

  it("gives its error to all that wait, and the next command dials again", async () => {
    const { link, dials, connect, logged } = linkWith();
    const waiting = [failure(link.run("a", read)), failure(link.run("b", read))];
    dials[0]?.reject(new TransportError("AuthenticationFailed", "nexus", "Cannot log in"));
    for (const error of await Promise.all(waiting)) {
      assert.equal(error.kind, "AuthenticationFailed");
      assert.equal(error.dispatched, false);
    }
    assert.equal(link.statistics().lastError, "Cannot log in");
    assert.equal(logged("ssh_dial_failed").length, 1);
    const again = link.run("c", read);
    const connection = await connect();
    connection.channels[0]?.finish();
    assert.equal((await again).exit, 0);
    assert.equal(dials.length, 2);
  });

  it("that outlasts a command's deadline fails that command as DialTimeout and goes on for the others", async () => {
    const { link, clock, connect } = linkWith();
    const hasty = failure(link.run("hasty", { ...read, deadlineSeconds: 3 }));
    const patient = link.run("patient", read);
    await clock.advance(4);
    const error = await hasty;
    assert.equal(error.kind, "DialTimeout");
    assert.equal(error.dispatched, false);
    const connection = await connect();
    connection.channels[0]?.finish();
    await patient;
    assert.deepEqual(connection.lines, ["patient"]);
  });
});

describe("a lost connection", () => {
  it("fails what was sent as dispatched, and dials again for what was not", async () => {
    const { link, dials, connect, logged } = linkWith({ maxChannels: 1 });
    const sent = failure(link.run("sent", change));
    const waiting = link.run("waiting", change);
    const first = await connect();
    first.lose();
    await settled();
    const error = await sent;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.equal(dials.length, 2);
    const second = await connect();
    second.channels[0]?.finish();
    assert.equal((await waiting).exit, 0);
    assert.deepEqual(first.lines, ["sent"]);
    assert.deepEqual(second.lines, ["waiting"]);
    assert.equal(logged("ssh_connection_closed")[0]?.["reason"], "lost");
  });

  it("under an opening channel sends the command over the next connection, once", async () => {
    const { link, connect } = linkWith();
    const opening = failure(link.run("opening", change));
    (await connect(new FakeConnection({ isEager: false }))).lose();
    await settled();
    (await connect(new FakeConnection({ isEager: false }))).lose();
    const error = await opening;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, false);
    assert.match(error.message, /nothing ran/);
  });
});

describe("idle eviction", () => {
  it("closes the connection at the set time, and the next command dials", async () => {
    const { link, clock, dials, connect, logged } = linkWith({ idleTimeout: 30 });
    const one = link.run("one", read);
    const connection = await connect();
    connection.channels[0]?.finish();
    await one;
    await clock.advance(29);
    assert.equal(connection.isEnded, false);
    await clock.advance(1);
    assert.equal(connection.isEnded, true);
    assert.deepEqual(logged("ssh_connection_closed"), [{ host: "nexus", reason: "idle", commands: 1 }]);
    const two = link.run("two", read);
    const next = await connect();
    next.channels[0]?.finish();
    await two;
    assert.equal(dials.length, 2);
  });

  it("counts from the end of the last command, not from its start", async () => {
    const { link, clock, connect } = linkWith({ idleTimeout: 30 });
    const one = link.run("one", { ...read, commandSeconds: 100 });
    const connection = await connect();
    await clock.advance(90);
    assert.equal(connection.isEnded, false);
    connection.channels[0]?.finish();
    await one;
    await clock.advance(29);
    assert.equal(connection.isEnded, false);
    await clock.advance(1);
    assert.equal(connection.isEnded, true);
  });

  it("does not happen while the host has not let go of a slot", async () => {
    const { link, clock, connect } = linkWith({ idleTimeout: 30 });
    const one = link.run("one", read);
    const connection = await connect();
    connection.channels[0]?.end();
    await one;
    await clock.advance(100);
    assert.equal(connection.isEnded, false);
  });

  it("never happens when it is 0", async () => {
    const { link, clock, connect } = linkWith({ idleTimeout: 0 });
    const one = link.run("one", read);
    const connection = await connect();
    connection.channels[0]?.finish();
    await one;
    await clock.advance(1_000_000);
    assert.equal(connection.isEnded, false);
  });
});

describe("closing", () => {
  const drain = { diagnostics: 5, fixes: 30 };

  it("lets what runs finish, refuses what waits and what comes, then ends the connection", async () => {
    const { link, connect, logged } = linkWith({ maxChannels: 1 });
    const running = link.run("running", read);
    const waiting = failure(link.run("waiting", read));
    const connection = await connect();
    const closed = link.close("shutdown", drain);
    const late = failure(link.run("late", read));
    for (const error of await Promise.all([waiting, late])) {
      assert.equal(error.kind, "Closed");
      assert.equal(error.dispatched, false);
    }
    assert.equal(link.statistics().state, "draining");
    assert.equal(connection.isEnded, false);
    connection.channels[0]?.finish();
    assert.equal((await running).exit, 0);
    await closed;
    assert.equal(connection.isEnded, true);
    assert.deepEqual(logged("ssh_connection_closed"), [{ host: "nexus", reason: "shutdown", commands: 1 }]);
  });

  it("kills a diagnostic after its bound, and waits longer for a fix that it never signals", async () => {
    const { link, clock, connect } = linkWith();
    const reading = failure(link.run("reading", { ...read, commandSeconds: 100 }));
    const fixing = failure(link.run("fixing", { ...change, commandSeconds: 100 }));
    const connection = await connect();
    const closed = link.close("shutdown", drain);
    await clock.advance(5);
    assert.equal((await reading).dispatched, true);
    assert.equal(connection.isEnded, false);
    await clock.advance(25);
    const error = await fixing;
    assert.equal(error.kind, "Closed");
    assert.equal(error.dispatched, true);
    await closed;
    assert.deepEqual(
      connection.channels.map((channel) => channel.isKilled),
      [true, false],
    );
    assert.equal(connection.isEnded, true);
    assert.equal(clock.armed, 0);
  });

  it("calls a dial off, and ends a connection that comes all the same", async () => {
    const { link, connect } = linkWith();
    const waiting = failure(link.run("waiting", read));
    await link.close("shutdown", drain);
    assert.equal((await waiting).kind, "Closed");
    const connection = await connect();
    assert.equal(connection.isEnded, true);
    assert.equal(link.statistics().state, "closed");
  });
});

describe("the log", () => {
  it("says established once and reusing for each further command", async () => {
    const { link, connect, logged } = linkWith();
    const all = Array.from({ length: 5 }, (_, index) => link.run(`${index}`, read));
    const connection = await connect();
    for (const channel of connection.channels) channel.finish();
    await Promise.all(all);
    assert.deepEqual(logged("ssh_connection_established"), [
      { host: "nexus", address: "fake:22", fingerprint: "SHA256:fake", seconds: 0 },
    ]);
    const reused = logged("reusing_ssh_connection");
    assert.equal(reused.length, 4);
    assert.equal(reused[0]?.["tool"], "docker_status");
    const { dials, reuses, commands } = link.statistics();
    assert.deepEqual({ dials, reuses, commands }, { dials: 1, reuses: 4, commands: 5 });
  });
});
