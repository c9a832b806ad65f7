import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { createChannel } from "../../core/notify/channel.ts";
import type { Message } from "../../core/notify/message.ts";
import { never } from "../support/agent.ts";
import { type Received, startReceiver } from "../support/receiver.ts";

const message: Message = {
  id: "20261126-1200-bcdfgh-7",
  change: "escalated",
  at: "2026-11-26T12:00:00.000Z",
  title: "nexus/docker:scrypted needs you",
  text: "it stays dark\nincident 20261126-1200-bcdfgh\njournal 9:abc",
};
const link = "https://medic.example/a/20261126-1200-bcdfgh.1/c2ln";
const question: Message = {
  ...message,
  change: "approval",
  question: {
    approval: "20261126-1200-bcdfgh.1",
    tool: "docker_restart",
    risk: "disruptive",
    commands: ["sudo docker restart -- 3a191c2c"],
    expiresAt: "2026-11-26T13:00:00.000Z",
    link,
    isWhole: true,
  },
};
const on = ["escalated"] as const;
const now = (): number => Date.parse("2026-11-26T12:00:05Z");

describe("a channel to ntfy", () => {
  it("publishes JSON to the server's root, with the token where there is one", async () => {
    await using server = await startReceiver();
    const ntfy = { url: `${server.url}/`, topic: "medic", token: "tk_secret" };
    assert.deepEqual(await createChannel({ name: "phone", on, ntfy }, now).send(message, never), { is: "sent" });
    const [request] = server.received;
    assert.equal(request?.path, "/");
    assert.equal(request?.headers.authorization, "Bearer tk_secret");
    assert.deepEqual(server.messages()[0], {
      topic: "medic",
      title: message.title,
      message: message.text,
      priority: 4,
      tags: ["warning"],
      sequence_id: message.id,
    });
    const open = createChannel({ name: "phone", on, ntfy: { url: server.url, topic: "medic" } }, now);
    await open.send(message, never);
    assert.equal(server.received[1]?.headers.authorization, undefined);
  });

  it("has buttons that answer a question where there is a link, and none without", async () => {
    await using server = await startReceiver();
    const channel = createChannel({ name: "phone", on, ntfy: { url: server.url, topic: "medic" } }, now);
    await channel.send(question, never);
    const [sent] = server.messages();
    assert.equal(sent?.["click"], link);
    const press = (label: string, decision: string): object => ({
      action: "http",
      label,
      url: link,
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: `decision=${decision}`,
      clear: true,
    });
    assert.deepEqual(sent?.["actions"], [
      { action: "view", label: "Look", url: link },
      press("Run it", "approve"),
      press("No", "deny"),
    ]);
    assert.ok(question.question !== undefined);
    const { link: _link, ...unlinked } = question.question;
    await channel.send({ ...question, question: unlinked }, never);
    assert.equal(server.messages()[1]?.["actions"], undefined);
  });

  it("has no button for a yes to commands that it does not show whole", async () => {
    await using server = await startReceiver();
    const channel = createChannel({ name: "phone", on, ntfy: { url: server.url, topic: "medic" } }, now);
    assert.ok(question.question !== undefined);
    await channel.send({ ...question, question: { ...question.question, isWhole: false } }, never);
    const labels = ((server.messages()[0]?.["actions"] ?? []) as { label: string }[]).map(({ label }) => label);
    assert.deepEqual(labels, ["Look", "No"]);
  });
});

/** As a receiver of the webhook would check it. */
function isGenuine({ headers, body }: Received, secret: string): boolean {
  const signed = `${String(headers["medic-timestamp"])}.${body}`;
  return headers["medic-signature"] === `v1=${createHmac("sha256", secret).update(signed).digest("hex")}`;
}

describe("a channel to a webhook", () => {
  it("signs what it sends, so that the receiver can check it, its age and whether it had it before", async () => {
    await using server = await startReceiver();
    const webhook = { url: `${server.url}/hook?to=me`, secret: "s3cret" };
    const channel = createChannel({ name: "hook", on, webhook }, now);
    await channel.send(question, never);
    await channel.send(question, never);
    const [first, second] = server.received;
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(first.path, "/hook?to=me");
    assert.ok(isGenuine(first, "s3cret"));
    assert.ok(!isGenuine({ ...first, body: first.body.replace("docker_restart", "docker_remove") }, "s3cret"));
    assert.ok(!isGenuine({ ...first, headers: { ...first.headers, "medic-timestamp": "1" } }, "s3cret"));
    assert.ok(!isGenuine(first, "another"));
    assert.equal(first.headers["medic-timestamp"], String(now() / 1000));
    assert.equal(first.headers["medic-id"], message.id);
    assert.equal(second.headers["medic-id"], message.id);
    assert.deepEqual(JSON.parse(first.body), question);
  });
});

