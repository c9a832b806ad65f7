// `medic init` against OpenSSH's own server with a user of its own: what it writes is what doctor then finds in order.
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { callMedic } from "../support/scenario.ts";
import { startRealSshd } from "../support/real-sshd.ts";

async function stage() {
  const sshd = await startRealSshd({ sudo: true });
  const home = mkdtempSync(join(tmpdir(), "medic-init-"));
  mkdirSync(join(home, ".ssh"));
  copyFileSync(sshd.identity, join(home, ".ssh", "id_ed25519"));
  const medic = (...args: string[]) => callMedic(home, args, new AbortController().signal);
  return {
    sshd,
    home,
    init: (port = sshd.port) => medic("init", "--yes", "--host", `nexus=${sshd.user.name}@${sshd.address}:${port}`),
    medic,
    async [Symbol.asyncDispose]() {
      await sshd[Symbol.asyncDispose]();
      rmSync(home, { recursive: true });
    },
  };
}

describe("medic init on a real sshd", { timeout: 60_000 }, () => {
  it("pins its key, looks over one login, and doctor agrees or says what mends it", async () => {
    await using world = await stage();
    const { code, stdout } = await world.init();
    assert.equal(code, 0, stdout);
    assert.equal(world.sshd.counts().authenticated, 1);
    const text = readFileSync(join(world.home, "hosts.yaml"), "utf8");
    assert.ok(text.includes(`hostKey: ${world.sshd.hostKey}`), text);
    assert.match(text, /privilege: sudo/);
    const doctor = await world.medic("doctor", "--json");
    const { checks } = JSON.parse(doctor.stdout) as { checks: { check: string; ok: unknown; mend?: string }[] };
    for (const name of ["key", "address", "host key", "login", "sudo"])
      assert.equal(checks.find(({ check }) => check === name)?.ok, true, `${name}: ${doctor.stdout}`);
    for (const one of checks.filter(({ ok }) => ok !== true)) assert.ok(one.mend !== undefined, JSON.stringify(one));
  });

  it("writes nothing of a host whose key is another one, that lets nobody in, or that is gone", async () => {
    await using world = await stage();
    const { sshd, home } = world;
    const nothing = async (why: RegExp, port?: number): Promise<void> => {
      const { code, stdout } = await world.init(port);
      assert.equal(code, 1, stdout);
      assert.match(stdout, why);
      assert.equal(existsSync(join(home, "hosts.yaml")), false);
    };
    sshd.revoke();
    await nothing(/nexus is left out: Cannot log in/);
    sshd.permit();
    const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    writeFileSync(join(home, ".ssh", "known_hosts"), `[${sshd.address}]:${sshd.port} ${other}\n`);
    await nothing(/has another key of it/);
    // A port that only root could listen on, and does not.
    await nothing(/ECONNREFUSED/, 1);
  });
});
