// The sandbox's SSH server has to refuse what a stock sshd refuses, and allow what it allows.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";

import ssh2 from "ssh2";
import type { Client, ClientChannel } from "ssh2";

import { realClock } from "../../core/sandbox/clock.ts";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import type { SshdOptions } from "../../core/sandbox/sshd.ts";
import { dropsStartup, startSshd, stockLimits } from "../../core/sandbox/sshd.ts";

const keys = { host: generateKeyPair(), client: generateKeyPair() };
const other = generateKeyPair();

describe("the sandbox's SSH server", () => {
  it("runs a command with its output, its errors and its exit status", async () => {
    await using server = await started();
    const client = await connected(server.port);
    assert.deepEqual(await ran(opened(client, "three")), {
      stdout: "ran three",
      stderr: "said",
      exit: 3,
      signal: undefined,
    });
    client.end();
  });

  it("opens the tenth channel of a connection", async () => {
    await using server = await started();
    const client = await connected(server.port);
    await Promise.all(Array.from({ length: 10 }, async () => await opened(client, "hang")));
    assert.equal(server.counts().refusedSessions, 0);
    assert.equal(server.counts().overlappingMost, 10);
    client.end();
  });

  it("refuses the eleventh channel, and the connection stays usable", async () => {
    await using server = await started();
    const client = await connected(server.port);
    const channels = await Promise.all(Array.from({ length: 10 }, async () => await opened(client, "hang")));
    await assert.rejects(opened(client, "one too many"), (error: Error & { reason?: number }) => error.reason === 2);
    assert.equal(server.counts().refusedSessions, 1);
    assert.ok(server.log.includes("error: no more sessions"));
    channels[0]!.channel.signal("KILL");
    assert.equal((await ran(channels[0]!)).signal, "SIGKILL");
    await answered(client);
    assert.equal((await ran(opened(client, "after"))).stdout, "ran after");
    client.end();
  });

  it("keeps the slot of a command that goes on after its client closed the channel", async () => {
    await using server = await started({ sessionsMax: 1 });
    const client = await connected(server.port);
    const hanging = await opened(client, "hang");
    hanging.channel.close();
    await answered(client);
    await assert.rejects(opened(client, "refused"));
    client.end();
  });

  it("answers an unknown global request, so that a client knows its CLOSE was seen", async () => {
    await using server = await started();
    const client = await connected(server.port);
    await answered(client);
    client.end();
  });

  it("takes a signal after standard input has ended", async () => {
    await using server = await started();
    const client = await connected(server.port);
    const hanging = await opened(client, "hang");
    hanging.channel.eof();
    await answered(client);
    signalled(client, hanging.channel);
    assert.equal((await ran(hanging)).signal, "SIGKILL");
    client.end();
  });

  it("lets in the key it knows and no other", async () => {
    await using server = await started();
    (await connected(server.port)).end();
    await assert.rejects(connected(server.port, other.private), /authentication/);
    assert.equal(server.counts().authenticated, 1);
  });

  it("drops a connection past MaxStartups, and none before", async () => {
    await using server = await started({ startups: { begin: 2, rate: 100, full: 2 } });
    const attempts = await Promise.allSettled(Array.from({ length: 5 }, async () => await connected(server.port)));
    const clients = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
    assert.equal(clients.length, 2);
    assert.equal(server.counts().dropped, 3);
    assert.equal(server.log.filter((line) => line.startsWith("drop connection #")).length, 3);
    (await connected(server.port)).end();
    for (const client of clients) client.end();
  });

  it("ends a login that takes longer than the grace time, and leaves one that was in time alone", async () => {
    await using server = await started({ loginGraceSeconds: 2 });
    const client = await connected(server.port);
    const { connect } = await import("node:net");
    const silent = connect({ host: "127.0.0.1", port: server.port });
    await new Promise((resolve) => silent.resume().once("close", resolve));
    assert.ok(server.log.some((line) => line.startsWith("fatal: Timeout before authentication")));
    assert.equal((await ran(opened(client, "in time"))).stdout, "ran in time");
    client.end();
  });

  it("drops as sshd's formula says", () => {
    const { startups } = stockLimits;
    assert.equal(
      dropsStartup(9, startups, () => 0),
      false,
    );
    assert.equal(
      dropsStartup(10, startups, () => 0.29),
      true,
    );
    assert.equal(
      dropsStartup(10, startups, () => 0.3),
      false,
    );
    assert.equal(
      dropsStartup(55, startups, () => 0.64),
      true,
    );
    assert.equal(
      dropsStartup(55, startups, () => 0.65),
      false,
    );
    assert.equal(
      dropsStartup(100, startups, () => 0.999),
      true,
    );
  });
});

async function started(limits: Partial<SshdOptions["limits"]> = {}) {
  const server = await startSshd({
    clock: realClock,
    random: () => 0.5,
    user: "medic",
    hostKey: keys.host.private,
    authorizedKey: keys.client.public,
    limits: { ...stockLimits, ...limits },
    costs: { connectionMilliseconds: 0, commandMilliseconds: { least: 0, most: 0 } },
    execute: async (command, { stdout, stderr }, signal) => {
      if (command === "hang") await realClock.sleep(60_000, signal);
      stdout.write(`ran ${command}`);
      if (command === "three") stderr.write("said");
      return command === "three" ? 3 : 0;
    },
  });
  return { ...server, [Symbol.asyncDispose]: async () => await server.close() };
}

async function connected(port: number, privateKey = keys.client.private): Promise<Client> {
  const client = new ssh2.Client();
  const ready = new Promise<Client>((resolve, reject) => {
    client.once("ready", () => resolve(client));
    client.on("error", reject);
    client.once("close", () => reject(new Error("closed")));
  });
  client.connect({ host: "127.0.0.1", port, username: "medic", privateKey });
  return await ready;
}

type Opened = { channel: ClientChannel; ended: Promise<Ended> };
type Ended = { stdout: string; stderr: string; exit: number | undefined; signal: string | undefined };

async function opened(client: Client, command: string): Promise<Opened> {
  return await new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error === undefined) resolve({ channel, ended: listen(channel) });
      else reject(error);
    });
  });
}

async function ran(opening: Promise<Opened> | Opened): Promise<Ended> {
  return await (
    await opening
  ).ended;
}

async function listen(channel: ClientChannel): Promise<Ended> {
  const ended: Ended = { stdout: "", stderr: "", exit: undefined, signal: undefined };
  channel.on("data", (chunk: Buffer) => (ended.stdout += chunk.toString()));
  channel.stderr.on("data", (chunk: Buffer) => (ended.stderr += chunk.toString()));
  channel.on("exit", (exit: number | null, signal?: string) => {
    ended.exit = exit ?? undefined;
    ended.signal = signal;
  });
  await new Promise((resolve) => channel.on("close", resolve));
  return ended;
}

/** ssh2's own `signal()` says nothing once the channel's input has ended. */
function signalled(client: Client, channel: ClientChannel): void {
  const internals = client as unknown as { _protocol: { signal(id: number, name: string): void } };
  const { outgoing } = channel as unknown as { outgoing: { id: number } };
  internals._protocol.signal(outgoing.id, "KILL");
}

/** A round trip after everything sent so far. */
async function answered(client: Client): Promise<void> {
  await new Promise<void>((resolve) => {
    client.unforwardIn("127.0.0.1", 1, () => resolve());
  });
  await wait(0);
}
