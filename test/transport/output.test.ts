import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NewestBytes } from "../../core/transport/output.ts";

function kept(bytesMax: number, chunks: readonly Uint8Array[]) {
  const stream = new NewestBytes(bytesMax);
  for (const chunk of chunks) stream.push(chunk);
  return stream.text();
}

describe("the output of a command", () => {
  it("is whole when it fits, to the byte", () => {
    assert.deepEqual(kept(10, [Buffer.from("01234"), Buffer.from("56789")]), { text: "0123456789", cutBytes: 0 });
  });

  it("loses its oldest byte when it is one too long", () => {
    assert.deepEqual(kept(10, [Buffer.from("01234"), Buffer.from("56789a")]), { text: "123456789a", cutBytes: 1 });
  });

  it("joins a character that two chunks share", () => {
    const bytes = Buffer.from("grün 😀");
    const chunks = [...bytes].map((byte) => Uint8Array.of(byte));
    assert.deepEqual(kept(100, chunks), { text: "grün 😀", cutBytes: 0 });
  });

  it("begins at a character when it is cut, and counts its lost bytes", () => {
    assert.deepEqual(kept(5, [Buffer.from("😀😀")]), { text: "😀", cutBytes: 4 });
    assert.deepEqual(kept(4, [Buffer.from("aéé")]), { text: "éé", cutBytes: 1 });
    assert.deepEqual(kept(3, [Buffer.from("aéé")]), { text: "é", cutBytes: 3 });
  });

  it("does not take rubbish for a cut character", () => {
    assert.equal(kept(10, [Uint8Array.of(0x80, 0x41)]).cutBytes, 0);
  });

  it("keeps exactly the newest bytes of any stream", () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 50 }).map((bytes) => bytes.map((byte) => 97 + (byte % 26))));
    fc.assert(
      fc.property(chunks, fc.integer({ min: 1, max: 64 }), (all, bytesMax) => {
        const whole = Buffer.concat(all).toString();
        const { text, cutBytes } = kept(bytesMax, all);
        assert.equal(text, whole.slice(-bytesMax));
        assert.equal(cutBytes, whole.length - text.length);
      }),
    );
  });

  it("keeps nothing when nothing may be kept", () => {
    assert.deepEqual(kept(0, [Buffer.from("abc")]), { text: "", cutBytes: 3 });
  });
});
