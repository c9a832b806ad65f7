// The demo end to end, as a newcomer runs it: alert over HTTP, diagnostics over SSH, fix, proof, table. Slow on purpose:
// a fix has to hold for some seconds before it counts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as v from "valibot";

import { runMedic } from "../../core/cli/medic.ts";
import { well } from "../support/claude.ts";
import { FakeModel, says } from "../support/fake-model.ts";

const row = v.strictObject({
  client: v.picklist(["per-command", "seed-dict", "medic"]),
  serverConnections: v.number(),
  commands: v.number(),
  reused: v.number(),
  failed: v.number(),
  wallMs: v.number(),
});
const shape = v.strictObject({ outcome: v.string(), seconds: v.number(), results: v.array(row) });

describe("medic demo", () => {
  it("heals the container over one connection and prints exactly its JSON", async () => {
    const { code, lines } = await medic(["demo", "--json"]);
    assert.equal(code, 0);
    const { outcome, seconds, results } = v.parse(shape, JSON.parse(lines.join("\n")));
    assert.equal(outcome, "fixed");
    assert.ok(seconds > 0 && seconds < 60);
    assert.deepEqual(
      results.map(({ client }) => client),
      ["per-command", "seed-dict", "medic"],
    );
    const own = results.at(-1);
    assert.ok(own !== undefined && own.commands >= 10);
    assert.deepEqual([own.serverConnections, own.failed, own.reused], [1, 0, own.commands - 1]);
    for (const other of results.slice(0, 2)) assert.ok(other.serverConnections > 1);
  });

  it("gives the same incident to a model, whose fix is proven on the host all the same", async () => {
    await using model = await FakeModel.start([
      says({ text: "It was stopped.", calls: [{ name: "scrypted_restart", input: { reason: "it does not answer" } }] }),
      says(well),
    ]);
    const env = { ANTHROPIC_API_KEY: "sk-ant-demo", ANTHROPIC_BASE_URL: model.url };
    const { code, lines } = await medic(["demo", "--responder", "claude"], env);
    const text = lines.join("\n");
    assert.equal(code, 0, text);
    assert.match(text, /claude: It was stopped\./);
    assert.match(text, /fixed: healthy for 5 s/);
    assert.equal(model.requests.length, 2);
  });

  it("refuses the model as responder without a key", async () => {
    const { code, notes } = await medic(["demo", "--responder", "claude"]);
    assert.equal(code, 2);
    assert.match(notes.join("\n"), /ANTHROPIC_API_KEY is not set/);
  });
});

async function medic(args: readonly string[], env: Record<string, string> = {}) {
  const lines: string[] = [];
  const notes: string[] = [];
  const code = await runMedic(args, {
    env,
    home: "/nonexistent",
    folder: "/",
    stop: new AbortController().signal,
    out: {
      line: (text = "") => void lines.push(text),
      json: (value) => void lines.push(JSON.stringify(value)),
      note: (text) => void notes.push(text),
      paint: (_colour, text) => text,
      isLive: false,
    },
  });
  return { code, lines, notes };
}