describe("a try that fails", () => {
  it("may be tried again when the other end is down or wrong, and never when it refuses the message", async () => {
    await using server = await startReceiver();
    const channel = createChannel({ name: "hook", on, webhook: { url: server.url, secret: "s3cret" } }, now);
    for (const [status, is] of [
      [500, "down"],
      [503, "down"],
      [401, "down"],
      [404, "down"],
      [429, "down"],
      [400, "refused"],
      [413, "refused"],
    ] as const) {
      server.answer = (_request, response) => void response.writeHead(status).end("because of\nthis");
      const sent = await channel.send(message, never);
      assert.deepEqual(sent, { is, why: `it answered ${status}: because of this` });
    }
  });

  it("is none when the message was taken, though the rest of the answer breaks off or never comes", async () => {
    await using server = await startReceiver();
    const channel = createChannel({ name: "hook", on, webhook: { url: server.url, secret: "s3cret" } }, now);
    for (const rest of ["breaks off", "never comes"]) {
      for (const [status, expected] of [
        [200, { is: "sent" }],
        [400, { is: "refused", why: "it answered 400: because" }],
      ] as const) {
        // Only what is taken needs no more of the answer.
        if (status === 400 && rest === "never comes") continue;
        server.answer = (_request, response) => {
          response.writeHead(status, { "content-length": "100" });
          response.write("because", () => {
            if (rest === "breaks off") response.destroy();
          });
        };
        assert.deepEqual(await channel.send(message, never), expected);
      }
    }
  });

  it("follows no redirect: the owner named one address", async () => {
    await using server = await startReceiver();
    await using elsewhere = await startReceiver();
    server.answer = (_request, response) => void response.writeHead(307, { location: elsewhere.url }).end();
    const channel = createChannel({ name: "hook", on, webhook: { url: server.url, secret: "s3cret" } }, now);
    assert.equal((await channel.send(message, never)).is, "down");
    assert.equal(elsewhere.received.length, 0);
  });

  it("reads no more of an answer than its beginning", async () => {
    await using server = await startReceiver();
    const closed = Promise.withResolvers<void>();
    server.answer = (_request, response) => {
      response.writeHead(500);
      response.on("close", () => closed.resolve());
      const pour = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
        response.once("drain", pour);
      };
      pour();
    };
    const channel = createChannel({ name: "hook", on, webhook: { url: server.url, secret: "s3cret" } }, now);
    const sent = await channel.send(message, never);
    assert.ok(sent.is === "down" && sent.why.length < 250);
    // Without the cut it would pour for ever.
    await closed.promise;
  });

  it("ends when Medic stops, though no answer comes", async () => {
    await using server = await startReceiver();
    const stop = new AbortController();
    server.answer = () => stop.abort();
    const channel = createChannel({ name: "hook", on, webhook: { url: server.url, secret: "s3cret" } }, now);
    assert.deepEqual(await channel.send(message, stop.signal), { is: "down", why: "Medic is stopping" });
  });

  it("tells neither of them although the other end says them again", async () => {
    await using server = await startReceiver();
    server.answer = ({ path, headers }, response) =>
      void response.writeHead(404).end(`Cannot POST ${path} (${path.slice(1)}) for ${headers.authorization ?? "you"}`);
    const hook = { url: `${server.url}/0b7c2d1e-private/x?key=private`, secret: "s3cret" };
    const phone = { url: `${server.url}/0b7c2d1e-private/`, topic: "medic", token: "tk_private" };
    for (const channel of [
      createChannel({ name: "hook", on, webhook: hook }, now),
      createChannel({ name: "phone", on, ntfy: phone }, now),
    ]) {
      const sent = await channel.send(message, never);
      assert.ok(sent.is === "down");
      assert.match(sent.why, /^it answered 404: Cannot POST/);
      assert.doesNotMatch(sent.why, /private/);
    }
  });

  it("tells neither the secret nor the address", async () => {
    const gone = await startReceiver();
    await gone[Symbol.asyncDispose]();
    const hook = { url: `${gone.url}/very-private-path`, secret: "s3cret" };
    const phone = { url: gone.url, topic: "very-private-topic", token: "tk_secret" };
    for (const channel of [
      createChannel({ name: "hook", on, webhook: hook }, now),
      createChannel({ name: "phone", on, ntfy: phone }, now),
    ]) {
      const sent = await channel.send(message, never);
      assert.ok(sent.is === "down");
      assert.match(sent.why, /^it cannot be reached/);
      assert.doesNotMatch(sent.why, /private|secret|127\.0/);
    }
  });
});
