import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";
import { sshHost } from "../support/ssh-host.ts";
import { linkWith, read } from "../support/test-link.ts";
import { until, withUnknownSsh2 } from "../support/world.ts";

const warming = () => new FakeConnection({ opensAhead: true });

/** Runs so many at once and ends them all. */
async function burst(link: ReturnType<typeof linkWith>["link"], connection: FakeConnection, count: number) {
  const all = Array.from({ length: count }, (_, index) => link.run(`${index}`, read));
  await settled();
  for (let left = count; left > 0; left -= 1) {
    connection.busy[0]?.finish();
    await settled();
  }
  await Promise.all(all);
}

describe("a warm channel", () => {
  it("waits beside the first command and carries the second, which asks for none", async () => {
    const { link, connect } = linkWith();
    const first = link.run("first", read);
    const connection = await connect(warming());
    assert.deepEqual([connection.busy.length, connection.spare.length], [1, 1]);
    assert.equal(link.statistics().warm, 1);
    const [spare] = connection.spare;
    const second = link.run("second", read);
    assert.equal(spare?.line, "second", "it left within the very call");
    const { inFlight, commands, reuses } = link.statistics();
    assert.deepEqual({ inFlight, commands, reuses }, { inFlight: 2, commands: 2, reuses: 1 });
    for (const channel of connection.busy) channel.finish();
    await Promise.all([first, second]);
  });

  it("is used once", async () => {
    const { link, connect } = linkWith();
    const first = link.run("first", read);
    const connection = await connect(warming());
    connection.busy[0]?.finish();
    await first;
    for (const line of ["second", "third"]) {
      const next = link.run(line, read);
      await settled();
      connection.busy[0]?.finish();
      await next;
    }
    assert.deepEqual(connection.lines, ["first", "second", "third"]);
    assert.equal(new Set(connection.channels).size, connection.channels.length);
  });

  it("is opened as often as commands ran at once of late, one slot stays free, and fewer later", async () => {
    const { link, clock, connect } = linkWith({ idleTimeout: 0 });
    const one = link.run("one", read);
    const connection = await connect(warming());
    connection.busy[0]?.finish();
    await one;
    await settled();
    assert.equal(link.statistics().warm, 1);
    await burst(link, connection, 4);
    assert.equal(link.statistics().warm, 4);
    await burst(link, connection, 20);
    assert.equal(link.statistics().warm, 9);
    await clock.advance(120);
    for (let round = 0; round < 12; round += 1) await burst(link, connection, 1);
    assert.equal(link.statistics().warm, 1);
  });

  it("is taken by a command while it is still opening, so that no slot is missing", async () => {
    const { link, connect } = linkWith({ maxChannels: 3 });
    const first = link.run("first", read);
    const connection = await connect(new FakeConnection({ isEager: false, opensAhead: true }));
    connection.opening.shift()?.accept();
    await settled();
    const ahead = connection.opening.length;
    const rest = [link.run("second", read), link.run("third", read)];
    await settled();
    assert.equal(ahead + connection.opening.length, 1 + 2);
    for (const open of connection.opening.splice(0)) open.accept();
    await settled();
    assert.equal(connection.busy.length, 3);
    for (const channel of connection.busy) channel.finish();
    await Promise.all([first, ...rest]);
  });

  it("that the host refuses is nobody's error, counts nowhere, and is not asked for again for a while", async () => {
    const { link, clock, connect } = linkWith({ idleTimeout: 0, maxChannels: 8 });
    const first = link.run("first", read);
    const connection = await connect(new FakeConnection({ isEager: false, opensAhead: true }));
    connection.opening.shift()?.accept();
    await settled();
    connection.opening.shift()?.refuse();
    await settled();
    connection.busy[0]?.finish();
    await first;
    await settled();
    assert.equal(connection.opening.length, 0);
    assert.equal(link.statistics().refusedOpens, 0);
    await clock.advance(31);
    const second = link.run("second", read);
    await settled();
    connection.opening.shift()?.accept().finish();
    await second;
    await settled();
    assert.equal(connection.opening.length, 1);
  });

  it("that the host closes twice is not opened on this connection any more", async () => {
    const { link, connect } = linkWith();
    const first = link.run("first", read);
    const connection = await connect(warming());
    connection.busy[0]?.finish();
    await first;
    for (const expected of [1, 0]) {
      connection.spare.at(-1)?.close();
      await settled();
      assert.equal(link.statistics().warm, expected);
    }
    assert.equal(link.statistics().inFlight, 0);
    await burst(link, connection, 3);
    assert.equal(link.statistics().warm, 0);
  });

  it("does not keep a connection from idle eviction", async () => {
    const { link, clock, connect } = linkWith({ idleTimeout: 30 });
    const first = link.run("first", read);
    const connection = await connect(warming());
    connection.busy[0]?.finish();
    await first;
    await clock.advance(29);
    assert.equal(connection.isEnded, false);
    await clock.advance(1);
    assert.equal(connection.isEnded, true);
    assert.equal(link.statistics().warm, 0);
  });

  it("is not opened at a limit of 2, and is at 3", async () => {
    for (const [maxChannels, warm] of [
      [1, 0],
      [2, 0],
      [3, 1],
    ] as const) {
      const { link, connect } = linkWith({ maxChannels, maxConnections: 1 });
      const first = link.run("first", read);
      const connection = await connect(warming());
      connection.busy[0]?.finish();
      await first;
      await settled();
      assert.equal(link.statistics().warm, warm);
    }
  });

  it("is not opened when the owner or the server says so", async () => {
    for (const [settings, opensAhead] of [
      [{ warmChannels: "off" }, true],
      [{ reuse: "off" }, true],
      [{}, false],
    ] as const) {
      const { link, connect } = linkWith(settings);
      const first = link.run("first", read);
      const connection = await connect(new FakeConnection({ opensAhead }));
      assert.equal(connection.spare.length, 0);
      connection.busy[0]?.finish();
      await first;
    }
  });
});

