import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChannelLimit } from "../../core/transport/channel-limit.ts";
import { settled } from "../support/fake-clock.ts";
import { FakeConnection } from "../support/fake-connection.ts";
import { sshHost } from "../support/ssh-host.ts";
import { linkWith, read } from "../support/test-link.ts";
import { until } from "../support/world.ts";

const how = { kind: "fix", tool: "docker_restart", commandSeconds: 20 } as const;

describe("a learned limit", () => {
  /** Commands that were asked for one after the other, each when another one had its answer. */
  const carry = (limit: ChannelLimit, count: number, acceptedAt = 1) => {
    limit.carried(0);
    for (let left = count; left > 0; left -= 1) limit.carried(acceptedAt);
  };

  it("is probed after some commands at the limit, by one, and by as many again once the host allowed that", () => {
    const limit = new ChannelLimit("auto", () => 0);
    carry(limit, 29);
    assert.equal(limit.mayProbe(0), false);
    carry(limit, 1);
    assert.equal(limit.mayProbe(0), true);
    assert.equal(limit.probeTo, 11);
    limit.probed(11, "all");
    assert.equal(limit.value, 11);
    carry(limit, 10);
    assert.equal(limit.mayProbe(0), true);
    assert.equal(limit.probeTo, 22);
    limit.probed(22, "all");
    assert.equal(limit.probeTo, 44);
    limit.probed(44, "all");
    limit.probed(88, "all");
    assert.equal(limit.probeTo, 100);
  });

  it("is not probed for bursts, however large, and is for callers that come back", () => {
    let now = 0;
    const limit = new ChannelLimit("auto", () => now);
    for (let hour = 0; hour < 3; hour += 1) {
      now += 3_600_000;
      for (let left = 1000; left > 0; left -= 1) limit.carried(now);
    }
    assert.equal(limit.mayProbe(0), false);
    for (let left = 30; left > 0; left -= 1) limit.carried((now += 100));
    assert.equal(limit.mayProbe(0), true);
  });

  it("keeps what was proven when a probe is refused, and asks again an hour later", () => {
    let now = 0;
    const limit = new ChannelLimit("auto", () => now);
    carry(limit, 30);
    limit.probed(10, "no");
    assert.equal(limit.value, 10);
    carry(limit, 1000);
    assert.equal(limit.mayProbe(0), false);
    now += 3_600_000;
    assert.equal(limit.mayProbe(0), true);
  });

  it("is probed while channels close only when it took long, and again after an unclear answer", () => {
    const limit = new ChannelLimit("auto", () => 0);
    carry(limit, 33);
    assert.equal(limit.mayProbe(2), false);
    carry(limit, 1);
    assert.equal(limit.mayProbe(2), true);
    limit.probed(9, "unclear");
    assert.equal(limit.value, 10);
    carry(limit, 59);
    assert.equal(limit.mayProbe(0), false);
    carry(limit, 1);
    assert.equal(limit.mayProbe(0), true);
  });

  it("is never probed for a server that is known to bear no more, nor where the owner gave a number", () => {
    const dropbear = new ChannelLimit("auto", () => 0);
    dropbear.bound(1);
    const set = new ChannelLimit(4, () => 0);
    set.bound(1);
    set.lower(2);
    for (const limit of [dropbear, set]) {
      carry(limit, 1000);
      assert.equal(limit.mayProbe(0), false);
    }
    assert.deepEqual([dropbear.value, set.value], [1, 4]);
  });
});

describe("the limit of a host", () => {
  it("is remembered when the next connection is dialed", async () => {
    const { link, clock, connect } = linkWith({ maxConnections: 1 });
    const all = Array.from({ length: 6 }, (_, index) => link.run(`${index}`, read));
    const connection = await connect(new FakeConnection({ isEager: false }));
    await clock.advance(2);
    connection.opening.splice(0).forEach((open, index) => (index < 4 ? void open.accept() : open.refuse()));
    await settled();
    assert.equal(link.statistics().channelLimit, 4);
    const lost = Promise.allSettled(all.slice(0, 4));
    connection.lose();
    await settled();
    const next = await connect(new FakeConnection());
    assert.equal(link.statistics().channelLimit, 4);
    assert.ok((await lost).every(({ status }) => status === "rejected"));
    for (const channel of next.busy) channel.finish();
    await Promise.all(all.slice(4));
    const more = Array.from({ length: 6 }, (_, index) => link.run(`more ${index}`, read));
    await settled();
    assert.equal(next.busy.length, 4);
    for (let left = 6; left > 0; left -= 1) {
      next.busy[0]?.finish();
      await settled();
    }
    await Promise.all(more);
  });

  /** Ten callers that ask again as soon as they are answered. */
  const press = async (host: Awaited<ReturnType<typeof sshHost>>, commands: number) => {
    let left = commands;
    const caller = async () => {
      while ((left -= 1) >= 0) await host.transport.run("nexus", ["true"], how);
    };
    await Promise.all(Array.from({ length: 10 }, caller));
  };
  const answering = {
    handler: (_: string, channel: { exit(code: number): void; end(): void }) => (channel.exit(0), channel.end()),
  };

  it("is found exactly, whatever the server allows, and no command is refused for the asking", async () => {
    for (const maxSessions of [10, 12, 15]) {
      await using host = await sshHost({ server: { maxSessions, ...answering } });
      await press(host, 900);
      const { channelLimit, refusedOpens, open } = host.transport.statistics()[0] ?? assert.fail();
      assert.deepEqual({ channelLimit, refusedOpens, open }, { channelLimit: maxSessions, refusedOpens: 0, open: 1 });
    }
  });

  it("rises as far as commands have use for it, and no further", async () => {
    await using host = await sshHost({ server: { maxSessions: 100, ...answering } });
    await press(host, 900);
    await until(() => host.transport.statistics()[0]?.inFlight === 0);
    const { channelLimit, warm, refusedOpens } = host.transport.statistics()[0] ?? assert.fail();
    assert.ok(channelLimit > 15 && channelLimit < 60, `${channelLimit}`);
    assert.ok(warm >= 10 && warm < channelLimit, `${warm}`);
    assert.equal(refusedOpens, 0);
    assert.equal(host.server.counts.refused, 0);
  });

  it("stays what the owner set", async () => {
    await using host = await sshHost({ server: { maxSessions: 100, ...answering }, pool: { maxChannels: 6 } });
    await press(host, 400);
    assert.equal(host.transport.statistics()[0]?.channelLimit, 6);
    assert.ok(host.server.counts.overlapping <= 6);
  });
});
