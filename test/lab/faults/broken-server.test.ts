// The server breaks or changes under Medic: its processes are killed, its listener restarts, its key, its limits and its
// mind change. What the caller gets, and what the host did.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { reach, unfit, untilSeconds } from "../../support/real-server.ts";
import { sshdProgram, startRealSshd } from "../../support/real-sshd.ts";
import { failure } from "../../support/ssh-host.ts";
import { killProcess } from "../../support/system-user.ts";

const skip = unfit(sshdProgram);

describe("sshd's process of a connection", { skip }, () => {
  const waitingIds = Array.from({ length: 8 }, (_, index) => `waiting-${index}`);

  for (const { half, signal } of [
    { half: "user", signal: "SIGTERM" },
    { half: "user", signal: "SIGKILL" },
    { half: "monitor", signal: "SIGTERM" },
  ] as const) {
    it(`ended by ${signal} (its ${half} half) leaves a running fix unknown; what waited runs once, elsewhere`, async () => {
      await using sshd = await startRealSshd();
      await using medic = reach(sshd, { pool: { maxChannels: 1, maxConnections: 1 } });
      const lost = failure(medic.run(sshd.ledger.command("running", 1)));
      await untilSeconds(3, "the fix began", () => sshd.ledger.of("running").began === 1);
      const waiting = waitingIds.map((id) => medic.run(sshd.ledger.command(id)));
      for (const pid of sshd.connections()[half]) killProcess(pid, signal);
      const error = await lost;
      assert.equal(error.kind, "ConnectionLost");
      assert.equal(error.dispatched, true);
      for (const { exit } of await Promise.all(waiting)) assert.equal(exit, 0);
      for (const id of waitingIds) assert.deepEqual(sshd.ledger.of(id), { began: 1, ended: 1 });
      assert.equal(sshd.ledger.of("running").began, 1);
      assert.equal(sshd.counts().authenticated, 2);
    });
  }

  it("without its monitor (KILL) finishes what runs; the one command it then breaks on is unknown, no other is", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd, { pool: { maxChannels: 1, maxConnections: 1 } });
    const running = medic.run(sshd.ledger.command("running", 0.5));
    await untilSeconds(3, "the fix began", () => sshd.ledger.of("running").began === 1);
    const waiting = waitingIds.map((id) => medic.run(sshd.ledger.command(id)));
    for (const pid of sshd.connections().monitor) killProcess(pid);
    assert.equal((await running).exit, 0);
    const outcomes = await Promise.allSettled(waiting);
    const lost = waitingIds.filter((_, index) => outcomes[index]?.status === "rejected");
    for (const id of waitingIds) {
      const times = lost.includes(id) ? 0 : 1;
      assert.deepEqual(sshd.ledger.of(id), { began: times, ended: times });
    }
    assert.equal(lost.length, 1);
    const error = await failure(waiting[waitingIds.indexOf(lost[0] ?? "")] ?? Promise.resolve());
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.equal(sshd.counts().authenticated, 2);
  });
});

describe("a listener that restarts", { skip }, () => {
  it("is not noticed by the connection that is there", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    const across = medic.run(sshd.ledger.command("across", 1));
    await untilSeconds(3, "it began", () => sshd.ledger.of("across").began === 1);
    await sshd.restart();
    assert.equal((await across).exit, 0);
    assert.equal((await medic.run(sshd.ledger.command("after"))).exit, 0);
    assert.deepEqual(sshd.ledger.of("across"), { began: 1, ended: 1 });
    assert.equal(sshd.counts().authenticated, 1);
  });

  it("with its connections gone too costs one more dial, and no command", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    await medic.run(sshd.ledger.command("before"));
    await untilSeconds(3, "nothing runs", () => medic.statistics().inFlight === 0);
    const { monitor, user } = sshd.connections();
    for (const pid of [...monitor, ...user]) killProcess(pid);
    await sshd.restart();
    assert.equal((await medic.run(sshd.ledger.command("after"))).exit, 0);
    assert.deepEqual(sshd.ledger.of("after"), { began: 1, ended: 1 });
    assert.equal(sshd.counts().authenticated, 2);
  });
});

describe("a host key that changes between dials", { skip }, () => {
  it("is HostKeyMismatch, names both keys, and nothing ran", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd, { pool: { idleTimeout: 0.1 } });
    const before = sshd.hostKey;
    await medic.run(sshd.ledger.command("before"));
    await untilSeconds(3, "the idle connection closed", () => medic.statistics().state === "closed");
    await sshd.changeHostKey();
    const error = await failure(medic.run(sshd.ledger.command("after")));
    assert.equal(error.kind, "HostKeyMismatch");
    assert.equal(error.dispatched, false);
    assert.equal(error.offered, sshd.hostKey);
    assert.ok(error.message.includes(before));
    assert.deepEqual(sshd.ledger.of("after"), { began: 0, ended: 0 });
    assert.equal(sshd.counts().authenticated, 1);
  });

  it("does not disturb the connection that was proven before", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    await medic.run(sshd.ledger.command("before"));
    await sshd.changeHostKey();
    assert.equal((await medic.run(sshd.ledger.command("after"))).exit, 0);
  });
});

