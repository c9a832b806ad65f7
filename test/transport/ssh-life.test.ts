import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { script } from "../../core/plugin/contract.ts";
import type { How } from "../../core/transport/pool.ts";
import { CommandRefused } from "../../core/transport/quote.ts";
import { failure, sshHost } from "../support/ssh-host.ts";
import { until } from "../support/world.ts";

const read: How = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };
const change: How = { kind: "fix", tool: "docker_restart", commandSeconds: 20 };

describe("a lost connection", () => {
  it("leaves a command that runs unknown, and the next one dials", async () => {
    await using host = await sshHost();
    const lost = failure(host.transport.run("nexus", ["sleep", "96"], change));
    await host.server.until((counts) => counts.commands.length === 1);
    host.server.cut();
    const error = await lost;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
    assert.equal(host.server.counts.connections, 2);
    assert.equal(host.logged("ssh_connection_closed")[0]?.["reason"], "lost");
  });

  it("loses no command that had not been sent", async () => {
    await using host = await sshHost({ pool: { maxChannels: 2 } });
    const running = [1, 2].map(() => failure(host.transport.run("nexus", ["sleep", "95"], read)));
    const waiting = Array.from({ length: 20 }, () => host.transport.run("nexus", ["true"], change));
    await host.server.until((counts) => counts.commands.length === 2);
    host.server.cut();
    for (const error of await Promise.all(running)) assert.equal(error.dispatched, true);
    for (const { exit } of await Promise.all(waiting)) assert.equal(exit, 0);
    assert.equal(host.server.counts.commands.length, 22);
  });

  it("is noticed by keepalive when the link falls silent", async () => {
    await using host = await sshHost({ pool: { keepaliveInterval: 0.1, keepaliveCount: 2 } });
    const lost = failure(host.transport.run("nexus", ["sleep", "94"], read));
    await host.server.until((counts) => counts.commands.length === 1);
    host.server.silence();
    const error = await lost;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.deepEqual(host.transport.statistics()[0]?.closes, { keepalive: 1 });
  });

  it("is what a channel that closes without an exit status amounts to", async () => {
    await using host = await sshHost({ server: { handler: (_command, channel) => channel.end() } });
    const error = await failure(host.transport.run("nexus", ["true"], change));
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.equal(host.transport.statistics()[0]?.state, "open");
  });

  it("is what a refused command amounts to: it may have run", async () => {
    await using host = await sshHost({ server: { refusesExec: true } });
    const error = await failure(host.transport.run("nexus", ["true"], change));
    assert.equal(error.dispatched, true);
    await until(() => host.transport.statistics()[0]?.inFlight === 0);
  });
});

describe("idle eviction", () => {
  it("is seen by the server at the set time, and not before a command has ended", async () => {
    await using host = await sshHost({ pool: { idleTimeout: 0.2 } });
    await host.transport.run("nexus", ["sleep", "0.5"], read);
    assert.equal(host.server.openConnections(), 1);
    await until(() => host.server.openConnections() === 0);
    assert.deepEqual(host.transport.statistics()[0]?.closes, { idle: 1 });
    await host.transport.run("nexus", ["true"], read);
    assert.equal(host.server.counts.connections, 2);
  });
});

describe("dropbear", () => {
  it("gets one command at a time, since two kill its connection", async () => {
    await using host = await sshHost({ server: { software: "dropbear_2022.83" }, pool: { maxConnections: 1 } });
    await Promise.all(Array.from({ length: 5 }, () => host.transport.run("nexus", ["true"], read)));
    assert.equal(host.server.counts.overlapping, 1);
    assert.equal(host.server.counts.connections, 1);
    assert.equal(host.server.counts.sessions, 5, "a channel was opened ahead");
    assert.equal(host.transport.statistics()[0]?.channelLimit, 1);
  });

  it("gets as many connections as it may have when commands wait, one command at a time over each", async () => {
    await using host = await sshHost({ server: { software: "dropbear_2022.83" } });
    await Promise.all(Array.from({ length: 9 }, () => host.transport.run("nexus", ["sleep", "0.1"], read)));
    assert.equal(host.server.counts.overlapping, 3);
    assert.equal(host.server.counts.connections, 3);
    assert.equal(host.server.counts.sessions, 9, "a channel was opened ahead");
  });

  it("gets what the owner says, when the owner says a number", async () => {
    await using host = await sshHost({ server: { software: "dropbear_2022.83" }, pool: { maxChannels: 3 } });
    await Promise.all(Array.from({ length: 5 }, () => host.transport.run("nexus", ["true"], read)));
    assert.equal(host.transport.statistics()[0]?.channelLimit, 3);
  });
});

describe("a host that never answers global requests", () => {
  it("gets its slots back all the same, a little later", async () => {
    await using host = await sshHost({ server: { ignoresGlobalRequests: true }, pool: { maxChannels: 1 } });
    await host.transport.run("nexus", ["true"], read);
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
  });
});

describe("closing", () => {
  it("waits for what runs, and leaves a fix that takes too long to the host", async () => {
    await using host = await sshHost();
    const done = join(host.folder, "done");
    const quick = host.transport.run("nexus", ["sleep", "0.1"], read);
    const slow = failure(host.transport.run("nexus", script(`sleep 0.8; echo fixed > "$1"`, done), change));
    await host.server.until((counts) => counts.commands.length === 2);
    await host.transport.close();
    assert.equal((await quick).exit, 0);
    const error = await slow;
    assert.equal(error.kind, "Closed");
    assert.equal(error.dispatched, true);
    await until(() => host.server.openConnections() === 0);
    await until(() => existsSync(done));
    assert.equal((await failure(host.transport.run("nexus", ["true"], read))).kind, "Closed");
  });
});

describe("a command that cannot be sent", () => {
  it("is refused before anything is dialed", async () => {
    await using host = await sshHost();
    await assert.rejects(host.transport.run("nexus", ["echo", "a\0b"], change), CommandRefused);
    const error = await failure(host.transport.run("nexsu", ["true"], read));
    assert.match(error.message, /"nexsu": no such host, hosts\.yaml knows "nexus"/);
    assert.equal(host.server.counts.connections, 0);
  });
});
