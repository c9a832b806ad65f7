import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { script } from "../../core/plugin/contract.ts";
import type { How } from "../../core/transport/pool.ts";
import { failure, sshHost, standingClock } from "../support/ssh-host.ts";
import { isAlive, until, withUnknownSsh2 } from "../support/world.ts";

const read: How = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };
const change: How = { kind: "fix", tool: "docker_restart", commandSeconds: 20 };

describe("a cold burst of a hundred commands", () => {
  const burst = async (maxSessions: number, maxConnections = 3, connections = 1) => {
    // A queue that has stood for a second may have a further connection, and on a busy machine this one does.
    await using host = await sshHost({ server: { maxSessions }, pool: { maxConnections }, clock: standingClock });
    const all = Array.from({ length: 100 }, (_, index) => host.transport.run("nexus", ["echo", `${index}`], read));
    const answers = await Promise.all(all);
    assert.deepEqual(
      answers.map(({ exit, stdout }) => `${exit} ${stdout.trim()}`),
      Array.from({ length: 100 }, (_, index) => `0 ${index}`),
    );
    const { counts } = host.server;
    assert.equal(counts.connections, connections);
    assert.equal(counts.authenticated, connections);
    assert.equal(counts.commands.length, 100);
    assert.ok(counts.overlapping <= maxSessions * connections);
    assert.equal(host.logged("ssh_connection_established").length, connections);
    return { counts, reused: host.logged("reusing_ssh_connection").length };
  };

  it("opens one connection, loses no call and is refused no channel by a stock server", async () => {
    const { counts, reused } = await burst(10);
    assert.equal(counts.refused, 0);
    assert.equal(reused, 99);
    assert.equal(counts.overlapping, 10);
  });

  it("asks again for refused channels when the server allows fewer than it thought", async () => {
    const { counts, reused } = await burst(3, 1);
    assert.ok(counts.refused > 0);
    assert.equal(reused, 99);
  });

  it("works through a single channel where one connection is all there may be", async () => {
    await burst(1, 1);
  });

  it("gets two more connections, and no more, from a server of one channel", async () => {
    for (const maxSessions of [1, 2]) {
      const { reused } = await burst(maxSessions, 3, 3);
      assert.equal(reused, 97);
    }
  });

  it("does the same with an ssh2 whose insides are unknown", async () => {
    await withUnknownSsh2(async () => void (await burst(10)));
    await withUnknownSsh2(async () => void (await burst(3, 1)));
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

  it("that the caller did not name gets the host's own", async () => {
    await using host = await sshHost({ pool: { commandTimeout: 0.3 } });
    const error = await failure(host.transport.run("nexus", ["sleep", "92"], { kind: "fix", tool: "docker_restart" }));
    assert.equal(error.kind, "CommandTimeout");
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
