import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const script = fileURLToPath(import.meta.resolve("./crash-child.ts"));

/** One life of the outbox, on the runtime that runs this test. */
function life(folder: string, url: string, service: string, mode: "told" | "untold" = "told") {
  const own = [script, folder, url, service, mode];
  const args = "deno" in process.versions ? ["run", "--allow-all", "--no-check", ...own] : own;
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const heard = new Set<string>();
  const said = (line: string): Promise<void> =>
    new Promise((resolve, reject) => {
      if (heard.has(line)) resolve();
      lines.on("line", (one) => {
        heard.add(one);
        if (one === line) resolve();
      });
      child.once("close", () => reject(new Error(`it ended before it said "${line}"`)));
    });
  return {
    said,
    async kill(): Promise<void> {
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    },
  };
}

async function inFolder(run: (folder: string, server: Receiver) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "medic-outbox-"));
  await using server = await startReceiver();
  try {
    await run(folder, server);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The next message that arrives; it is answered at once unless `hold`. */
function next(server: Receiver, hold = false): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    server.answer = ({ body }, response) => {
      if (!hold) response.end("{}");
      resolve(JSON.parse(body) as Record<string, unknown>);
    };
  });
}

describe("kill -9 of whoever tells", () => {
  it("loses no message: what changed and was not told is told by the next process", () =>
    inFolder(async (folder, server) => {
      const first = life(folder, server.url, "scrypted", "untold");
      await first.said("changed");
      await first.kill();
      assert.equal(server.received.length, 0);
      const arrived = next(server);
      const second = life(folder, server.url, "caddy");
      assert.equal((await arrived)["key"], "nexus/docker:scrypted");
      await second.kill();
    }));

  it("repeats no message that was told", () =>
    inFolder(async (folder, server) => {
      const first = life(folder, server.url, "scrypted");
      await first.said("recorded");
      await first.kill();
      const second = life(folder, server.url, "caddy");
      await second.said("recorded");
      await second.kill();
      assert.deepEqual(
        server.messages().map(({ key }) => key),
        ["nexus/docker:scrypted", "nexus/docker:caddy"],
      );
    }));

  it("repeats a message whose answer never came, with its own id, so that the receiver can tell", () =>
    inFolder(async (folder, server) => {
      const held = next(server, true);
      const first = life(folder, server.url, "scrypted");
      const { id } = await held;
      await first.kill();
      const again = next(server);
      const second = life(folder, server.url, "caddy");
      assert.equal((await again)["id"], id);
      await second.kill();
      assert.equal(server.received[0]?.headers["medic-id"], id);
      assert.equal(server.received[1]?.headers["medic-id"], id);
    }));
});
