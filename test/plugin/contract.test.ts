import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { matches, script, sections, unavailable } from "../../core/plugin/contract.ts";

describe("sections", () => {
  it("splits what a script printed at its markers", () => {
    assert.deepEqual(sections("a\n--medic:one\nb\nc\n--medic:two\n"), { "": "a", one: "b\nc", two: "" });
  });

  it("leaves a section out that never began", () => {
    assert.equal(sections("--medic:one\nx\n")["two"], undefined);
  });

  it("does not let a printed file replace a section that was read before it", () => {
    assert.deepEqual(sections("--medic:one\ntrue\n--medic:two\nx\n--medic:one\nfalse\n"), {
      "": "",
      one: "true",
      two: "x\n--medic:one\nfalse",
    });
  });
});

describe("matches", () => {
  it("knows * and ? and takes everything else by its letter", () => {
    assert.equal(matches(["wg-quick@*.service"], "wg-quick@wg0.service"), true);
    assert.equal(matches(["a.b"], "axb"), false);
    assert.equal(matches(["a?"], "ab"), true);
    assert.equal(matches(["a?"], "abc"), false);
    assert.equal(matches(["*"], undefined), false);
  });
});

describe("unavailable", () => {
  it("takes a reason, or what the failed command printed last", () => {
    assert.deepEqual(unavailable("why"), { unavailable: "why" });
    assert.deepEqual(unavailable({ exit: 1, stdout: "x", stderr: "one\ntwo\n", cutBytes: 0 }), { unavailable: "two" });
    assert.deepEqual(unavailable({ exit: 7, stdout: "", stderr: "", cutBytes: 0 }), {
      unavailable: "the command ended with 7 and said nothing",
    });
  });
});

describe("script", () => {
  it("keeps values out of the text", () => {
    assert.deepEqual(script('echo "$1"', "$(reboot)"), ["sh", "-c", 'echo "$1"', "medic", "$(reboot)"]);
  });
});
