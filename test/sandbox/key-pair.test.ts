import assert from "node:assert/strict";
import { describe, it } from "node:test";
import ssh2 from "ssh2";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";

describe("a generated key", () => {
  it("can be read, each of a thousand", () => {
    for (let count = 0; count < 1000; count += 1) {
      const pair = generateKeyPair();
      assert.ok(!(ssh2.utils.parseKey(pair.private) instanceof Error));
      assert.equal(Buffer.from(pair.public.split(" ")[1] ?? "", "base64").length, 51);
    }
  });

  it("opens with its passphrase, and not without", () => {
    const { private: text } = generateKeyPair({ passphrase: "secret", cipher: "aes256-ctr", rounds: 2 });
    assert.ok(!(ssh2.utils.parseKey(text, "secret") instanceof Error));
    assert.ok(ssh2.utils.parseKey(text) instanceof Error);
  });
});
