// The link falls silent: nothing is closed, nothing is said. What the caller gets in each phase, and what the host did.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PoolSettings } from "../../../core/transport/pool.ts";
import { reach, unfit, untilSeconds } from "../../support/real-server.ts";
import { sshdProgram, startRealSshd } from "../../support/real-sshd.ts";
import { startSilentProxy } from "../../support/silent-proxy.ts";
import { failure } from "../../support/ssh-host.ts";

const keepalive = { keepaliveInterval: 0.3, keepaliveCount: 2 };
/** A command then needs its channel opened first; with one opened ahead that phase would be skipped. */
const plain = { warmChannels: "off" } as const;

/** A stock sshd, a network before it, and a transport through that. */
async function behindProxy(pool: Partial<PoolSettings> = {}) {
  const stack = new AsyncDisposableStack();
  const sshd = stack.use(await startRealSshd());
  const proxy = stack.use(await startSilentProxy(sshd));
  const medic = stack.use(reach(sshd, { pool, through: { address: proxy.address, port: proxy.port } }));
  return { sshd, proxy, medic, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("a link that falls silent", { skip: unfit(sshdProgram) }, () => {
  it("while idle costs one connection: keepalive notices, and the next command runs once over a new one", async () => {
    await using world = await behindProxy(keepalive);
    const { sshd, proxy, medic } = world;
    await medic.run(sshd.ledger.command("first"));
    proxy.silence();
    await untilSeconds(3, "the dead connection is given up", () => medic.statistics().state === "closed");
    assert.deepEqual(medic.statistics().closes, { keepalive: 1 });
    assert.equal((await medic.run(sshd.ledger.command("second"))).exit, 0);
    assert.deepEqual(sshd.ledger.of("second"), { began: 1, ended: 1 });
    assert.equal(sshd.counts().authenticated, 2);
  });

  for (const { phase, bytes } of [
    { phase: "before the host has said a word", bytes: 0 },
    { phase: "after the host's version", bytes: 45 },
    { phase: "after the key exchange", bytes: 1600 },
  ]) {
    it(`while dialing, ${phase}, is DialTimeout within its bound, and nothing ran`, async () => {
      await using world = await behindProxy({ dialTimeout: 1 });
      const { sshd, proxy, medic } = world;
      proxy.silenceAfterBytes(bytes);
      const began = performance.now();
      const error = await failure(medic.run(sshd.ledger.command("lost")));
      assert.equal(error.kind, "DialTimeout");
      assert.equal(error.dispatched, false);
      assert.ok(performance.now() - began < 3000, "it took longer than the dial may");
      proxy.silenceAfterBytes(undefined);
      assert.equal((await medic.run(sshd.ledger.command("next"))).exit, 0);
      assert.deepEqual(sshd.ledger.of("lost"), { began: 0, ended: 0 });
    });
  }

  for (const loss of ["all", "answers"] as const) {
    it(`while a channel opens (${loss} lost) runs nothing on the dead connection, and the command once on a new one`, async () => {
      await using world = await behindProxy({ ...keepalive, ...plain });
      const { sshd, proxy, medic } = world;
      await medic.run(sshd.ledger.command("first"));
      await untilSeconds(3, "the slot is free", () => medic.statistics().inFlight === 0);
      proxy.silence(loss);
      assert.equal((await medic.run(sshd.ledger.command("second"))).exit, 0);
      assert.deepEqual(sshd.ledger.of("second"), { began: 1, ended: 1 });
      assert.equal(medic.statistics().dials, 2);
    });

    it(`while a channel opens (${loss} lost) is ChannelRefused at the deadline when no keepalive tells, and nothing ran`, async () => {
      await using world = await behindProxy({ keepaliveInterval: 0, ...plain });
      const { sshd, proxy, medic } = world;
      await medic.run(sshd.ledger.command("first"));
      await untilSeconds(3, "the slot is free", () => medic.statistics().inFlight === 0);
      proxy.silence(loss);
      const error = await failure(medic.run(sshd.ledger.command("second"), { deadlineSeconds: 0.7 }));
      assert.equal(error.kind, "ChannelRefused");
      assert.equal(error.dispatched, false);
      assert.deepEqual(sshd.ledger.of("second"), { began: 0, ended: 0 });
    });
  }

  it("while a fix runs is ConnectionLost, perhaps run; the host goes on with it, and it is not sent again", async () => {
    await using world = await behindProxy(keepalive);
    const { sshd, proxy, medic } = world;
    const lost = failure(medic.run(sshd.ledger.command("fix", 2.5)));
    await untilSeconds(3, "the fix began", () => sshd.ledger.of("fix").began === 1);
    proxy.silence();
    const error = await lost;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.deepEqual(sshd.ledger.of("fix"), { began: 1, ended: 0 });
    await untilSeconds(4, "the fix ended", () => sshd.ledger.of("fix").ended === 1);
    assert.equal((await medic.run(sshd.ledger.command("next"))).exit, 0);
    assert.deepEqual(sshd.ledger.of("fix"), { began: 1, ended: 1 });
  });

  it("while the answer is on its way is ConnectionLost, perhaps run, although the host has done it", async () => {
    await using world = await behindProxy(keepalive);
    const { sshd, proxy, medic } = world;
    const lost = failure(medic.run(sshd.ledger.command("fix", 0.5)));
    await untilSeconds(3, "the fix began", () => sshd.ledger.of("fix").began === 1);
    proxy.silence("answers");
    const error = await lost;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.deepEqual(sshd.ledger.of("fix"), { began: 1, ended: 1 });
  });

  it("without keepalive is CommandTimeout at the command's own bound", async () => {
    await using world = await behindProxy({ keepaliveInterval: 0 });
    const { sshd, proxy, medic } = world;
    const lost = failure(medic.run(sshd.ledger.command("read", 3), { kind: "diagnostic", commandSeconds: 1 }));
    await untilSeconds(3, "the diagnostic began", () => sshd.ledger.of("read").began === 1);
    proxy.silence();
    const error = await lost;
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    // Our KILL never arrived; the host's own ended it.
    await untilSeconds(2, "the host killed it", () => sshd.user.running().length === 0);
    assert.deepEqual(sshd.ledger.of("read"), { began: 1, ended: 0 });
  });

  it("while a channel closes does not take back the answer, and holds the slot only so long", async () => {
    await using world = await behindProxy({ keepaliveInterval: 0, maxChannels: 1, ...plain });
    const { sshd, proxy, medic } = world;
    const done = medic.run(sshd.ledger.command("first"));
    const result = await done;
    proxy.silence();
    assert.equal(result.exit, 0);
    assert.deepEqual(sshd.ledger.of("first"), { began: 1, ended: 1 });
    await untilSeconds(3, "the slot came back", () => medic.statistics().inFlight === 0);
  });

  it("while Medic closes holds nothing up", async () => {
    await using world = await behindProxy({ keepaliveInterval: 0 });
    const { sshd, proxy, medic } = world;
    const running = failure(medic.run(sshd.ledger.command("fix", 1)));
    await untilSeconds(3, "the fix began", () => sshd.ledger.of("fix").began === 1);
    proxy.silence();
    const began = performance.now();
    await medic.transport.close();
    assert.ok(performance.now() - began < 1500, "closing took longer than its bound");
    const error = await running;
    assert.equal(error.kind, "Closed");
    assert.equal(error.dispatched, true);
    await untilSeconds(3, "the host finished it", () => sshd.ledger.of("fix").ended === 1);
  });
});
