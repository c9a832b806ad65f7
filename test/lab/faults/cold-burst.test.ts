// Many commands at once to a host that Medic is not connected to, on hosts that allow little. Every one runs, and once;
// the server counts the connections.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reach, unfit, type Reach, type RealServer } from "../../support/real-server.ts";
import { knowsKeyword, sshdProgram, startRealSshd } from "../../support/real-sshd.ts";
import { standingClock } from "../../support/ssh-host.ts";
import { dropbearPrograms, startDropbear } from "../../support/dropbear.ts";

/** Runs so many at once; each must succeed, and have run once. */
async function burst(server: RealServer, medic: Reach, commands: number): Promise<void> {
  const ids = Array.from({ length: commands }, (_, index) => `command-${index}`);
  const results = await Promise.all(ids.map((id) => medic.run(server.ledger.command(id), { deadlineSeconds: 60 })));
  for (const { exit } of results) assert.equal(exit, 0);
  const ran = server.ledger.read();
  assert.equal(ran.size, commands);
  for (const id of ids) assert.deepEqual(ran.get(id), { began: 1, ended: 1 });
}

describe("a cold burst at sshd", { skip: unfit(sshdProgram) }, () => {
  const limits = [
    { what: "MaxSessions 1", options: { maxSessions: 1 } },
    { what: "MaxSessions 4", options: { maxSessions: 4 } },
    { what: "MaxStartups 2:100:2", options: { maxStartups: "2:100:2" } },
    { what: "MaxSessions 1 and MaxStartups 2:100:2", options: { maxSessions: 1, maxStartups: "2:100:2" } },
  ];
  for (const { what, options } of limits) {
    for (const commands of [24, 100]) {
      it(`of ${commands} with ${what} loses nothing, and opens no more connections than it may`, async () => {
        await using sshd = await startRealSshd(options);
        // A queue that has stood for a second may have a further connection, and on a busy machine this one does.
        await using medic = reach(sshd, { clock: standingClock });
        await burst(sshd, medic, commands);
        const { authenticated, dropped } = sshd.counts();
        // One, and more only where a limit of 1 or 2 sessions demands it.
        assert.ok(
          authenticated >= 1 && authenticated <= (options.maxSessions === 1 ? 3 : 1),
          `${authenticated} connections`,
        );
        assert.equal(dropped, 0);
      });
    }
  }

  it("of 100 with MaxSessions 1 stays on one connection when the owner says so", async () => {
    await using sshd = await startRealSshd({ maxSessions: 1 });
    await using medic = reach(sshd, { pool: { maxConnections: 1 } });
    await burst(sshd, medic, 100);
    assert.equal(sshd.counts().authenticated, 1);
  });

  const noPenalties = !knowsKeywordSafely() && "this sshd is older than 9.8 and knows no PerSourcePenalties";
  it("of 100 with PerSourcePenalties earns no penalty", { skip: noPenalties }, async () => {
    await using sshd = await startRealSshd({ maxSessions: 1, lines: ["PerSourcePenalties yes"] });
    await using medic = reach(sshd);
    await burst(sshd, medic, 100);
    assert.doesNotMatch(sshd.log(), /penalty/i);
  });
});

describe("a cold burst at dropbear", { skip: unfit(...dropbearPrograms) }, () => {
  for (const commands of [24, 100]) {
    it(`of ${commands} runs one command at a time on each connection, and loses nothing`, async () => {
      await using dropbear = await startDropbear();
      await using medic = reach(dropbear);
      await burst(dropbear, medic, commands);
      assert.ok(dropbear.authenticated() <= 3, `${dropbear.authenticated()} connections`);
      assert.deepEqual(medic.statistics().closes["lost"], undefined);
    });
  }
});

function knowsKeywordSafely(): boolean {
  return unfit(sshdProgram) === false && knowsKeyword("PerSourcePenalties");
}
