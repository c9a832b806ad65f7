import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import {
  call,
  diagnostic,
  look,
  need,
  pause,
  type Calls,
  type Inquiry,
  type Seen,
} from "../../core/plugin/contract.ts";
import { conclude } from "../../core/plugin/inquiry.ts";

const lamp = diagnostic({
  name: "lamp_status",
  description: "Whether the lamp is lit.",
  input: v.strictObject({}),
  command: () => ["lamp"],
  parse: () => ({ lit: true }),
});

/** Answers every question the same, and writes down what was asked. */
function answering(finding: object) {
  const log: string[] = [];
  return {
    log,
    async ask<C extends Calls>(calls: C): Promise<Seen<C>> {
      log.push(Object.keys(calls).join(" "));
      return Object.fromEntries(Object.keys(calls).map((key) => [key, finding])) as Seen<C>;
    },
    async pause(seconds: number): Promise<void> {
      log.push(`pause ${seconds}`);
    },
  };
}

describe("conclude", () => {
  it("asks in rounds, waits in between, and hands every answer back", async () => {
    const answers = answering({ lit: true });
    const outcome = await conclude(
      (function* (): Inquiry<string> {
        const { one } = yield* need({ one: call(lamp, {}) });
        yield* pause(5);
        const { two, three } = yield* look({ two: call(lamp, {}), three: call(lamp, {}) });
        return JSON.stringify([one, two, three]);
      })(),
      answers,
    );
    assert.deepEqual(outcome, { concluded: '[{"lit":true},{"lit":true},{"lit":true}]' });
    assert.deepEqual(answers.log, ["one", "pause 5", "two three"]);
  });

  it("ends blind, naming tool and reason, when what it needs is unavailable", async () => {
    const outcome = await conclude(
      (function* (): Inquiry<string> {
        yield* need({ one: call(lamp, {}) });
        return "never";
      })(),
      answering({ unavailable: "no such lamp" }),
    );
    assert.deepEqual(outcome, { blind: '"lamp_status" cannot tell: no such lamp' });
  });

  it("goes on when it only looks and the answer is unavailable", async () => {
    const outcome = await conclude(
      (function* (): Inquiry<string> {
        const { one } = yield* look({ one: call(lamp, {}) });
        return "unavailable" in one ? "dark" : "lit";
      })(),
      answering({ unavailable: "no such lamp" }),
    );
    assert.deepEqual(outcome, { concluded: "dark" });
  });

  it("ends blind on an answer that never came", async () => {
    const silent = { ...answering({}), ask: async <C extends Calls>() => ({}) as Seen<C> };
    const outcome = await conclude(
      (function* (): Inquiry<string> {
        yield* need({ one: call(lamp, {}) });
        return "never";
      })(),
      silent,
    );
    assert.deepEqual(outcome, { blind: '"lamp_status" was not answered' });
  });

  it("names the tool on whose answer a plugin broke", async () => {
    const broken = (function* (): Inquiry<string> {
      yield* need({ one: call(lamp, {}) });
      throw new TypeError("x is undefined");
    })();
    await assert.rejects(conclude(broken, answering({ lit: true })), /on the answer of "lamp_status": x is undefined/);
  });

  it("lets what the host side throws pass, as an abort must", async () => {
    const aborted = new Error("aborted");
    const inquiry = (function* (): Inquiry<string> {
      yield* pause(5);
      return "never";
    })();
    const answers = { ...answering({}), pause: () => Promise.reject(aborted) };
    await assert.rejects(conclude(inquiry, answers), aborted);
  });
});
