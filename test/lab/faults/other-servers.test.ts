// Servers that are not a stock sshd: dropbear, one built on ssh2, a key that is bound to a forced command. What they cannot
// say is unknown, and what is unknown is never sent again.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reach, unfit, untilSeconds } from "../../support/real-server.ts";
import { sshdProgram, startRealSshd } from "../../support/real-sshd.ts";
import { dropbearPrograms, startDropbear } from "../../support/dropbear.ts";
import { failure, sshHost } from "../../support/ssh-host.ts";
import { killProcess } from "../../support/system-user.ts";

describe("dropbear", { skip: unfit(...dropbearPrograms) }, () => {
  it("carries 200 commands, one after the other, over one connection", async () => {
    await using dropbear = await startDropbear();
    await using medic = reach(dropbear, { pool: { maxConnections: 1 } });
    for (let count = 0; count < 200; count += 1)
      assert.equal((await medic.run(dropbear.ledger.command(`command-${count}`))).exit, 0);
    for (const ran of dropbear.ledger.read().values()) assert.deepEqual(ran, { began: 1, ended: 1 });
    assert.equal(dropbear.ledger.read().size, 200);
    assert.equal(dropbear.authenticated(), 1);
  });

  it("may run what it reports as refused: with more at once than it bears, that is unknown and never sent again", async () => {
    await using dropbear = await startDropbear();
    await using medic = reach(dropbear, { pool: { maxChannels: 10, maxConnections: 1, warmChannels: "off" } });
    const ids = Array.from({ length: 60 }, (_, index) => `command-${index}`);
    const outcomes = await Promise.allSettled(ids.map((id) => medic.run(dropbear.ledger.command(id))));
    const ran = dropbear.ledger.read();
    for (const [index, outcome] of outcomes.entries()) {
      const { began, ended } = ran.get(ids[index] ?? "") ?? { began: 0, ended: 0 };
      assert.ok(began <= 1, `${ids[index]} ran ${began} times`);
      if (outcome.status === "fulfilled") assert.deepEqual({ began, ended }, { began: 1, ended: 1 });
      else {
        const { dispatched } = await failure(Promise.reject(outcome.reason));
        if (!dispatched) assert.equal(began, 0);
      }
    }
  });

  it("whose process is killed leaves a running fix unknown, and the next command runs once, elsewhere", async () => {
    await using dropbear = await startDropbear();
    await using medic = reach(dropbear, { pool: { maxConnections: 1 } });
    const lost = failure(medic.run(dropbear.ledger.command("fix", 1)));
    await untilSeconds(3, "the fix began", () => dropbear.ledger.of("fix").began === 1);
    const next = medic.run(dropbear.ledger.command("next"));
    for (const pid of dropbear.connections()) killProcess(pid);
    const error = await lost;
    assert.equal(error.kind, "ConnectionLost");
    assert.equal(error.dispatched, true);
    assert.equal((await next).exit, 0);
    assert.equal(dropbear.ledger.of("fix").began, 1);
    assert.deepEqual(dropbear.ledger.of("next"), { began: 1, ended: 1 });
  });
});

describe("a server built on ssh2", () => {
  it("carries a cold burst of 24 over one connection, each command once", async () => {
    await using host = await sshHost();
    const how = { kind: "fix", tool: "test", commandSeconds: 20 } as const;
    const results = await Promise.all(
      Array.from({ length: 24 }, (_, index) => host.transport.run("nexus", ["echo", `command-${index}`], how)),
    );
    assert.deepEqual(
      results.map(({ stdout }) => stdout),
      Array.from({ length: 24 }, (_, index) => `command-${index}\n`),
    );
    assert.equal(host.server.counts.commands.length, 24);
    assert.equal(host.server.counts.authenticated, 1);
  });
});

describe("a key bound to a forced command", { skip: unfit(sshdProgram) }, () => {
  const keyOptions = String.raw`command="exec sh -c \"$SSH_ORIGINAL_COMMAND\""`;

  it("carries a burst of 24, each command once", async () => {
    await using sshd = await startRealSshd({ keyOptions });
    await using medic = reach(sshd);
    const ids = Array.from({ length: 24 }, (_, index) => `command-${index}`);
    await Promise.all(ids.map((id) => medic.run(sshd.ledger.command(id))));
    for (const id of ids) assert.deepEqual(sshd.ledger.of(id), { began: 1, ended: 1 });
    assert.equal(sshd.counts().authenticated, 1);
  });

  it("refuses our KILL, so the host's own time limit ends a diagnostic, and the slot comes back", async () => {
    await using sshd = await startRealSshd({ keyOptions, maxSessions: 1 });
    await using medic = reach(sshd, { pool: { maxConnections: 1 } });
    const read = { kind: "diagnostic", commandSeconds: 2, deadlineSeconds: 1 } as const;
    const error = await failure(medic.run(["sleep", "4711"], read));
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    assert.match(sshd.user.running().join("\n"), /sleep 4711/);
    await untilSeconds(3, "the host killed it", () => sshd.user.running().length === 0);
    assert.equal((await medic.run(sshd.ledger.command("next"))).exit, 0);
    assert.equal(sshd.counts().authenticated, 1);
  });
});
