// Fails loudly when ssh2 changes: everything that Medic does with its insides has to be seen at work, not fallen back.
import assert from "node:assert/strict";
import { connect, createServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import ssh2Package from "ssh2/package.json" with { type: "json" };
import type { How } from "../../core/transport/pool.ts";
import { failure, sshHost } from "../support/ssh-host.ts";
import type { ServerOptions } from "../support/ssh-server.ts";
import { withUnknownSsh2 } from "../support/world.ts";

const how: How = { kind: "fix", tool: "docker_restart", commandSeconds: 20 };
type Host = Awaited<ReturnType<typeof sshHost>>;

/** How often the client spoke and then waited for the server, from the dial to the first answer. */
async function flights(server: ServerOptions, pool: NonNullable<Parameters<typeof sshHost>[0]>["pool"] = {}) {
  await using host = await sshHost({ server, pool });
  return await flightsTo(host, (transport) => transport.run("nexus", ["true"], how));
}

async function flightsTo(host: Host, work: (transport: Host["transport"]) => Promise<unknown>): Promise<number> {
  let count = 0;
  let isSpeaking = false;
  const relay = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: host.server.port, host: "127.0.0.1", noDelay: true });
    for (const socket of [near, far]) socket.on("error", () => {});
    near.on("data", (chunk) => {
      if (!isSpeaking) count += 1;
      isSpeaking = true;
      far.write(chunk);
    });
    far.on("data", (chunk) => {
      isSpeaking = false;
      near.write(chunk);
    });
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const transport = host.start({ port: (relay.address() as AddressInfo).port });
  try {
    await work(transport);
    return count;
  } finally {
    await transport.close();
    await new Promise((resolve) => relay.close(resolve));
  }
}

const other = "Cisco-1.25";

describe("the insides of ssh2", () => {
  it("are those of the release that was read: after an update read core/transport/ssh2-internals.ts again", () => {
    assert.equal(ssh2Package.version, "1.17.0");
  });

  it("let OpenSSH have service, signature and first channel in one flight, and dropbear the first two", async () => {
    const publicWay = await flights({ software: other });
    assert.equal(await flights({ software: "OpenSSH_9.2p1" }), publicWay - 2);
    assert.equal(await flights({ software: "dropbear_2022.83" }), publicWay - 1);
  });

  it("ask for no channel with the login where warm channels are off, or another key may follow", async () => {
    const software = "OpenSSH_9.2p1";
    const early = await flights({ software });
    assert.equal(await flights({ software }, { warmChannels: "off" }), early + 1);
    await using host = await sshHost({ server: { software } });
    const withAgent = host.start({ agent: true }, { agentSocket: "/nowhere" });
    assert.equal((await withAgent.run("nexus", ["true"], how)).exit, 0);
    await withAgent.close();
  });

  it("are left alone when they are another release's: every step is asked for and waited for", async () => {
    const known = await flights({ software: other });
    // The question before the signature; the command goes with its channel there, as here.
    await withUnknownSsh2(async () => assert.equal(await flights({ software: "OpenSSH_9.2p1" }), known + 1));
  });

  it("tell of a refused key as before, although channel and signature had left together", async () => {
    await using host = await sshHost({ server: { software: "OpenSSH_9.2p1", authorized: [] } });
    const error = await failure(host.transport.run("nexus", ["true"], how));
    assert.deepEqual([error.kind, error.dispatched], ["AuthenticationFailed", false]);
    assert.match(error.message, /it refused the key ".*\/key"/);
    assert.deepEqual(host.server.counts.commands, []);
  });

  it("ask again for a first channel that was refused, as for any other", async () => {
    await using host = await sshHost({ server: { software: "OpenSSH_9.2p1", maxSessions: 0 } });
    const error = await failure(host.transport.run("nexus", ["true"], how));
    assert.deepEqual([error.kind, error.dispatched], ["ChannelRefused", false]);
  });
});
