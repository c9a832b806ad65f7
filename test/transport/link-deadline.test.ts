import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";
import { change, failure, linkWith, read } from "../support/test-link.ts";

describe("a deadline", () => {
  it("while the channel opens is ChannelRefused, and a late open is closed with nothing sent", async () => {
    const { link, clock, connect } = linkWith();
    const late = failure(link.run("late", { ...change, deadlineSeconds: 5 }));
    const connection = await connect(new FakeConnection({ isEager: false }));
    await clock.advance(6);
    const error = await late;
    assert.equal(error.kind, "ChannelRefused");
    assert.equal(error.dispatched, false);
    const channel = connection.opening[0]?.accept();
    await settled();
    assert.equal(channel?.line, undefined);
    assert.equal(channel?.isClosed, true);
    assert.equal(link.statistics().inFlight, 0);
  });

  it("kills a diagnostic that runs, and holds the slot until the host has let go", async () => {
    const { link, clock, connect, logged } = linkWith();
    const slow = failure(link.run("slow", { ...read, deadlineSeconds: 5 }));
    const connection = await connect();
    await clock.advance(5);
    const error = await slow;
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    assert.equal(connection.channels[0]?.isKilled, true);
    assert.equal(link.statistics().inFlight, 1);
    connection.channels[0]?.finish(137);
    await settled();
    assert.equal(link.statistics().inFlight, 0);
    assert.deepEqual(logged("command_timeout"), [{ host: "nexus", tool: "docker_status", seconds: 5 }]);
  });

  it("leaves a fix alone, and its slot taken until it ends by itself", async () => {
    const { link, clock, connect } = linkWith();
    const slow = failure(link.run("slow", change));
    const connection = await connect();
    await clock.advance(20);
    const error = await slow;
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    assert.match(error.message, /left alone/);
    assert.equal(connection.channels[0]?.isKilled, false);
    assert.equal(connection.channels[0]?.isClosed, false);
    await clock.advance(1000);
    assert.equal(link.statistics().inFlight, 1);
    assert.equal(link.statistics().state, "open");
    connection.channels[0]?.finish();
    await settled();
    assert.equal(link.statistics().inFlight, 0);
  });

  it("counts the wait for the dial, so a command gets what is left", async () => {
    const { link, clock, connect } = linkWith();
    const slow = failure(link.run("slow", { ...read, deadlineSeconds: 10 }));
    await clock.advance(8);
    const connection = await connect();
    await clock.advance(1);
    assert.equal(connection.channels[0]?.isKilled, false);
    await clock.advance(1);
    assert.equal((await slow).kind, "CommandTimeout");
  });

  it("takes the host's own kill of a diagnostic for a timeout, and an early kill for an answer", async () => {
    const { link, clock, connect, logged } = linkWith();
    const slow = failure(link.run("slow", read));
    const connection = await connect();
    const early = link.run("early", read);
    await settled();
    connection.channels[1]?.finish(137);
    assert.equal((await early).exit, 137);
    await clock.advance(20);
    connection.channels[0]?.finish(137);
    assert.equal((await slow).kind, "CommandTimeout");
    assert.equal(logged("command_timeout").length, 1);
  });

  it("takes the exit that the host has told already, when only something left behind holds the output", async () => {
    const { link, clock, connect } = linkWith();
    const starter = link.run("starter", change);
    const connection = await connect();
    const [channel] = connection.channels;
    if (channel !== undefined) channel.exit = 0;
    await clock.advance(20);
    assert.equal((await starter).exit, 0);
  });

  it("leaves no timer behind", async () => {
    const { link, clock, connect } = linkWith({ idleTimeout: 0 });
    const one = link.run("one", read);
    const connection = await connect();
    connection.channels[0]?.finish();
    await one;
    await settled();
    assert.equal(clock.armed, 0);
  });
});

describe("calling off", () => {
  it("takes a waiting command out of the queue", async () => {
    const { link, connect } = linkWith();
    const controller = new AbortController();
    const called = failure(link.run("called off", { ...read, signal: controller.signal }));
    controller.abort();
    const error = await called;
    assert.equal(error.kind, "Aborted");
    assert.equal(error.dispatched, false);
    const connection = await connect();
    assert.deepEqual(connection.lines, []);
  });

  it("refuses a command whose signal has gone off before", async () => {
    const { link, dials } = linkWith();
    assert.equal((await failure(link.run("a", { ...read, signal: AbortSignal.abort() }))).kind, "Aborted");
    assert.equal(dials.length, 0);
  });

  it("kills a diagnostic and never a fix", async () => {
    const { link, connect } = linkWith();
    const controller = new AbortController();
    const { signal } = controller;
    const both = [failure(link.run("read", { ...read, signal })), failure(link.run("fix", { ...change, signal }))];
    const connection = await connect();
    controller.abort();
    for (const error of await Promise.all(both)) {
      assert.equal(error.kind, "Aborted");
      assert.equal(error.dispatched, true);
    }
    assert.deepEqual(
      connection.channels.map((channel) => channel.isKilled),
      [true, false],
    );
  });
});
