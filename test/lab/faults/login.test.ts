// Logins whose messages leave before the host has answered the one before: against OpenSSH and dropbear, where the key is
// taken, where it is refused, and where another key follows.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { generateKeyPair } from "../../../core/sandbox/key-pair.ts";
import { dropbearPrograms, startDropbear } from "../../support/dropbear.ts";
import { reach, unfit, type RealServer } from "../../support/real-server.ts";
import { sshdProgram, startRealSshd } from "../../support/real-sshd.ts";
import { failure } from "../../support/ssh-host.ts";
import { startAgent } from "../../support/world.ts";

/** A key that the server does not let in. */
function strangeKey(server: RealServer): string {
  const path = join(dirname(server.identity), "stranger");
  writeFileSync(path, generateKeyPair().private, { mode: 0o600 });
  return path;
}

async function logsInWithTheAgent(server: RealServer): Promise<void> {
  const agentSocket = join(dirname(server.identity), "agent");
  await using _agent = await startAgent(agentSocket, readFileSync(server.identity, "utf8"));
  await using medic = reach(server, { host: { identity: strangeKey(server), agent: true }, agentSocket });
  assert.equal((await medic.run(server.ledger.command("once"))).exit, 0);
  assert.deepEqual(server.ledger.of("once"), { began: 1, ended: 1 });
}

async function refusesAStranger(server: RealServer): Promise<void> {
  await using medic = reach(server, { host: { identity: strangeKey(server) } });
  const { kind, dispatched } = await failure(medic.run(server.ledger.command("never")));
  assert.deepEqual({ kind, dispatched }, { kind: "AuthenticationFailed", dispatched: false });
  assert.equal(server.ledger.of("never").began, 0);
}

describe("a login to OpenSSH", { skip: unfit(sshdProgram) }, () => {
  it("needs one attempt and one session, also where only one of each is allowed", async () => {
    await using sshd = await startRealSshd({ maxSessions: 1, lines: ["MaxAuthTries 1"] });
    await using medic = reach(sshd, { pool: { maxConnections: 1 } });
    for (const id of ["first", "second"]) {
      assert.equal((await medic.run(sshd.ledger.command(id))).exit, 0);
      assert.deepEqual(sshd.ledger.of(id), { began: 1, ended: 1 });
    }
    assert.equal(sshd.counts().authenticated, 1);
    assert.doesNotMatch(sshd.log(), /Failed|dispatch_protocol_error/);
  });

  it("with a key that is refused says so, and nothing ran", async () => {
    await using sshd = await startRealSshd();
    await refusesAStranger(sshd);
  });

  it("goes on with the agent's key when the first was refused", async () => {
    await using sshd = await startRealSshd();
    await logsInWithTheAgent(sshd);
    assert.equal(sshd.counts().authenticated, 1);
  });
});

describe("a login to dropbear", { skip: unfit(...dropbearPrograms) }, () => {
  it("with a key that is refused says so, and nothing ran", async () => {
    await using dropbear = await startDropbear();
    await refusesAStranger(dropbear);
  });

  it("goes on with the agent's key when the first was refused", async () => {
    await using dropbear = await startDropbear();
    await logsInWithTheAgent(dropbear);
    assert.equal(dropbear.authenticated(), 1);
  });
});
