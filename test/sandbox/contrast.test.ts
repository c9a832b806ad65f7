import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { perCommand, seedDict, type ContrastClient } from "../../core/sandbox/contrast.ts";
import { startSshServer } from "../support/ssh-server.ts";

async function burst(make: typeof perCommand, { warm }: { warm: boolean }) {
  const server = await startSshServer();
  const { port, clientKey } = server;
  const client: ContrastClient = make({ address: "127.0.0.1", port, user: "medic", privateKey: clientKey.private });
  if (warm) await client.run("true");
  const answers = await Promise.allSettled(Array.from({ length: 15 }, () => client.run("sleep 0.2")));
  const failed = answers.filter(({ status }) => status === "rejected").length;
  const refused = client.run("false").then(
    () => false,
    () => true,
  );
  assert.equal(await refused, true);
  await client.close();
  const { connections } = server.counts;
  await server.close();
  return { connections, failed };
}

describe("the designs that Medic is measured against", () => {
  it("a connection per command opens one for each", async () => {
    assert.deepEqual(await burst(perCommand, { warm: false }), { connections: 16, failed: 0 });
  });

  it("the published dictionary opens as many when cold, since all miss at once", async () => {
    const { connections, failed } = await burst(seedDict, { warm: false });
    assert.deepEqual({ connections, failed }, { connections: 15, failed: 0 });
  });

  it("the published dictionary fails above MaxSessions when warm", async () => {
    assert.deepEqual(await burst(seedDict, { warm: true }), { connections: 1, failed: 5 });
  });
});
