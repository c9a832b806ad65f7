import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import ssh2 from "ssh2";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import type { How } from "../../core/transport/pool.ts";
import { failure, sshHost } from "../support/ssh-host.ts";
import { startAgent, withUnknownSsh2 } from "../support/world.ts";

const read: How = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };

describe("logging in", () => {
  it("signs in the first message, with no `none` and no question before", async () => {
    await using host = await sshHost();
    await host.transport.run("nexus", ["true"], read);
    assert.deepEqual(host.server.counts.authRequests, ["publickey"]);
  });

  it("asks before it signs when ssh2's insides are unknown", async () => {
    await withUnknownSsh2(async () => {
      await using host = await sshHost();
      await host.transport.run("nexus", ["true"], read);
      assert.deepEqual(host.server.counts.authRequests, ["publickey", "probe", "publickey"]);
    });
  });

  it("that is refused says which key, which user, and the line to add", async () => {
    await using host = await sshHost({ server: { authorized: [] } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "AuthenticationFailed");
    assert.equal(error.dispatched, false);
    assert.match(error.message, /as "medic": it refused the key ".*\/key"/);
    assert.ok(error.message.includes(host.server.clientKey.public.split(" ").slice(0, 2).join(" ")), error.message);
    assert.match(error.message, /authorized_keys/);
    assert.equal(host.logged("ssh_dial_failed")[0]?.["kind"], "AuthenticationFailed");
  });

  it("takes an RSA key with SHA-2, and an encrypted key with its passphrase only", async () => {
    const rsa = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 });
    const locked = generateKeyPair({ cipher: "aes256-ctr", passphrase: "secret", rounds: 2 });
    await using host = await sshHost({ server: { authorized: [rsa.public, locked.public] } });
    const tryWith = async (identity: string, passphrase?: string) => {
      const transport = host.start({ identity, passphrase });
      try {
        return (await transport.run("nexus", ["true"], read)).exit;
      } finally {
        await transport.close();
      }
    };
    assert.equal(await tryWith(host.file("rsa", rsa.private)), 0);
    assert.deepEqual(host.server.counts.authRequests, ["publickey"]);
    assert.equal(await tryWith(host.file("locked", locked.private), "secret"), 0);
    assert.match(
      (await failure(tryWith(host.file("locked", locked.private)))).message,
      /is encrypted: set .*passphraseFile/,
    );
    assert.match((await failure(tryWith(host.file("locked", locked.private), "wrong"))).message, /no private key/);
  });

  it("asks the ssh-agent when the host's settings say so, after the key was refused", async () => {
    const inAgent = generateKeyPair();
    await using host = await sshHost({ server: { authorized: [inAgent.public] } });
    const agentSocket = join(host.folder, "agent");
    await using _agent = await startAgent(agentSocket, inAgent.private);
    const asking = host.start({ agent: true }, { agentSocket });
    assert.equal((await asking.run("nexus", ["true"], read)).exit, 0);
    await asking.close();
    const gone = host.start({ agent: true }, { agentSocket: join(host.folder, "no-agent") });
    const error = await failure(gone.run("nexus", ["true"], read));
    assert.equal(error.kind, "AuthenticationFailed");
    assert.match(error.message, /the keys of the ssh-agent \(which could not sign: Failed to connect/);
    await gone.close();
    const not = host.start({ agent: false }, { agentSocket });
    assert.equal((await failure(not.run("nexus", ["true"], read))).kind, "AuthenticationFailed");
    await not.close();
  });

  it("without identity and agent says so", async () => {
    await using host = await sshHost({ host: { identity: undefined } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "AuthenticationFailed");
    assert.match(error.message, /neither an identity nor an agent.*hosts\.nexus\.identity/);
  });

  it("names a key that is missing, and one that is no private key", async () => {
    await using host = await sshHost();
    for (const [identity, says] of [
      [join(host.folder, "none"), /none" cannot be read: ENOENT/],
      [host.file("rubbish", "rubbish"), /rubbish" is no private key/],
      [host.file("key.pub", host.server.clientKey.public), /is a public key/],
    ] as const) {
      const transport = host.start({ identity });
      const error = await failure(transport.run("nexus", ["true"], read));
      assert.equal(error.kind, "AuthenticationFailed");
      assert.match(error.message, says);
      await transport.close();
    }
    assert.equal(host.server.counts.connections, 0);
  });
});

describe("the host's key", () => {
  const line = (host: Awaited<ReturnType<typeof sshHost>>, port = host.server.port) =>
    `[127.0.0.1]:${port} ${host.server.hostKey.public}\n`;

  it("is trusted by known_hosts, and by its pin", async () => {
    await using host = await sshHost();
    const transport = host.start({ hostKey: undefined, knownHosts: host.file("known_hosts", line(host)) });
    assert.equal((await transport.run("nexus", ["true"], read)).exit, 0);
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
    await transport.close();
  });

  it("is refused when nothing is known of it, with the line that would trust it", async () => {
    await using host = await sshHost({ host: { hostKey: undefined } });
    for (const knownHosts of [undefined, join(host.folder, "none"), host.file("known_hosts", line(host, 1))]) {
      const transport = host.start({ knownHosts });
      const error = await failure(transport.run("nexus", ["true"], read));
      assert.equal(error.kind, "HostKeyMismatch");
      assert.equal(error.offered, host.server.fingerprint);
      assert.ok(error.message.includes(`hosts.nexus.hostKey: "${host.server.fingerprint}"`), error.message);
      await transport.close();
    }
    assert.equal(host.server.counts.authenticated, 0);
  });

  it("is refused when it changed, and no login is tried", async () => {
    await using host = await sshHost({ host: { hostKey: `SHA256:${"A".repeat(43)}` } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "HostKeyMismatch");
    assert.match(error.message, /host key changed, expected "SHA256:AAA/);
    assert.deepEqual(host.server.counts.authRequests, []);
  });
});

describe("the dial", () => {
  it("is tried again when the host hangs up before the handshake, as above MaxStartups", async () => {
    await using host = await sshHost({ server: { dropFirst: 2 } });
    assert.equal((await host.transport.run("nexus", ["true"], read)).exit, 0);
    assert.equal(host.server.counts.connections, 3);
  });

  it("gives up after three of them", async () => {
    await using host = await sshHost({ server: { dropFirst: 100 } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "DialFailed");
    assert.match(error.message, /MaxStartups/);
    assert.equal(host.server.counts.connections, 3);
  });

  it("is not tried again where nobody listens", async () => {
    await using host = await sshHost();
    await host.server.close();
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "DialFailed");
    assert.match(error.message, /ECONNREFUSED/);
    assert.equal(host.transport.statistics()[0]?.dials, 1);
  });

  it("of a silent host ends as DialTimeout", async () => {
    await using host = await sshHost({ pool: { dialTimeout: 0.2 }, server: { isSilent: true } });
    const error = await failure(host.transport.run("nexus", ["true"], read));
    assert.equal(error.kind, "DialTimeout");
    assert.equal(error.dispatched, false);
  });
});
