// A whole Medic that tells people, and a person who answers from what they were told: ntfy is a fake, the rest is real.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { eventually, firing, type Served, startScenario } from "../support/scenario.ts";

const channels = (server: Receiver): string => `
notify:
  - name: phone
    ntfy: { url: "${server.url}", topic: medic, token: tk_very_secret }
`;

async function alarm(serve: Served, status: "firing" | "resolved" = "firing"): Promise<string> {
  const body = JSON.stringify(firing({ host: "nexus", service: "scrypted" }, status));
  const response = await serve.ask("/webhooks/alertmanager", { method: "POST", body });
  const { incidents } = (await response.json()) as { incidents: { id: string }[] };
  return incidents[0]?.id ?? "";
}

async function stateOf(serve: Served, id: string): Promise<string> {
  const { incident } = (await (await serve.ask(`/incidents/${id}`)).json()) as { incident: { state: { is: string } } };
  return incident.state.is;
}

/** Presses a button of a message, as the phone would. */
async function press(message: Record<string, unknown> | undefined, label: string, serve: Served): Promise<Response> {
  type Button = { label: string; url: string; method: string; headers: Record<string, string>; body: string };
  const buttons = (message?.["actions"] ?? []) as Button[];
  const button = buttons.find((one) => one.label === label);
  assert.ok(button !== undefined, JSON.stringify(message));
  // Medic listens where it likes; the phone comes in through a proxy under the public name.
  assert.match(button.url, /^https:\/\/medic\.example\/in\/a\//);
  const path = new URL(button.url).pathname.replace("/in/", "/");
  return fetch(new URL(path, serve.url), { method: button.method, headers: button.headers, body: button.body });
}

describe("a person with a phone", () => {
  it("is asked, presses the button, and hears that it helped; each once", async () => {
    await using phone = await startReceiver();
    await using scenario = await startScenario({
      trust: "observe",
      publicUrl: "https://medic.example/in/",
      more: channels(phone),
    });
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const incident = await alarm(serve);
    await eventually("the question", () => phone.received.length === 1);
    const [question] = phone.messages();
    assert.match(String(question?.["title"]), /^Run scrypted_restart on nexus\?$/);
    const pressed = await press(question, "Run it", serve);
    assert.equal(pressed.status, 200);
    assert.equal((await press(question, "Run it", serve)).status, 409);
    await eventually("the end", async () => (await stateOf(serve, incident)) === "resolved");
    await eventually("the word of it", () => phone.received.length === 2);
    assert.match(String(phone.messages()[1]?.["title"]), /: fixed$/);
    const { stdout } = await scenario.medic("explain", incident);
    assert.match(stdout, /link said yes to scrypted_restart/);
    assert.match(stdout, /told to phone/);
    const metrics = await (await serve.ask("/metrics")).text();
    assert.match(metrics, /^medic_notifications_total\{channel="phone",outcome="sent"\} 2$/m);
    await serve.stop();
    assert.equal(phone.received.length, 2);
    assert.doesNotMatch(serve.log(), /tk_very_secret/);
  });

  it("says no, and hears that it is theirs now", async () => {
    await using phone = await startReceiver();
    await using scenario = await startScenario({
      trust: "observe",
      publicUrl: "https://medic.example/in",
      more: channels(phone),
    });
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const incident = await alarm(serve);
    await eventually("the question", () => phone.received.length === 1);
    assert.equal((await press(phone.messages()[0], "No", serve)).status, 200);
    assert.equal(await stateOf(serve, incident), "escalated");
    await eventually("the word of it", () => phone.received.length === 2);
    assert.match(String(phone.messages()[1]?.["title"]), /needs you$/);
    await serve.stop();
  });

  it("gets no link where Medic does not know how a phone reaches it", async () => {
    await using phone = await startReceiver();
    await using scenario = await startScenario({ trust: "observe", more: channels(phone) });
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    await alarm(serve);
    await eventually("the question", () => phone.received.length === 1);
    const [question] = phone.messages();
    assert.equal(question?.["actions"], undefined);
    assert.match(String(question?.["message"]), /medic approve \S+\.1, or medic deny/);
    await serve.stop();
  });

  it("does not hold up healing by being out of reach", async () => {
    await using phone = await startReceiver();
    phone.answer = () => undefined; // Takes it and never answers.
    await using scenario = await startScenario({ more: channels(phone) });
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const incident = await alarm(serve);
    await eventually("the end", async () => (await stateOf(serve, incident)) === "resolved");
    await eventually("the try", () => phone.received.length === 1);
    await serve.stop();
  });
});

describe("medic notify test", () => {
  it("sends to all channels, or to one, and says what became of it", async () => {
    await using phone = await startReceiver();
    await using scenario = await startScenario({ more: channels(phone) });
    const told = await scenario.medic("notify", "test");
    assert.deepEqual([told.code, told.stdout], [0, "phone: sent\n"]);
    assert.equal(phone.messages()[0]?.["topic"], "medic");
    assert.equal(phone.received[0]?.headers.authorization, "Bearer tk_very_secret");
    phone.answer = (_request, response) => void response.writeHead(403).end("forbidden");
    const refused = await scenario.medic("notify", "test", "phone");
    assert.deepEqual([refused.code, refused.stdout], [1, "phone: not sent, it answered 403: forbidden\n"]);
  });

  it("sends nothing to a channel that there is not", async () => {
    await using phone = await startReceiver();
    await using scenario = await startScenario({ more: channels(phone) });
    const wrong = await scenario.medic("notify", "test", "phome");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /no channel of hosts.yaml is called so.*"phone"/);
    assert.equal(phone.received.length, 0);
    await using without = await startScenario();
    const none = await without.medic("notify", "test");
    assert.equal(none.code, 2);
    assert.match(none.stderr, /hosts.yaml has no channel/);
  });
});