describe("warm channels on a server", () => {
  it("are sessions that carry no command until one takes them", async () => {
    await using host = await sshHost();
    for (let count = 0; count < 20; count += 1) await host.transport.run("nexus", ["true"], read);
    const { counts } = host.server;
    await until(() => counts.sessions === 20 + (host.transport.statistics()[0]?.warm ?? 0));
    assert.ok(counts.sessions > 20);
    assert.equal(counts.commands.length, 20);
    assert.equal(counts.refused, 0);
    assert.equal(counts.connections, 1);
    const { reuses, latency } = host.transport.statistics()[0] ?? assert.fail();
    assert.equal(reuses, 19);
    assert.equal(latency.run.count, 20);
    assert.ok(latency.open.p50Seconds < latency.run.p50Seconds);
  });

  it("are absent with an ssh2 whose insides are unknown", async () => {
    await withUnknownSsh2(async () => {
      await using host = await sshHost();
      for (let count = 0; count < 5; count += 1) await host.transport.run("nexus", ["true"], read);
      assert.equal(host.server.counts.sessions, 5);
    });
  });

  it("lose no command to a limit of 1, 2, 3, 4, 10 or 100, however often it bursts", async () => {
    for (const maxSessions of [1, 2, 3, 4, 10, 100]) {
      await using host = await sshHost({
        server: { maxSessions, handler: (_, channel) => void (channel.exit(0), channel.end()) },
      });
      for (const count of [1, 12, 1, 30]) {
        const all = Array.from({ length: count }, () => host.transport.run("nexus", ["true"], read));
        assert.ok((await Promise.all(all)).every(({ exit }) => exit === 0));
      }
      assert.equal(host.server.counts.commands.length, 44);
      assert.ok((host.transport.statistics()[0]?.channelLimit ?? 0) <= Math.max(10, maxSessions));
    }
  });
});
