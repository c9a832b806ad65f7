import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTransport, type HostSettings, type How } from "../../core/transport/pool.ts";
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
const made = (hosts: Record<string, HostSettings>) =>
  createTransport(hosts, { log: keptLog().log, drainSeconds: { diagnostics: 0.2, fixes: 0.4 } });
const slower = { ...testPool, maxChannels: 3 } as const;

describe("other settings for hosts", () => {
  it("let what runs end where it runs, and what comes go to the new connection", async () => {
    await using host = await sshHost();
    const transport = made({ nexus: settingsOf(host) });
    const running = transport.run("nexus", ["sh", "-c", "sleep 0.4; echo old"], { ...read, kind: "fix" });
    await host.server.until(({ commands }) => commands.length === 1);
    assert.deepEqual(transport.reconfigure({ nexus: settingsOf(host, { pool: slower }) }), {
      added: [],
      removed: [],
      remade: ["nexus"],
    });
    assert.equal((await transport.run("nexus", ["echo", "new"], read)).stdout, "new\n");
    assert.equal((await running).stdout, "old\n");
    assert.equal(host.server.counts.connections, 2);
    await until(() => host.server.openConnections() === 1);
    await transport.close();
  });

  it("hand what waited on to the new connection, and run none of it twice", async () => {
    await using host = await sshHost();
    const transport = made({ nexus: settingsOf(host, { pool: { ...testPool, maxChannels: 1, maxConnections: 1 } }) });
    const first = transport.run("nexus", ["sleep", "0.3"], read);
    await host.server.until(({ commands }) => commands.length === 1);
    const waiting = ["a", "b", "c"].map((word) => transport.run("nexus", ["echo", word], read));
    transport.reconfigure({ nexus: settingsOf(host, { pool: slower }) });
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ stdout }) => stdout.trim()),
      ["a", "b", "c"],
    );
    assert.equal((await first).exit, 0);
    assert.equal(host.server.counts.commands.length, 4);
    await transport.close();
  });

  it("change nothing where the connection stays the same", async () => {
    await using host = await sshHost();
    const transport = made({ nexus: settingsOf(host) });
    await transport.run("nexus", ["true"], read);
    const changed = transport.reconfigure({ nexus: settingsOf(host, { privilege: "sudo" }) });
    assert.deepEqual(changed, { added: [], removed: [], remade: [] });
    await transport.run("nexus", ["true"], read);
    assert.equal(host.server.counts.connections, 1);
    await transport.close();
  });

  it("of a bastion also make the hosts behind it anew", async () => {
    await using bastion = await sshHost({ server: { forwards: true } });
    await using inner = await sshHost();
    const hosts = (pool: HostSettings["pool"]) => ({
      bastion: settingsOf(bastion, { pool }),
      inner: settingsOf(inner, { jump: "bastion" }),
    });
    const transport = made(hosts(testPool));
    await transport.run("inner", ["true"], read);
    assert.deepEqual(transport.reconfigure(hosts(slower)).remade, ["bastion", "inner"]);
    assert.equal((await transport.run("inner", ["echo", "again"], read)).stdout, "again\n");
    await until(() => bastion.server.openConnections() === 1);
    await transport.close();
    await until(() => bastion.server.openConnections() === 0);
  });

  it("without a host let it be reached no more", async () => {
    await using host = await sshHost();
    const transport = made({ nexus: settingsOf(host), other: settingsOf(host) });
    await transport.run("nexus", ["true"], read);
    assert.deepEqual(transport.reconfigure({ other: settingsOf(host) }).removed, ["nexus"]);
    assert.match((await failure(transport.run("nexus", ["true"], read))).message, /no such host/);
    await until(() => host.server.openConnections() === 0);
    await transport.close();
  });
});
