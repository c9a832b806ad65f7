import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";
import { change, failure, linkWith, read } from "../support/test-link.ts";

describe("channel slots", () => {
  it("make the ninth command wait when eight channels are the limit", async () => {
    const { link, connect } = linkWith({ maxChannels: 8 });
    const all = Array.from({ length: 9 }, (_, index) => link.run(`${index}`, read));
    const connection = await connect();
    assert.equal(connection.channels.length, 8);
    connection.channels[0]?.finish();
    await settled();
    assert.equal(connection.channels.length, 9);
    for (const channel of connection.channels) channel.finish();
    await Promise.all(all);
  });

  it("are free only when the host has let go, although the answer is there before", async () => {
    const { link, connect } = linkWith({ maxChannels: 1 });
    const first = link.run("first", read);
    const second = link.run("second", read);
    const connection = await connect();
    connection.channels[0]?.end();
    await first;
    await settled();
    assert.deepEqual(connection.lines, ["first"]);
    connection.channels[0]?.letGo();
    await settled();
    assert.deepEqual(connection.lines, ["first", "second"]);
    connection.channels[1]?.finish();
    await second;
  });

  it("are served first come, first served, also when an open was refused", async () => {
    const { link, connect } = linkWith({ maxChannels: 3 });
    const all = Array.from({ length: 6 }, (_, index) => link.run(`${index}`, read));
    const connection = await connect(new FakeConnection({ isEager: false }));
    const [one, two, three] = connection.opening.splice(0);
    const first = one?.accept();
    two?.refuse();
    three?.refuse();
    await settled();
    assert.equal(connection.opening.length, 0, "asked again although no slot came back");
    first?.finish();
    await settled();
    for (let index = 1; index < 6; index += 1) {
      for (const open of connection.opening.splice(0)) open.accept();
      await settled();
      for (const channel of connection.channels) channel.finish();
      await settled();
    }
    assert.equal((await Promise.all(all)).length, 6);
    assert.deepEqual(connection.lines, ["0", "1", "2", "3", "4", "5"]);
    assert.equal(link.statistics().refusedOpens, 2);
  });

  it("learn the host's limit from refusals while channels are open", async () => {
    const { link, clock, connect } = linkWith();
    const all = Array.from({ length: 10 }, (_, index) => link.run(`${index}`, read));
    const connection = await connect(new FakeConnection({ isEager: false }));
    await clock.advance(2);
    connection.opening.splice(0).forEach((open, index) => (index < 5 ? void open.accept() : open.refuse()));
    await settled();
    assert.equal(link.statistics().channelLimit, 5);
    while (connection.channels.some((channel) => channel.exit === undefined)) {
      for (const channel of connection.channels) channel.finish();
      await settled();
      assert.ok(connection.opening.length <= 5);
      for (const open of connection.opening.splice(0)) open.accept();
      await settled();
    }
    await Promise.all(all);
  });

  it("do not learn from a refusal right after a close", async () => {
    const { link, connect } = linkWith();
    const all = [link.run("0", read), link.run("1", read)];
    const connection = await connect(new FakeConnection({ isEager: false }));
    for (const open of connection.opening.splice(0)) open.accept();
    await settled();
    connection.channels[0]?.finish();
    await settled();
    const third = link.run("2", read);
    await settled();
    connection.opening.splice(0)[0]?.refuse();
    await settled();
    assert.equal(link.statistics().channelLimit, 10);
    connection.channels[1]?.finish();
    await settled();
    connection.opening.splice(0)[0]?.accept().finish();
    await Promise.all([...all, third]);
  });

  it("that are refused with nothing of ours open fail as ChannelRefused, and nothing ran", async () => {
    const { link, connect } = linkWith();
    const lonely = failure(link.run("lonely", change));
    const connection = await connect(new FakeConnection({ isEager: false }));
    connection.opening.splice(0)[0]?.refuse();
    const error = await lonely;
    assert.equal(error.kind, "ChannelRefused");
    assert.equal(error.dispatched, false);
    assert.equal(link.statistics().inFlight, 0);
  });

  it("that are refused right after the last close are asked for again", async () => {
    const { link, clock, connect } = linkWith();
    const before = link.run("before", read);
    const connection = await connect(new FakeConnection({ isEager: false }));
    const channel = connection.opening.splice(0)[0]?.accept();
    await settled();
    channel?.finish();
    await before;
    const after = link.run("after", read);
    await settled();
    connection.opening.splice(0)[0]?.refuse();
    await settled();
    assert.equal(connection.opening.length, 0);
    await clock.advance(0.2);
    connection.opening.splice(0)[0]?.accept();
    await settled();
    connection.channels[1]?.finish();
    assert.equal((await after).exit, 0);
  });
});

describe("the queue", () => {
  it("refuses one command more than may wait", async () => {
    const { link, connect } = linkWith({ queue: 2, maxChannels: 1 });
    const waiting = [link.run("a", read), link.run("b", read)];
    const error = await failure(link.run("c", read));
    assert.equal(error.kind, "QueueFull");
    assert.equal(error.dispatched, false);
    const connection = await connect();
    connection.channels[0]?.finish();
    await settled();
    connection.channels[1]?.finish();
    await Promise.all(waiting);
  });

  it("ends a wait at its deadline as QueueTimeout and never sends that command", async () => {
    const { link, clock, connect, logged } = linkWith({ maxChannels: 1 });
    const long = link.run("long", { ...change, commandSeconds: 100 });
    const short = failure(link.run("short", { ...read, deadlineSeconds: 5 }));
    const connection = await connect();
    await clock.advance(6);
    const error = await short;
    assert.equal(error.kind, "QueueTimeout");
    assert.match(error.message, /"docker_status" on "nexus".*within 5 s; nothing ran/);
    connection.channels[0]?.finish();
    await long;
    await settled();
    assert.deepEqual(connection.lines, ["long"]);
    assert.deepEqual(logged("command_timeout"), []);
  });
});
