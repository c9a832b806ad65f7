import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import ssh2Package from "ssh2/package.json" with { type: "json" };
import { script } from "../../core/plugin/contract.ts";
import { CommandRefused } from "../../core/transport/quote.ts";
import type { How } from "../../core/transport/pool.ts";
import { failure, sshHost } from "../support/ssh-host.ts";

const read: How = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };
const change: How = { kind: "fix", tool: "docker_restart", commandSeconds: 20 };

/** Runs as if another ssh2 were installed, whose insides nobody has read. */
async function withUnknownSsh2(test: () => Promise<void>): Promise<void> {
  const { version } = ssh2Package;
  ssh2Package.version = "999.0.0";
  try {
    await test();
  } finally {
    ssh2Package.version = version;
  }
}

describe("a cold burst of a hundred commands", () => {
  const burst = async (maxSessions: number) => {
    await using host = await sshHost({ server: { maxSessions } });
    const all = Array.from({ length: 100 }, (_, index) => host.transport.run("nexus", ["echo", `${index}`], read));
    const answers = await Promise.all(all);
    assert.deepEqual(
      answers.map(({ exit, stdout }) => `${exit} ${stdout.trim()}`),
      Array.from({ length: 100 }, (_, index) => `0 ${index}`),
    );
    const { counts } = host.server;
    assert.equal(counts.connections, 1);
    assert.equal(counts.authenticated, 1);
    assert.equal(counts.commands.length, 100);
    assert.ok(counts.overlapping <= maxSessions);
    assert.equal(host.logged("ssh_connection_established").length, 1);
    return { counts, reused: host.logged("reusing_ssh_connection").length };
  };

  it("opens one connection, loses no call and is refused no channel by a stock server", async () => {
    const { counts, reused } = await burst(10);
    assert.equal(counts.refused, 0);
    assert.equal(reused, 99);
    assert.equal(counts.overlapping, 10);
  });

  it("asks again for refused channels when the server allows fewer than it thought", async () => {
    const { counts, reused } = await burst(3);
    assert.ok(counts.refused > 0);
    assert.equal(reused, 99);
  });

  it("works through a single channel", async () => {
    await burst(1);
  });

  it("does the same with an ssh2 whose insides are unknown", async () => {
    await withUnknownSsh2(async () => void (await burst(10)));
    await withUnknownSsh2(async () => void (await burst(3)));
  });
});

