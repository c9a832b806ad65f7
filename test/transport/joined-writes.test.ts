import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { joinWrites } from "../../core/transport/joined-writes.ts";

function recorder() {
  const flights: string[] = [];
  const stream = new Duplex({
    read() {},
    writev(chunks, done) {
      flights.push(chunks.map(({ chunk }) => String(chunk)).join("|"));
      done();
    },
  });
  return { flights, stream, writes: joinWrites(stream) };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("what is written within one turn", () => {
  it("leaves together, with what the promises of that turn bring about", async () => {
    const { flights, stream } = recorder();
    stream.write("a");
    stream.write("b");
    await Promise.resolve().then(() => stream.write("c"));
    assert.deepEqual(flights, []);
    await turn();
    assert.deepEqual(flights, ["a|b|c"]);
    stream.write("d");
    await turn();
    assert.deepEqual(flights, ["a|b|c", "d"]);
  });

  it("leaves at once when somebody is in a hurry, the first time in a turn", async () => {
    const { flights, stream, writes } = recorder();
    writes.hurry();
    stream.write("a");
    stream.write("b");
    writes.hurry();
    assert.deepEqual(flights, ["a|b"]);
    stream.write("c");
    writes.hurry();
    stream.write("d");
    assert.deepEqual(flights, ["a|b"]);
    await turn();
    assert.deepEqual(flights, ["a|b", "c|d"]);
    stream.write("e");
    writes.hurry();
    assert.deepEqual(flights, ["a|b", "c|d", "e"]);
  });

  it("is not lost when the stream ends in the same turn", async () => {
    const { flights, stream } = recorder();
    stream.write("a");
    stream.end("goodbye");
    await new Promise((resolve) => stream.once("finish", resolve));
    assert.equal(flights.join("|"), "a|goodbye");
  });
});
