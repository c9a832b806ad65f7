import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { type Context, createOutput } from "../../core/cli/context.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { openJournal, readJournal } from "../../core/incident/journal.ts";
import { createSandbox } from "../../core/sandbox/sandbox.ts";

/** A host of the sandbox in a hosts.yaml of its own. */
async function rebuilt() {
  const sandbox = await createSandbox({
    costs: { connectionMilliseconds: 0, commandMilliseconds: { least: 0, most: 0 } },
  });
  const folder = mkdtempSync(join(tmpdir(), "medic-accept-"));
  const data = join(folder, "data");
  const host = { address: sandbox.address, port: sandbox.port, user: sandbox.user, identity: sandbox.identity };
  const file = {
    server: { data },
    hosts: { nexus: { ...host, hostKey: sandbox.hostKey }, gone: { ...host, port: 1 } },
  };
  writeFileSync(join(folder, "hosts.yaml"), JSON.stringify(file), { mode: 0o600 });
  const medic = async (args: readonly string[], ask?: Context["ask"]) => {
    const [out, notes]: [string[], string[]] = [[], []];
    const sink = (lines: string[]) =>
      new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) });
    const code = await runMedic(["accept", ...args], {
      env: {},
      home: folder,
      folder,
      out: createOutput({ stdout: sink(out), stderr: sink(notes) }, {}),
      ...(ask === undefined ? {} : { ask }),
      stop: new AbortController().signal,
    });
    return { code, out: out.join(""), notes: notes.join("") };
  };
  return {
    sandbox,
    medic,
    recorded: () => {
      const journal = readJournal(data, { now: Date.now });
      try {
        return journal.identityOf("nexus");
      } finally {
        journal.close();
      }
    },
    before(machine: string): void {
      const journal = openJournal(data, { now: Date.now });
      journal.note({ kind: "host-accepted", host: "nexus", identity: { machine }, by: "test" });
      journal.close();
    },
    async [Symbol.asyncDispose]() {
      await sandbox.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe("medic accept", () => {
  it("shows which machine answers beside the one before, asks, and remembers the person's yes", async () => {
    await using world = await rebuilt();
    world.before("0".repeat(32));
    const { code, out } = await world.medic(["nexus"], () => Promise.resolve("y"));
    assert.equal(code, 0);
    assert.match(out, /machine id \(hashed\) +[0-9a-f]{32} +was 0{32}/);
    assert.equal(world.recorded()?.hostKey, world.sandbox.hostKey);
    assert.match(world.recorded()?.machine ?? "", /^(?!0{32})[0-9a-f]{32}$/);
    const again = await world.medic(["nexus"]);
    assert.deepEqual([again.code, again.notes.trim()], [0, "It is the machine that fixes met there."]);
  });

  it("changes nothing without a yes, and takes none from where nobody can be asked", async () => {
    await using world = await rebuilt();
    world.before("0".repeat(32));
    assert.equal((await world.medic(["nexus"], () => Promise.resolve(""))).code, 1);
    const unasked = await world.medic(["nexus"]);
    assert.deepEqual([unasked.code, /add --yes/.test(unasked.notes)], [2, true]);
    assert.deepEqual(world.recorded(), { machine: "0".repeat(32) });
    assert.equal((await world.medic(["nexus", "--yes", "--json"])).code, 0);
    assert.notEqual(world.recorded()?.machine, "0".repeat(32));
  });

  it("knows no other host, and cannot tell of one that does not answer", async () => {
    await using world = await rebuilt();
    assert.equal((await world.medic(["atlas"])).code, 2);
    const { code, notes } = await world.medic(["gone", "--yes"]);
    assert.equal(code, 3);
    assert.match(notes, /Cannot tell which machine "gone" is/);
  });
});