describe("logging in", () => {
  it("signs in the first message, with no `none` and no question before", async () => {
    await using host = await sshHost();
    await host.transport.run("nexus", ["true"], read);
    assert.deepEqual(host.server.counts.authRequests, ["publickey"]);
  });

  it("asks before it signs when ssh2's insides are unknown", async () => {
    await withUnknownSsh2(async () => {
      await using host = await sshHost();
      await host.transport.run("nexus", ["true"], read);
      assert.deepEqual(host.server.counts.authRequests, ["publickey", "probe", "publickey"]);
    });
  });

  it("that is refused says which key, which user, and the line to add", async () => {
    await using host = await sshHost({ server: { authorized: [] } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "AuthenticationFailed");
    assert.equal(error.dispatched, false);
    assert.match(error.message, /as "medic".*\/key" \(ssh-ed25519 /);
    assert.ok(error.message.includes(host.server.clientKey.public.split(" ").slice(0, 2).join(" ")), error.message);
    assert.match(error.message, /authorized_keys/);
    assert.equal(host.logged("ssh_dial_failed")[0]?.["kind"], "AuthenticationFailed");
  });

  it("without identity and agent says so", async () => {
    await using host = await sshHost({ host: { identity: undefined } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "AuthenticationFailed");
    assert.match(error.message, /neither an identity nor an agent.*hosts\.nexus\.identity/);
  });

  it("names a key that is missing, and one that is no private key", async () => {
    await using host = await sshHost();
    for (const [identity, says] of [
      [join(host.folder, "none"), /none" cannot be read: ENOENT/],
      [host.file("rubbish", "rubbish"), /rubbish" is no private key/],
      [host.file("key.pub", host.server.clientKey.public), /is a public key/],
    ] as const) {
      const transport = host.start({ identity });
      const error = await failure(transport.run("nexus", ["true"], read));
      assert.equal(error.kind, "AuthenticationFailed");
      assert.match(error.message, says);
      await transport.close();
    }
    assert.equal(host.server.counts.connections, 0);
  });
});

describe("the host's key", () => {
  const line = (host: Awaited<ReturnType<typeof sshHost>>, port = host.server.port) =>
    `[127.0.0.1]:${port} ${host.server.hostKey.public}\n`;

  it("is trusted by known_hosts, and by its pin", async () => {
    await using host = await sshHost();
    const transport = host.start({ hostKey: undefined, knownHosts: host.file("known_hosts", line(host)) });
    assert.equal((await transport.run("nexus", ["true"], read)).exit, 0);
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
    await transport.close();
  });

  it("is refused when nothing is known of it, with the line that would trust it", async () => {
    await using host = await sshHost({ host: { hostKey: undefined } });
    for (const knownHosts of [undefined, join(host.folder, "none"), host.file("known_hosts", line(host, 1))]) {
      const transport = host.start({ knownHosts });
      const error = await failure(transport.run("nexus", ["true"], read));
      assert.equal(error.kind, "HostKeyMismatch");
      assert.equal(error.offered, host.server.fingerprint);
      assert.ok(error.message.includes(`hosts.nexus.hostKey: "${host.server.fingerprint}"`), error.message);
      await transport.close();
    }
    assert.equal(host.server.counts.authenticated, 0);
  });

  it("is refused when it changed, and no login is tried", async () => {
    await using host = await sshHost({ host: { hostKey: `SHA256:${"A".repeat(43)}` } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "HostKeyMismatch");
    assert.match(error.message, /host key changed, expected "SHA256:AAA/);
    assert.deepEqual(host.server.counts.authRequests, []);
  });
});

describe("the dial", () => {
  it("is tried again when the host hangs up before the handshake, as above MaxStartups", async () => {
    await using host = await sshHost({ server: { dropFirst: 2 } });
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
    assert.equal(host.server.counts.connections, 3);
  });

  it("gives up after three of them", async () => {
    await using host = await sshHost({ server: { dropFirst: 100 } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "DialFailed");
    assert.match(error.message, /MaxStartups/);
    assert.equal(host.server.counts.connections, 3);
  });

  it("is not tried again where nobody listens", async () => {
    await using host = await sshHost();
    await host.server.close();
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "DialFailed");
    assert.match(error.message, /ECONNREFUSED/);
    assert.equal(host.transport.statistics()[0]?.dials, 1);
  });

  it("of a silent host ends as DialTimeout", async () => {
    await using host = await sshHost({ pool: { dialTimeout: 0.2 }, server: { isSilent: true } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "DialTimeout");
    assert.equal(error.dispatched, false);
  });
});

describe("an answer", () => {
  it("is also a non-zero exit, and death by a signal", async () => {
    await using host = await sshHost();
    assert.equal((await host.transport.run("nexus", ["sh", "-c", "exit 3"], read)).exit, 3);
    assert.equal((await host.transport.run("nexus", ["sh", "-c", "kill -TERM $$"], change)).exit, 143);
    assert.equal((await host.transport.run("nexus", ["no-such-program"], change)).exit, 127);
  });

  it("keeps stdout and stderr apart, each whole", async () => {
    await using host = await sshHost();
    const answer = await host.transport.run("nexus", ["sh", "-c", "echo out; echo err >&2"], read);
    assert.deepEqual(answer, { exit: 0, stdout: "out\n", stderr: "err\n", cutBytes: 0 });
  });

  it("keeps the newest bytes and says how many are gone", async () => {
    await using host = await sshHost({ pool: { outputBytes: 1000 } });
    const answer = await host.transport.run("nexus", ["seq", "1", "100000"], read);
    assert.equal(answer.stdout.length, 1000);
    assert.ok(answer.stdout.endsWith("99999\n100000\n"));
    assert.equal(answer.cutBytes, 588_895 - 1000);
  });

  it("comes although stderr floods past every window", async () => {
    await using host = await sshHost();
    const flood = "head -c 6000000 /dev/zero | tr '\\0' e >&2; echo done";
    const answer = await host.transport.run("nexus", ["sh", "-c", flood], read);
    assert.equal(answer.stdout, "done\n");
    assert.equal(answer.cutBytes, 6_000_000 - 1024 * 1024);
  });

  it("comes from a command that reads standard input", async () => {
    await using host = await sshHost();
    assert.equal((await host.transport.run("nexus", ["sh", "-c", "cat; echo read"], read)).stdout, "read\n");
  });

  it("survives a character that falls apart on the way", async () => {
    await using host = await sshHost();
    const text = "printf '\\303'; sleep 0.05; printf '\\251\\n'";
    assert.equal((await host.transport.run("nexus", ["sh", "-c", text], read)).stdout, "é\n");
  });
});

describe("a command past its deadline", () => {
  it("is killed on the host with all its children when it only reads", async () => {
    await using host = await sshHost();
    const pids = join(host.folder, "pids");
    const text = `trap '' TERM; sleep 98 & echo $$ $! > "$1"; wait`;
    const slow = failure(host.transport.run("nexus", script(text, pids), { ...read, deadlineSeconds: 0.5 }));
    const error = await slow;
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    await until(() => host.transport.statistics()[0]?.inFlight === 0);
    assert.deepEqual(host.server.counts.signals, ["KILL"]);
    for (const pid of readFileSync(pids, "utf8").trim().split(" ")) assert.equal(isAlive(Number(pid)), false);
    assert.equal(host.logged("command_timeout").length, 1);
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
    assert.equal(host.server.counts.connections, 1);
  });

  it("is killed by the host itself when signals do not reach it", async () => {
    await using host = await sshHost({ server: { ignoresSignals: true } });
    const pids = join(host.folder, "pids");
    const text = `echo $$ > "$1"; sleep 97`;
    const error = await failure(host.transport.run("nexus", script(text, pids), { ...read, commandSeconds: 1 }));
    assert.equal(error.kind, "CommandTimeout");
    await until(() => !isAlive(Number(readFileSync(pids, "utf8"))));
  });

  it("is left alone when it fixes, and ends by itself", async () => {
    await using host = await sshHost();
    const done = join(host.folder, "done");
    const text = `sleep 0.6; echo fixed > "$1"`;
    const error = await failure(host.transport.run("nexus", script(text, done), { ...change, deadlineSeconds: 0.3 }));
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    assert.equal(existsSync(done), false);
    assert.equal(host.transport.statistics()[0]?.inFlight, 1);
    await until(() => existsSync(done));
    await until(() => host.transport.statistics()[0]?.inFlight === 0);
    assert.deepEqual(host.server.counts.signals, []);
  });

  it("while its channel opens has not run, and does not run later", async () => {
    await using host = await sshHost({ server: { neverOpens: true } });
    const error = await failure(host.transport.run("nexus", ["true"], { ...change, deadlineSeconds: 0.3 }));
    assert.equal(error.kind, "ChannelRefused");
    assert.equal(error.dispatched, false);
  });

  it("may have run when ssh2's insides are unknown", async () => {
    await withUnknownSsh2(async () => {
      await using host = await sshHost({ server: { neverOpens: true } });
      const error = await failure(host.transport.run("nexus", ["true"], { ...change, deadlineSeconds: 0.3 }));
      assert.equal(error.dispatched, true);
    });
  });
});

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
    await using host = await sshHost({ server: { software: "dropbear_2022.83" } });
    await Promise.all(Array.from({ length: 5 }, () => host.transport.run("nexus", ["true"], read)));
    assert.equal(host.server.counts.overlapping, 1);
    assert.equal(host.transport.statistics()[0]?.channelLimit, 1);
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

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`did not come true within 4 s: ${holds.toString()}`);
}

// A zombie is dead; whoever should have reaped it is not what the test looks at.
function isAlive(pid: number): boolean {
  const state = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
  return state !== "" && !state.startsWith("Z");
}
