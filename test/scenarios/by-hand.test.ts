// A fix by hand whose process goes on while its journal cannot be written: nobody waits for it any more, and no later
// process will come to take it up.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { composeMedic } from "../../core/cli/compose.ts";
import { readEquipped } from "../../core/cli/config-file.ts";
import { createOutput } from "../../core/cli/context.ts";
import { JournalError } from "../../core/incident/journal-error.ts";
import { openJournal } from "../../core/incident/journal.ts";
import { silent } from "../../core/log.ts";
import { startScenario } from "../support/scenario.ts";

const never = new AbortController().signal;

describe("a fix by hand", () => {
  it("that cannot be written down to its end is taken up by the desk as soon as it can, and not before it is over", async () => {
    await using scenario = await startScenario();
    const { folder, sandbox } = scenario;
    const context = { env: {}, home: folder, folder, out: createOutput(process, {}), stop: never };
    const equipped = await readEquipped(context, { config: join(folder, "hosts.yaml") });
    const journal = openJournal(equipped.config.server.data, { now: Date.now });
    const append = journal.append.bind(journal);
    let isFull = false;
    journal.append = (events) => {
      isFull ||= events.some(({ kind }) => kind === "fix-dispatched");
      if (isFull) throw new JournalError("full", "Cannot write the journal: the disk is full");
      const written = append(events);
      // Somebody is at work on it: it is nobody else's.
      if (events.some(({ kind }) => kind === "fix-started")) medic.desk.look();
      return written;
    };
    const medic = composeMedic({ ...equipped, journal, log: silent, agentSocket: undefined });
    try {
      await sandbox.homelab.run("docker stop mosquitto");
      const call = { host: "nexus", tool: "docker_start", input: { name: "mosquitto" }, approved: true };
      await assert.rejects(medic.runTool(call, never), /the disk is full/);
      const [left] = journal.incidents();
      assert.equal(left?.state.is, "fixing");
      isFull = false;
      journal.append = append;
      medic.desk.look();
      await medic.desk.idle();
      const ended = journal.incident(left?.id ?? "");
      assert.ok(ended?.state.is === "resolved" && ended.state.by === "medic", JSON.stringify(ended?.state));
      const kinds = journal.events(ended.id).map(({ kind }) => kind);
      assert.equal(kinds.filter((kind) => kind === "fix-started").length, 1);
    } finally {
      await medic.desk.close(0);
      await medic.transport.close();
      journal.close();
    }
  });
});
