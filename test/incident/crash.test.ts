import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, describe, it } from "node:test";
import { JournalError } from "../../core/incident/journal-error.ts";
import { openJournal } from "../../core/incident/journal.ts";

const root = mkdtempSync(join(tmpdir(), "medic-crash-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Starts a writer in a process of its own, on the runtime that runs this test; ends it with kill -9 after so many lines. */
async function killedAfter(folder: string, lines: number, meanwhile: (pid: number) => void): Promise<string[]> {
  const script = fileURLToPath(import.meta.resolve("./crash-child.ts"));
  const args = "deno" in process.versions ? ["run", "--allow-all", "--no-check", script, folder] : [script, folder];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = new Promise((resolve) => child.once("close", resolve));
  let text = "";
  child.stdout.setEncoding("utf8");
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (child.killed || text.split("\n").length <= lines) continue;
    meanwhile(child.pid ?? 0);
    child.kill("SIGKILL");
  }
  await closed;
  return text.slice(0, text.lastIndexOf("\n")).split("\n").slice(1);
}

describe("kill -9 of the writer", () => {
  it("loses nothing that was accepted, leaves the chain whole, and gives the lock back", async () => {
    for (const lines of [1, 20, 100]) {
      const folder = join(root, String(lines));
      const told = await killedAfter(folder, lines, (pid) => {
        assert.throws(
          () => openJournal(folder, { now: Date.now }),
          (error) => error instanceof JournalError && error.message.includes(`(process ${pid}, since `),
        );
      });
      const journal = openJournal(folder, { now: Date.now });
      const verified = journal.verify();
      assert.ok(verified.intact, JSON.stringify(verified));
      const stored = new Set(journal.incidents().map(({ id }) => id));
      for (const id of told.flatMap((line) => line.split(" ")))
        assert.ok(stored.has(id), `${id} was accepted and is lost`);
      assert.equal(stored.size % 2, 0, "alerts that came together are stored together");
      assert.equal(verified.events, stored.size);
      journal.close();
    }
  });
});
