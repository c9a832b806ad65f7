// A diagnostic past its deadline is ended on the host, for good: its process tree is gone and its slot is back. Looked at
// on the host, because a client cannot know. A fix is never signalled.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { script, type Command } from "../../../core/plugin/contract.ts";
import { reach, unfit, untilSeconds, type Reach } from "../../support/real-server.ts";
import { sshdProgram, startRealSshd } from "../../support/real-sshd.ts";
import { dropbearPrograms, startDropbear } from "../../support/dropbear.ts";
import { startSilentProxy } from "../../support/silent-proxy.ts";
import { failure } from "../../support/ssh-host.ts";
import { processesNaming } from "../../support/system-user.ts";

const sudoProgram = "/usr/bin/sudo";

/** Each command sleeps for a time of its own, which no other process of this machine names. */
let sleeps = 0;
function marked(): string {
  return `86${process.pid}.${(sleeps += 1)}`;
}

const stubborn = (mark: string): Command => script(`trap '' TERM; (trap '' TERM; sleep "$1") & sleep "$1"; true`, mark);
const ways: { what: string; command: (mark: string) => Command }[] = [
  { what: "a plain command", command: (mark) => ["sleep", mark] },
  { what: "a script with children", command: (mark) => script(`sleep "$1" & sleep "$1" | cat; true`, mark) },
  { what: "a child that ignores TERM", command: stubborn },
  // Which makes a process group of its own.
  { what: "a script with a `timeout` of its own", command: (mark) => script(`timeout 600 sleep "$1"; true`, mark) },
];

/** Runs it past its deadline, and waits until nothing on this machine names its mark. */
async function ended(medic: Reach, command: Command, mark: string, terms: { own: number; deadline: number }) {
  const how = { kind: "diagnostic", commandSeconds: terms.own, deadlineSeconds: terms.deadline } as const;
  // The deadline covers the dial too, which is not meant here.
  await medic.run(["true"]);
  const outcome = failure(medic.run(command, how));
  await untilSeconds(3, "it runs", () => processesNaming(mark).length > 0);
  const error = await outcome;
  assert.equal(error.kind, "CommandTimeout");
  assert.equal(error.dispatched, true);
  const gone = await untilSeconds(terms.own + 3, "its processes are gone", () => processesNaming(mark).length === 0);
  const back = await untilSeconds(3, "its slot is back", () => medic.statistics().inFlight === 0);
  return { gone, back };
}

describe("a diagnostic past its deadline", { skip: unfit(sshdProgram) }, () => {
  for (const { what, command } of ways) {
    it(`(${what}) is killed at once by us, long before the host's own limit`, async () => {
      await using sshd = await startRealSshd();
      await using medic = reach(sshd, { pool: { maxConnections: 1 } });
      const mark = marked();
      const { gone, back } = await ended(medic, command(mark), mark, { own: 30, deadline: 0.6 });
      assert.ok(gone < 1 && back < 2, `gone after ${gone} s, slot back after ${back} s`);
      assert.equal((await medic.run(sshd.ledger.command("next"))).exit, 0);
      assert.equal(sshd.counts().authenticated, 1);
    });

    it(`(${what}) is killed by the host's own limit when the link is lost`, async () => {
      await using sshd = await startRealSshd();
      await using proxy = await startSilentProxy(sshd);
      await using medic = reach(sshd, {
        through: { address: proxy.address, port: proxy.port },
        pool: { keepaliveInterval: 0.2, keepaliveCount: 1 },
      });
      const mark = marked();
      const lost = failure(medic.run(command(mark), { kind: "diagnostic", commandSeconds: 2 }));
      await untilSeconds(2, "it runs", () => processesNaming(mark).length > 0);
      proxy.cut();
      const error = await lost;
      assert.equal(error.kind, "ConnectionLost");
      assert.equal(error.dispatched, true);
      await untilSeconds(3, "its processes are gone", () => processesNaming(mark).length === 0);
    });
  }

  it("gives all ten slots back when ten run over at once, so ten more run without a refusal", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd, { pool: { maxConnections: 1 } });
    const marks = Array.from({ length: 10 }, marked);
    await Promise.all(marks.map((mark) => ended(medic, ["sleep", mark], mark, { own: 30, deadline: 1 })));
    const ids = marks.map((mark) => `next-${mark}`);
    await Promise.all(ids.map((id) => medic.run(sshd.ledger.command(id))));
    for (const id of ids) assert.deepEqual(sshd.ledger.of(id), { began: 1, ended: 1 });
    assert.equal(sshd.counts().refusedSessions, 0);
    assert.equal(sshd.counts().authenticated, 1);
  });

  it("is a fix's twin: a fix past its deadline is left alone and finishes", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    const error = await failure(medic.run(sshd.ledger.command("fix", 1.5), { commandSeconds: 0.5 }));
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    assert.deepEqual(sshd.ledger.of("fix"), { began: 1, ended: 0 });
    await untilSeconds(3, "the fix ended", () => sshd.ledger.of("fix").ended === 1);
    await untilSeconds(3, "its slot is back", () => medic.statistics().inFlight === 0);
  });
});

