import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { keepNewest, presentable, redactText, redactWords } from "../../core/agent/redact.ts";

describe("redaction", () => {
  for (const [text, secret] of [
    ["POSTGRES_PASSWORD=hunter2secret", "hunter2secret"],
    ['{"api_key": "abcdef123456"}', "abcdef123456"],
    ["Authorization: Bearer abc.def-ghi123456", "abc.def-ghi123456"],
    ["postgres://user:s3cr3t@db/app", "s3cr3t"],
    ["-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----", "b3BlbnNzaC1rZXk"],
    ["using sk-ant-api03-0123456789abcdef", "0123456789abcdef"],
    ["password='hunter2secret'", "hunter2secret"],
    ['secret = "two words here"', "words"],
    ['{\\"password\\":\\"hunter2secret\\"}', "hunter2secret"],
    ["mysqld --password hunter2secret", "hunter2secret"],
    ["DB_PASS=hunter2secret", "hunter2secret"],
  ] as const) {
    it(`removes the secret of ${JSON.stringify(text.slice(0, 24))}`, () => {
      assert.doesNotMatch(redactText(text), new RegExp(secret.replaceAll(".", "\\.")));
    });
  }

  it("leaves ordinary text as it is", () => {
    const text = "token bucket is empty; keyboard found at https://host:10443/login";
    assert.equal(redactText(text), text);
  });

  it("goes over all words of an event, and leaves what is not words", () => {
    const event = { kind: "escalated", reason: "it said last: api_key=abcdef123456", planned: { steps: [["x"]] } };
    assert.deepEqual(redactWords(event), { ...event, reason: "it said last: api_key=[removed]" });
  });

  it("goes into what was asked for and what a step said, and leaves commands exact", () => {
    const input = { reason: "the log says password=hunter2secret" };
    const steps = [["x", "password=hunter2secret"]];
    const shown = redactWords({
      kind: "escalated",
      input,
      dispatch: { is: "failed", said: "token=abcdef123456" },
      planned: { input, steps },
    });
    const removed = { reason: "the log says password=[removed]" };
    assert.deepEqual(shown, {
      kind: "escalated",
      input: removed,
      dispatch: { is: "failed", said: "token=[removed]" },
      planned: { input: removed, steps },
    });
  });

  it("bounds what was asked for, and every word of an event", () => {
    const shown = redactWords({ tool: "x".repeat(20_000), input: { name: "y".repeat(20_000) } });
    assert.ok(JSON.stringify(shown).length < 16_500, `${JSON.stringify(shown).length} characters`);
  });

  it("removes the value under a secret key, and leaves its neighbours", () => {
    assert.deepEqual(presentable({ password: "x1", user: "ann" }, 1000), { password: "[removed]", user: "ann" });
  });
});

describe("bounds of a finding", () => {
  it("leaves a finding at the limit as it is, and cuts one byte above", () => {
    const finding = { lines: ["a".repeat(50), "b".repeat(50)] };
    const bytes = JSON.stringify(finding).length;
    assert.deepEqual(presentable(finding, bytes), finding);
    assert.notDeepEqual(presentable(finding, bytes - 1), finding);
  });

  it("keeps the newest lines and says how many are gone", () => {
    const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}`);
    const bounded = presentable({ lines }, 500) as { lines: string[] };
    assert.match(bounded.lines[0] ?? "", /^\[\d+ older entries cut\]$/);
    assert.equal(bounded.lines.at(-1), "line 999");
  });

  it("keeps the newest characters and says how many are gone", () => {
    assert.equal(keepNewest("abcdef", 6), "abcdef");
    assert.equal(keepNewest("abcdef", 2), "[4 older characters cut] ef");
  });

  it("never exceeds the limit, whatever the finding is", () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 5 }), fc.integer({ min: 200, max: 2000 }), (finding, bytesMax) => {
        assert.ok(Buffer.byteLength(JSON.stringify(presentable(finding, bytesMax))) <= bytesMax);
      }),
    );
  });
});
