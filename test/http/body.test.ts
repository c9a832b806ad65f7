import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readJson } from "../../core/http/body.ts";

/** A request whose body comes in chunks, and ends or does not. */
function requestOf(chunks: readonly string[], ends: boolean): { request: Request; cancelled: () => boolean } {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      if (ends) controller.close();
    },
    cancel() {
      isCancelled = true;
    },
  });
  const init = { method: "POST", body, duplex: "half", headers: { "content-type": "application/json" } };
  return { request: new Request("http://medic/", init), cancelled: () => isCancelled };
}

describe("a request's body", () => {
  it("is read to its end, and given up when it does not end in time", async () => {
    const limits = { bytesMax: 100, withinSeconds: 0.05 };
    assert.deepEqual(await readJson(requestOf(['{"a":', "1}"], true).request, limits), { a: 1 });
    const endless = requestOf(['{"a":'], false);
    await assert.rejects(readJson(endless.request, limits), { status: 408, message: /took longer than 0.05 s/ });
    assert.ok(endless.cancelled());
  });

  it("is not read further than it may be large", async () => {
    const large = requestOf(["x".repeat(60), "x".repeat(60)], false);
    await assert.rejects(readJson(large.request, { bytesMax: 100, withinSeconds: 10 }), { status: 413 });
    assert.ok(large.cancelled());
  });

  it("may hold brackets in its texts, as many as it likes, and nest 64 deep and no deeper", async () => {
    const limits = { bytesMax: 10_000, withinSeconds: 10 };
    const text = JSON.stringify({ text: `${"[{".repeat(200)}\\"` });
    assert.deepEqual(await readJson(requestOf([text], true).request, limits), JSON.parse(text));
    const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
    await readJson(requestOf([nested(64)], true).request, limits);
    await assert.rejects(readJson(requestOf([nested(65)], true).request, limits), {
      status: 400,
      message: /nested deeper/,
    });
  });
});
