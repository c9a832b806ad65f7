import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { script } from "../../core/plugin/contract.ts";
import { createTransport, type How, type PoolSettings } from "../../core/transport/pool.ts";
import { failure, keptLog, testPool } from "../support/ssh-host.ts";
import { isAlive, until } from "../support/world.ts";

const read: How = { kind: "diagnostic", tool: "host_overview", commandSeconds: 20 };
const change: How = { kind: "fix", tool: "systemd_restart", commandSeconds: 20 };

function local(pool: Partial<PoolSettings> = {}) {
  const { log, events } = keptLog();
  const folder = mkdtempSync(join(tmpdir(), "medic-test-"));
  const hosts = { self: { transport: "local", privilege: "none", pool: { ...testPool, ...pool } } } as const;
  const transport = createTransport(hosts, { log, drainSeconds: { diagnostics: 0.2, fixes: 0.4 } });
  return {
    transport,
    folder,
    events,
    async [Symbol.asyncDispose]() {
      await transport.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe("the local transport", () => {
  it("answers as SSH does: exit, stdout, stderr, bounds", async () => {
    await using self = local({ outputBytes: 10 });
    const answer = await self.transport.run("self", ["sh", "-c", "seq 1 9; echo err >&2; exit 3"], read);
    assert.deepEqual(answer, { exit: 3, stdout: "5\n6\n7\n8\n9\n", stderr: "err\n", cutBytes: 8 });
    assert.equal((await self.transport.run("self", ["sh", "-c", "kill -TERM $$"], change)).exit, 143);
  });

  it("runs a fix through its claim once: taken says that it may have run, not to be made that nothing did", async () => {
    await using self = local();
    const claim = join(self.folder, "0");
    const mark = ["sh", "-c", 'echo ran >> "$0"', join(self.folder, "ran")] as const;
    assert.equal((await self.transport.run("self", mark, { ...change, claim })).exit, 0);
    const again = await failure(self.transport.run("self", mark, { ...change, claim }));
    assert.deepEqual([again.kind, again.dispatched], ["ClaimTaken", true]);
    const nowhere = await failure(self.transport.run("self", mark, { ...change, claim: join(self.folder, "no", "0") }));
    assert.deepEqual([nowhere.kind, nowhere.dispatched], ["ClaimRefused", false]);
    assert.equal(readFileSync(join(self.folder, "ran"), "utf8"), "ran\n");
  });

  it("carries a hundred commands at once, and not more than the limit together", async () => {
    await using self = local({ maxChannels: 7 });
    const all = Array.from({ length: 100 }, (_, index) => self.transport.run("self", ["echo", `${index}`], read));
    const answers = await Promise.all(all);
    assert.deepEqual(
      answers.map(({ stdout }) => Number(stdout)),
      Array.from({ length: 100 }, (_, index) => index),
    );
    const [statistics] = self.transport.statistics();
    assert.equal(statistics?.commands, 100);
    assert.equal(statistics?.channelLimit, 7);
    assert.equal(statistics?.dials, 0);
  });

  it("gives commands nothing of Medic's own environment", async () => {
    await using self = local();
    process.env["MEDIC_TEST_SECRET"] = "secret";
    try {
      const { stdout } = await self.transport.run("self", ["env"], read);
      assert.doesNotMatch(stdout, /MEDIC_TEST_SECRET/);
      assert.match(stdout, /^PATH=/m);
    } finally {
      delete process.env["MEDIC_TEST_SECRET"];
    }
  });

  it("kills the whole process group of a diagnostic past its deadline", async () => {
    await using self = local();
    const pids = join(self.folder, "pids");
    const text = `trap '' TERM; sleep 93 & echo $$ $! > "$1"; wait`;
    const error = await failure(self.transport.run("self", script(text, pids), { ...read, deadlineSeconds: 0.4 }));
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(error.dispatched, true);
    await until(() => self.transport.statistics()[0]?.inFlight === 0);
    for (const pid of readFileSync(pids, "utf8").trim().split(" ")) await until(() => !isAlive(Number(pid)));
  });

  it("leaves a fix past its deadline alone", async () => {
    await using self = local();
    const done = join(self.folder, "done");
    const text = `sleep 0.5; echo fixed > "$1"`;
    const error = await failure(self.transport.run("self", script(text, done), { ...change, deadlineSeconds: 0.2 }));
    assert.equal(error.kind, "CommandTimeout");
    assert.equal(self.transport.statistics()[0]?.inFlight, 1);
    await until(() => existsSync(done));
  });

  it("closes standard input", async () => {
    await using self = local();
    assert.equal((await self.transport.run("self", ["cat"], read)).exit, 0);
  });

  it("says nothing of SSH in the log", async () => {
    await using self = local();
    await self.transport.run("self", ["true"], read);
    await self.transport.run("self", ["true"], read);
    assert.deepEqual(self.events, []);
  });
});
