import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createOutput } from "../../core/cli/context.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { Collector } from "../support/scenario.ts";

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

describe("a start of medic serve that fails", () => {
  it("leaves no port open that would say that Medic lives", async () => {
    const folder = mkdtempSync(join(tmpdir(), "medic-start-"));
    const port = await freePort();
    const config = `server: { listen: "127.0.0.1:${port}", data: data }\nhosts: { here: { address: 127.0.0.1, user: medic, agent: true } }\n`;
    writeFileSync(join(folder, "hosts.yaml"), config);
    // The note for other verbs cannot be written where a folder stands.
    mkdirSync(join(folder, "data", "serve.json"), { recursive: true });
    const [stdout, stderr] = [new Collector(), new Collector()];
    const out = createOutput({ stdout, stderr } as never, {});
    const code = await runMedic(["serve"], { env: {}, home: folder, folder, out, stop: new AbortController().signal });
    assert.equal(code, 3, stderr.text);
    assert.match(stderr.text, /serve\.json/);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/livez`));
    rmSync(folder, { recursive: true });
  });

  it("for want of space says so and what to do, and calls it no fault of Medic's", async () => {
    const full = openSync("/dev/full", "w");
    const stderr = new Collector();
    const out = createOutput({ stdout: new Collector(), stderr } as never, {});
    const line = (text = ""): void => void writeSync(full, `${text}\n`);
    const context = { env: {}, home: "/", folder: "/", out: { ...out, line }, stop: new AbortController().signal };
    assert.equal(await runMedic(["version"], context), 2);
    assert.match(stderr.text, /^Cannot write .*: the disk is full\. Free some space, then run it again\n$/);
    closeSync(full);
  });
});
