import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Log } from "../../core/log.ts";
import type { Connection } from "../../core/transport/connection.ts";
import { TransportError } from "../../core/transport/errors.ts";
import { Link } from "../../core/transport/link.ts";
import type { PoolSettings } from "../../core/transport/link-settings.ts";
import type { How } from "../../core/transport/request.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";

const pool: PoolSettings = {
  idleTimeout: 300,
  keepaliveInterval: 15,
  keepaliveCount: 3,
  maxChannels: "auto",
  dialTimeout: 10,
  commandTimeout: 60,
  queue: 1000,
  outputBytes: 1024,
};
const read: How = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };
const change: How = { kind: "fix", tool: "docker_restart", commandSeconds: 20 };

/** A link whose dials the test answers. */
function linkWith(settings: Partial<PoolSettings> = {}) {
  const clock = new FakeClock();
  const dials: PromiseWithResolvers<Connection>[] = [];
  const events: { level: string; event: string; fields: Record<string, unknown> }[] = [];
  const at =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}) =>
      void events.push({ level, event, fields });
  const log: Log = { debug: at("debug"), info: at("info"), warning: at("warning"), error: at("error") };
  const dial = () => {
    const attempt = Promise.withResolvers<Connection>();
    dials.push(attempt);
    return attempt.promise;
  };
  const link = new Link({ host: "nexus", transport: "ssh", pool: { ...pool, ...settings }, log, clock, dial });
  const connect = async (connection = new FakeConnection()) => {
    dials.at(-1)?.resolve(connection);
    await settled();
    return connection;
  };
  const logged = (event: string) => events.filter((one) => one.event === event).map((one) => one.fields);
  return { link, clock, dials, events, connect, logged };
}

async function failure(promise: Promise<unknown>): Promise<TransportError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TransportError, String(error));
  assert.equal(error.name, error.kind);
  return error;
}

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

  it("that keepalive found is closed with that reason", async () => {
    const { link, connect, logged } = linkWith();
    const sent = failure(link.run("sent", read));
    (await connect()).lose("keepalive");
    await sent;
    assert.equal(logged("ssh_connection_closed")[0]?.["reason"], "keepalive");
    assert.deepEqual(link.statistics().closes, { keepalive: 1 });
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
