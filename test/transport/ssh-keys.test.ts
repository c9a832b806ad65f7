import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspectKey } from "../../core/transport/identity.ts";
import type { How } from "../../core/transport/pool.ts";
import { signingFault } from "../../core/transport/ssh-authentication.ts";
import { failure, sshHost } from "../support/ssh-host.ts";
import { until } from "../support/world.ts";

const read: How = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };
const isDeno = "deno" in process.versions;
/** The keys are OpenSSH's own: what it writes today is what a homelab has. */
const missing = spawnSync("ssh-keygen", ["-?"]).error !== undefined ? "OpenSSH's ssh-keygen is not here" : false;

function keygen(folder: string, name: string, ...args: string[]): { path: string; public: string } {
  const path = join(folder, name);
  const made = spawnSync("ssh-keygen", ["-q", "-C", "test", "-f", path, ...args], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  return { path, public: readFileSync(`${path}.pub`, "utf8").trim() };
}

/** A host that takes one key made by ssh-keygen, and a try to log in with it. */
async function withKey(args: readonly string[], passphrase?: string) {
  const host = await sshHost();
  const key = keygen(host.folder, "made", ...args);
  const taking = await sshHost({ server: { authorized: [key.public] } });
  await using _host = host;
  await using _taking = taking;
  const transport = taking.start({ identity: key.path, passphrase });
  try {
    return {
      answer: await transport.run("nexus", ["true"], read).catch((error: unknown) => error),
      authRequests: taking.server.counts.authRequests,
      connections: taking.server.counts.connections,
      file: await inspectKey(key.path, passphrase),
    };
  } finally {
    await transport.close();
  }
}

describe("a key of OpenSSH's", { skip: missing }, () => {
  for (const [name, args, passphrase] of [
    ["ed25519", ["-t", "ed25519", "-N", ""], undefined],
    ["ed25519 behind a passphrase", ["-t", "ed25519", "-N", "open sesame"], "open sesame"],
    ["RSA", ["-t", "rsa", "-b", "2048", "-N", ""], undefined],
    ["RSA behind a passphrase", ["-t", "rsa", "-b", "2048", "-N", "open sesame"], "open sesame"],
    ["RSA in PEM", ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""], undefined],
  ] as const) {
    it(`logs in: ${name}`, async () => {
      const { answer, authRequests, file } = await withKey(args, passphrase);
      assert.equal((answer as { exit?: number }).exit, 0, String(answer));
      assert.deepEqual(authRequests, ["publickey"]);
      assert.deepEqual(file, { is: "usable" });
    });
  }

  for (const [name, args, passphrase] of [
    ["ECDSA P-256", ["-t", "ecdsa", "-b", "256", "-N", ""], undefined],
    ["ECDSA P-521", ["-t", "ecdsa", "-b", "521", "-N", ""], undefined],
    ["RSA in PEM behind a passphrase", ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"], "open sesame"],
  ] as const) {
    // Deno signs with an ECDSA key or not by the chance of its leading bit.
    it(`logs in${isDeno ? ", or is refused before anything is dialed" : ""}: ${name}`, async () => {
      const { answer, connections, file } = await withKey(args, passphrase);
      if (isDeno && file.is === "cannot-sign") {
        assert.match(String(answer), /made" cannot sign here: (ecdsa|ssh-rsa).*ssh-keygen -t ed25519/);
        assert.equal(connections, 0);
      } else {
        assert.equal((answer as { exit?: number }).exit, 0, String(answer));
        assert.deepEqual(file, { is: "usable" });
      }
    });
  }

  it("behind a passphrase is not tried without it", async () => {
    const { answer, connections, file } = await withKey(["-t", "ed25519", "-N", "open sesame"]);
    assert.match(String(answer), /is encrypted: set hosts\.nexus\.passphraseFile/);
    assert.equal(connections, 0);
    assert.deepEqual(file, { is: "locked" });
  });
});

describe("a key that cannot sign", () => {
  it("is told of whether the signature is an error or a throw, and not asked of ed25519", () => {
    const type = "ecdsa-sha2-nistp256";
    const failing = new Error("invalid SEC1 private key\n    at somewhere");
    assert.equal(signingFault({ type, sign: () => failing as never }), `${type}: invalid SEC1 private key`);
    const throwing = () => {
      throw new Error("no such curve");
    };
    assert.equal(signingFault({ type, sign: throwing }), `${type}: no such curve`);
    assert.equal(signingFault({ type, sign: () => Buffer.alloc(1) }), undefined);
    assert.equal(signingFault({ type: "ssh-ed25519", sign: throwing }), undefined);
  });
});

describe("OpenSSH's own ssh-agent", { skip: missing }, () => {
  it("signs with ed25519 and RSA keys, and is not asked when the host's settings do not say so", async () => {
    await using host = await sshHost();
    const socket = join(host.folder, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    try {
      await until(() => existsSync(socket));
      for (const type of ["ed25519", "rsa"]) {
        const key = keygen(host.folder, `in-agent-${type}`, "-t", type, "-N", "");
        await using taking = await sshHost({ server: { authorized: [key.public] } });
        const without = taking.start({ identity: undefined, agent: true }, { agentSocket: socket });
        assert.equal((await failure(without.run("nexus", ["true"], read))).kind, "AuthenticationFailed");
        await without.close();
        const added = spawnSync("ssh-add", ["-q", key.path], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
        assert.equal(added.status, 0, String(added.stderr));
        const transport = taking.start({ identity: undefined, agent: true }, { agentSocket: socket });
        assert.equal((await transport.run("nexus", ["true"], read)).exit, 0);
        await transport.close();
        const not = taking.start({ identity: undefined, agent: false }, { agentSocket: socket });
        assert.equal((await failure(not.run("nexus", ["true"], read))).kind, "AuthenticationFailed");
        await not.close();
      }
    } finally {
      agent.kill();
    }
  });
});