describe("a key that is revoked between dials", { skip }, () => {
  it("is AuthenticationFailed, nothing ran, and works again when it is permitted again", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd, { pool: { idleTimeout: 0.1 } });
    await medic.run(sshd.ledger.command("before"));
    await untilSeconds(3, "the idle connection closed", () => medic.statistics().state === "closed");
    sshd.revoke();
    const error = await failure(medic.run(sshd.ledger.command("refused")));
    assert.equal(error.kind, "AuthenticationFailed");
    assert.equal(error.dispatched, false);
    sshd.permit();
    assert.equal((await medic.run(sshd.ledger.command("after"))).exit, 0);
    assert.deepEqual(sshd.ledger.of("refused"), { began: 0, ended: 0 });
  });
});

describe("MaxSessions lowered under load", { skip }, () => {
  it("loses no command that had not been sent, and runs none twice", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    const ids = Array.from({ length: 60 }, (_, index) => `command-${index}`);
    const outcomes = Promise.allSettled(ids.map((id) => medic.run(sshd.ledger.command(id, 0.2))));
    await untilSeconds(5, "the load is on", () => sshd.ledger.read().size >= 15);
    await sshd.limit(2);
    for (const pid of sshd.connections().user) killProcess(pid);
    let lost = 0;
    for (const [index, outcome] of (await outcomes).entries()) {
      const ran = sshd.ledger.of(ids[index] ?? "");
      if (outcome.status === "fulfilled") assert.deepEqual(ran, { began: 1, ended: 1 });
      else {
        // Only what ran when the connection died: ten at most.
        const error = await failure(Promise.reject(outcome.reason));
        assert.equal(error.kind, "ConnectionLost");
        assert.equal(error.dispatched, true);
        assert.ok(ran.began <= 1);
        lost += 1;
      }
    }
    assert.ok(lost <= 10, `${lost} commands were lost`);
    assert.equal(medic.statistics().channelLimit, 2);
  });
});

describe("idle eviction", { skip }, () => {
  it("never meets a command, were it three times as long as the idle time", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd, { pool: { idleTimeout: 0.5 } });
    assert.equal((await medic.run(sshd.ledger.command("long", 1.5))).exit, 0);
    assert.deepEqual(sshd.ledger.of("long"), { began: 1, ended: 1 });
    assert.equal(sshd.counts().closed, 0);
    const seconds = await untilSeconds(3, "the server saw it close", () => sshd.counts().closed === 1);
    assert.ok(seconds > 0.35, `it closed ${seconds} s after the command`);
    assert.deepEqual(medic.statistics().closes, { idle: 1 });
  });
});

describe("a clock that jumps", { skip }, () => {
  for (const { direction, hours } of [
    { direction: "forward", hours: 5 },
    { direction: "back", hours: -5 },
  ]) {
    it(`${direction} (the machine's time is set) changes nothing`, async (test) => {
      await using sshd = await startRealSshd();
      await using medic = reach(sshd, { pool: { idleTimeout: 0.5 } });
      const running = medic.run(sshd.ledger.command("across", 0.6));
      await untilSeconds(3, "it began", () => sshd.ledger.of("across").began === 1);
      const real = Date.now;
      test.mock.method(Date, "now", () => real() + hours * 3_600_000);
      assert.equal((await running).exit, 0);
      assert.equal((await medic.run(sshd.ledger.command("after"))).exit, 0);
      assert.equal(sshd.counts().authenticated, 1);
      const seconds = await untilSeconds(3, "the server saw it close", () => sshd.counts().closed === 1);
      assert.ok(seconds > 0.3, `it was evicted after ${seconds} s`);
    });

    it(`${direction} (Medic was suspended, by its own clock) hangs nothing, and runs nothing twice`, async () => {
      let jump = 0;
      const clock = {
        now: () => performance.now() + jump,
        after(seconds: number, call: () => void) {
          const timer = setTimeout(call, Math.max(0, seconds * 1000));
          return () => clearTimeout(timer);
        },
      };
      await using sshd = await startRealSshd();
      await using medic = reach(sshd, { clock, pool: { maxChannels: 1 } });
      const commands = ["running", "waiting"].map((id) => medic.run(sshd.ledger.command(id, 0.6)));
      await untilSeconds(3, "it began", () => sshd.ledger.of("running").began === 1);
      jump = hours * 3_600_000;
      const outcomes = await Promise.race([Promise.allSettled(commands), sleep(8000, undefined, { ref: false })]);
      assert.ok(outcomes !== undefined, "a command hung");
      await untilSeconds(3, "nothing is left running", () => sshd.user.running().length === 0);
      assert.equal((await medic.run(sshd.ledger.command("after"))).exit, 0);
      for (const id of ["running", "waiting", "after"]) assert.ok(sshd.ledger.of(id).began <= 1);
      const [running] = outcomes;
      assert.equal(running?.status, "fulfilled");
      assert.deepEqual(sshd.ledger.of("running"), { began: 1, ended: 1 });
    });
  }
});