describe("a diagnostic under sudo past its deadline", { skip: unfit(sshdProgram, sudoProgram) }, () => {
  // A KILL from outside ends only sudo itself: what it started is root's, and the host's own limit ends that.
  const rootWays: typeof ways = [
    { what: "a plain command", command: (mark) => ["root", "sleep", mark] },
    { what: "a script", command: (mark) => script(`root sleep "$1"; true`, mark) },
    {
      what: "a child that ignores TERM",
      command: (mark) => ["root", "sh", "-c", `trap '' TERM; sleep "$1"; true`, "medic", mark],
    },
  ];
  for (const { what, command } of rootWays) {
    it(`(${what}) is gone by the host's own limit, and its slot is back`, async () => {
      await using sshd = await startRealSshd({ sudo: true });
      await using medic = reach(sshd, { host: { privilege: "sudo" }, pool: { maxConnections: 1 } });
      const mark = marked();
      await ended(medic, command(mark), mark, { own: 2, deadline: 1 });
      assert.equal((await medic.run(["root", "id", "-u"])).stdout, "0\n");
      assert.equal(sshd.counts().authenticated, 1);
    });

    it(`(${what}) is gone by the host's own limit also when the link is lost`, async () => {
      await using sshd = await startRealSshd({ sudo: true });
      await using proxy = await startSilentProxy(sshd);
      await using medic = reach(sshd, {
        through: { address: proxy.address, port: proxy.port },
        host: { privilege: "sudo" },
      });
      const mark = marked();
      const lost = failure(medic.run(command(mark), { kind: "diagnostic", commandSeconds: 2 }));
      await untilSeconds(2, "it runs", () => processesNaming(mark).length > 0);
      proxy.cut();
      assert.equal((await lost).dispatched, true);
      await untilSeconds(3, "its processes are gone", () => processesNaming(mark).length === 0);
    });
  }
});

describe("a diagnostic on dropbear past its deadline", { skip: unfit(...dropbearPrograms) }, () => {
  for (const { what, command } of ways) {
    it(`(${what}) is gone, and the next command runs`, async () => {
      await using dropbear = await startDropbear();
      await using medic = reach(dropbear, { pool: { maxConnections: 1 } });
      const mark = marked();
      await ended(medic, command(mark), mark, { own: 2, deadline: 1 });
      assert.equal((await medic.run(dropbear.ledger.command("next"))).exit, 0);
      assert.deepEqual(dropbear.ledger.of("next"), { began: 1, ended: 1 });
    });
  }

  it("is killed by the host's own limit when the link is lost", async () => {
    await using dropbear = await startDropbear();
    await using proxy = await startSilentProxy(dropbear);
    await using medic = reach(dropbear, { through: { address: proxy.address, port: proxy.port } });
    const mark = marked();
    const lost = failure(medic.run(stubborn(mark), { kind: "diagnostic", commandSeconds: 2 }));
    await untilSeconds(2, "it runs", () => processesNaming(mark).length > 0);
    proxy.cut();
    assert.equal((await lost).dispatched, true);
    await untilSeconds(3, "its processes are gone", () => processesNaming(mark).length === 0);
  });
});
