import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SshCloses } from "../../core/transport/ssh-closes.ts";

/** A connection that writes down what is sent over it; `answer` answers the oldest question. */
function wire() {
  const sent: string[] = [];
  const questions: (() => void)[] = [];
  const closes = new SshCloses((answered) => {
    sent.push("question");
    questions.push(answered);
  });
  const close = (name: string) => {
    closes.send(() => sent.push(`close ${name}`));
    closes.prove(() => sent.push(`${name} is free`));
  };
  return { sent, closes, close, answer: () => questions.shift()?.() };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("a slot of an ended channel", () => {
  it("comes back when the host has answered what was asked after the close, and not before", async () => {
    const { sent, close, answer } = wire();
    close("one");
    assert.deepEqual(sent, []);
    await turn();
    assert.deepEqual(sent, ["close one", "question"]);
    answer();
    assert.deepEqual(sent, ["close one", "question", "one is free"]);
  });

  it("is asked for once with all others that ended in the same turn", async () => {
    const { sent, close, answer } = wire();
    close("one");
    close("two");
    await turn();
    assert.deepEqual(sent, ["close one", "close two", "question"]);
    answer();
    assert.deepEqual(sent.slice(3), ["one is free", "two is free"]);
  });

  it("needs no question of its own where a request leaves right after its close", async () => {
    const { sent, closes, close } = wire();
    close("one");
    const answered = closes.ahead();
    sent.push("open");
    close("two");
    await turn();
    assert.deepEqual(sent, ["close one", "open", "close two", "question"]);
    answered();
    assert.deepEqual(sent.slice(4), ["one is free"], "the request left before the second close");
  });

  it("is not proven by the answer to a request that left before it was given to be proven", async () => {
    const { sent, closes } = wire();
    closes.send(() => sent.push("close one"));
    const answered = closes.ahead();
    closes.prove(() => sent.push("one is free"));
    answered();
    await turn();
    assert.deepEqual(sent, ["close one", "question"]);
  });

  it("comes back at once when nobody can be asked any more", async () => {
    const sent: string[] = [];
    const closes = new SshCloses(() => {
      throw new Error("the connection is gone");
    });
    closes.prove(() => sent.push("free"));
    await turn();
    assert.deepEqual(sent, ["free"]);
  });
});

describe("a command that an answer brings about", () => {
  it("leaves before the goodbye of the channel that brought it", async () => {
    const { sent, close } = wire();
    const { promise, resolve } = Promise.withResolvers<void>();
    const next = promise.then(() => undefined).then(() => void sent.push("exec"));
    close("one");
    resolve();
    await next;
    await turn();
    assert.deepEqual(sent, ["exec", "close one", "question"]);
  });
});
