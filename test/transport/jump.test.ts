import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTransport, type HostSettings, type How, type Transport } from "../../core/transport/pool.ts";
import { failure, keptLog, sshHost, testPool } from "../support/ssh-host.ts";
import { until } from "../support/world.ts";

const read: How = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };
type Host = Awaited<ReturnType<typeof sshHost>>;

const settingsOf = (host: Host, more: Partial<HostSettings> = {}): HostSettings => ({
  transport: "ssh",
  address: "127.0.0.1",
  port: host.server.port,
  user: "medic",
  identity: `${host.folder}/key`,
  hostKey: host.server.fingerprint,
  privilege: "none",
  pool: testPool,
  ...more,
});

function transportOf(hosts: Record<string, HostSettings>): Transport & AsyncDisposable {
  const { log } = keptLog();
  const transport = createTransport(hosts, { log, drainSeconds: { diagnostics: 0.2, fixes: 0.4 } });
  return Object.assign(transport, { [Symbol.asyncDispose]: () => transport.close() });
}

const bastionAndInner = async () => ({
  bastion: await sshHost({ server: { forwards: true } }),
  inner: await sshHost(),
});

describe("a host behind a bastion", () => {
  it("is reached through a stream of the bastion's one connection, which also runs the bastion's commands", async () => {
    const { bastion, inner } = await bastionAndInner();
    await using _bastion = bastion;
    await using _inner = inner;
    await using transport = transportOf({
      bastion: settingsOf(bastion),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    const asked = Array.from({ length: 12 }, (_, index) =>
      transport.run(index % 2 === 0 ? "inner" : "bastion", ["echo", String(index)], read),
    );
    assert.deepEqual(
      (await Promise.all(asked)).map(({ stdout }) => stdout.trim()),
      asked.map((_, index) => String(index)),
    );
    assert.equal(bastion.server.counts.connections, 1);
    assert.deepEqual(bastion.server.counts.forwarded, [`127.0.0.1:${inner.server.port}`]);
    assert.equal(inner.server.counts.connections, 1);
    assert.equal(inner.server.counts.commands.length, 6);
  });

  it("is reached through a chain of them", async () => {
    const { bastion, inner } = await bastionAndInner();
    await using _bastion = bastion;
    await using _inner = inner;
    await using middle = await sshHost({ server: { forwards: true } });
    await using transport = transportOf({
      inner: settingsOf(inner, { jump: "middle" }),
      middle: settingsOf(middle, { jump: "bastion" }),
      bastion: settingsOf(bastion),
    });
    assert.equal((await transport.run("inner", ["echo", "deep"], read)).stdout, "deep\n");
    assert.deepEqual(bastion.server.counts.forwarded, [`127.0.0.1:${middle.server.port}`]);
    assert.deepEqual(middle.server.counts.forwarded, [`127.0.0.1:${inner.server.port}`]);
  });

  it("leaves the bastion alone once nothing needs it any more", async () => {
    const { bastion, inner } = await bastionAndInner();
    await using _bastion = bastion;
    await using _inner = inner;
    const pool = { ...testPool, idleTimeout: 0.1 };
    await using transport = transportOf({
      bastion: settingsOf(bastion),
      inner: settingsOf(inner, { jump: "bastion", pool }),
    });
    await transport.run("inner", ["true"], read);
    assert.equal(bastion.server.openConnections(), 1);
    await until(() => bastion.server.openConnections() === 0);
    assert.equal((await transport.run("inner", ["echo", "again"], read)).stdout, "again\n");
  });

  it("keeps its stream when the bastion's own link is idle", async () => {
    const { bastion, inner } = await bastionAndInner();
    await using _bastion = bastion;
    await using _inner = inner;
    await using transport = transportOf({
      bastion: settingsOf(bastion, { pool: { ...testPool, idleTimeout: 0.1 } }),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    await transport.run("bastion", ["true"], read);
    const running = transport.run("inner", ["sh", "-c", "sleep 0.5; echo whole"], read);
    await until(() => transport.statistics().find(({ host }) => host === "bastion")?.state === "closed");
    assert.equal((await running).stdout, "whole\n");
    assert.equal(bastion.server.counts.connections, 1);
  });

  it("loses its commands with the bastion, and is reached again by the next", async () => {
    const { bastion, inner } = await bastionAndInner();
    await using _bastion = bastion;
    await using _inner = inner;
    await using transport = transportOf({
      bastion: settingsOf(bastion),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    const running = failure(transport.run("inner", ["sleep", "5"], read));
    await inner.server.until(({ commands }) => commands.length === 1);
    bastion.server.cut();
    const lost = await running;
    assert.deepEqual([lost.kind, lost.dispatched], ["ConnectionLost", true]);
    assert.equal((await transport.run("inner", ["echo", "back"], read)).stdout, "back\n");
  });
});

describe("a way through a bastion that fails", () => {
  it("says that the bastion refused the login, and blames the host for nothing", async () => {
    await using bastion = await sshHost({ server: { forwards: true, authorized: [] } });
    await using inner = await sshHost();
    await using transport = transportOf({
      bastion: settingsOf(bastion),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    const error = await failure(transport.run("inner", ["true"], read));
    assert.deepEqual([error.kind, error.host, error.dispatched], ["DialFailed", "inner", false]);
    assert.match(error.message, /^Cannot connect to "inner" through "bastion": Cannot log in to "bastion"/);
    assert.equal(inner.server.counts.connections, 0);
  });

  it("never offers the bastion's changed key as the host's", async () => {
    const { bastion, inner } = await bastionAndInner();
    await using _bastion = bastion;
    await using _inner = inner;
    await using transport = transportOf({
      bastion: settingsOf(bastion, { hostKey: `SHA256:${"A".repeat(43)}` }),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    const error = await failure(transport.run("inner", ["true"], read));
    assert.equal(error.offered, undefined);
    assert.match(error.message, /through "bastion": .*host key changed/);
  });

  it("says that the bastion opens no way", async () => {
    await using bastion = await sshHost();
    await using inner = await sshHost();
    await using transport = transportOf({
      bastion: settingsOf(bastion),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    const error = await failure(transport.run("inner", ["true"], read));
    assert.equal(error.kind, "DialFailed");
    assert.match(error.message, /"bastion" opens no way to 127\.0\.0\.1:\d+: .*AllowTcpForwarding/);
  });

  it("names the host when the host behind it refuses", async () => {
    await using bastion = await sshHost({ server: { forwards: true } });
    await using inner = await sshHost({ server: { authorized: [] } });
    await using transport = transportOf({
      bastion: settingsOf(bastion),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    const error = await failure(transport.run("inner", ["true"], read));
    assert.equal(error.kind, "AuthenticationFailed");
    assert.match(error.message, /^Cannot log in to "inner"/);
  });

  for (const silent of ["bastion", "inner"] as const) {
    it(`ends within the host's own seconds when the ${silent} is silent`, async () => {
      await using bastion = await sshHost({ server: { forwards: true, isSilent: silent === "bastion" } });
      await using inner = await sshHost({ server: { isSilent: silent === "inner" } });
      await using transport = transportOf({
        bastion: settingsOf(bastion),
        inner: settingsOf(inner, { jump: "bastion", pool: { ...testPool, dialTimeout: 0.3 } }),
      });
      const startedAt = performance.now();
      const error = await failure(transport.run("inner", ["true"], read));
      assert.equal(error.kind, "DialTimeout");
      assert.match(error.message, silent === "bastion" ? /"bastion" gave no way to it/ : /finish the SSH handshake/);
      assert.ok(performance.now() - startedAt < 3000);
    });
  }
});
