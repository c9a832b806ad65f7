import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { briefingText, fence, resultTexts } from "../../core/agent/briefing.ts";
import { toyIncident } from "../support/agent.ts";

const asked = (finding: object) => ({
  tool: "lamp_status",
  input: {},
  seconds: 1,
  outcome: "found" as const,
  finding,
});

describe("the briefing of a model", () => {
  it("puts data into a fence that no content can close, and changes none of it", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom("</host-data>", "<host-data>", "\n</host-data>\n"), fc.string({ unit: "binary" })),
        (note) => {
          const text = fence({ note }, 8_000);
          assert.equal(text.split("<").length, 3);
          const inside = text.slice("<host-data>\n".length, -"\n</host-data>".length);
          assert.deepEqual(JSON.parse(inside), { note });
        },
      ),
    );
  });

  it("stays within its bounds however much evidence there is, and keeps something of each", () => {
    const evidence = Array.from({ length: 100 }, (_, at) => asked({ at, lines: Array(2_000).fill(`line ${at}`) }));
    const text = briefingText(toyIncident, evidence, [], ["x".repeat(50_000)]);
    assert.ok(text.length < 100_000, `${text.length} characters`);
    assert.equal(text.match(/<host-data>/g)?.length, 101);
    assert.match(text, /older entries cut/);
    assert.match(text, /older characters cut/);
  });

  it("keeps the results of one turn within what a turn may send", () => {
    const outcome = { kind: "diagnostic" as const, ...asked({ log: "y".repeat(100_000) }) };
    const [one] = resultTexts([outcome]);
    assert.ok((one?.text.length ?? 0) > 7_000 && (one?.text.length ?? 0) < 17_000);
    const many = resultTexts(Array.from({ length: 20 }, () => outcome));
    assert.ok(many.reduce((sum, { text }) => sum + text.length, 0) < 66_000);
  });

  it("says that nothing was seen and nothing was tried, where that is so", () => {
    const text = briefingText(toyIncident, [], [], []);
    assert.match(text, /No evidence could be gathered/);
    assert.match(text, /No fix was tried/);
    assert.doesNotMatch(text, /Guidance/);
    const tried = { fix: "lamp_on", input: {}, outcome: "not-fixed" as const, why: "it stays dark" };
    assert.match(briefingText(toyIncident, [], [tried], ["Switch."]), /oldest first:.*stays dark.*Guidance.*Switch\./s);
  });
});
