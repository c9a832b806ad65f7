import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { didYouMean, nearest } from "../core/suggestion.ts";

describe("did you mean", () => {
  const known = ["trust", "transport", "address", "user", "identity", "hostKey", "idleTimeout", "pool"];
  for (const [word, meant] of [
    ["trsut", "trust"],
    ["Trust", "trust"],
    ["adress", "address"],
    ["host_key", "hostKey"],
    ["idle-timeout", "idleTimeout"],
    ["idletimout", "idleTimeout"],
    ["pol", "pool"],
  ] as const) {
    it(`takes "${word}" for "${meant}"`, () => assert.equal(nearest(word, known), meant));
  }
  for (const word of ["colour", "x", "", "users-of-this-host", "t".repeat(100_000)]) {
    it(`takes "${word.slice(0, 20)}" for nothing`, () => assert.equal(nearest(word, known), undefined));
  }
  it("says nothing when nothing is near", () => {
    assert.equal(didYouMean("colour", known), "");
    assert.equal(didYouMean("usr", known), ', did you mean "user"?');
  });
});
