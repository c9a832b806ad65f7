// doctor through the front door, against an SSH server that runs real commands on this machine.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { after, before, describe, it } from "node:test";
import * as v from "valibot";
import { createOutput } from "../../core/cli/context.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { generateKey, startSshServer, type SshServer } from "../support/ssh-server.ts";

const answer = v.strictObject({
  hosts: v.array(v.string()),
  checks: v.array(
    v.strictObject({
      host: v.string(),
      check: v.string(),
      ok: v.union([v.boolean(), v.literal("unknown")]),
      says: v.string(),
      mend: v.optional(v.string()),
    }),
  ),
});

describe("medic doctor", () => {
  let folder = "";
  let server: SshServer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "medic-doctor-"));
    server = await startSshServer();
    await writeFile(join(folder, "id"), server.clientKey.private, { mode: 0o600 });
    await writeFile(join(folder, "stranger"), generateKey().private, { mode: 0o600 });
    const ssh = (more: string) => `{ address: 127.0.0.1, port: ${server.port}, user: medic, ${more} }`;
    const pin = `hostKey: "${server.fingerprint}"`;
    const text = `hosts:
  good: ${ssh(`identity: id, ${pin}, privilege: sudo, plugins: { systemd: { units: [caddy.service, "wg-quick@*.service"] } }`)}
  new: ${ssh("identity: id, knownHosts: none")}
  stranger: ${ssh(`identity: stranger, ${pin}`)}
  self: { transport: local }
`;
    await writeFile(join(folder, "hosts.yaml"), text);
  });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  const sink = (lines: string[]) =>
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
  const medic = async (...args: string[]) => {
    const out: string[] = [];
    const notes: string[] = [];
    const exit = await runMedic(args, {
      env: {},
      home: folder,
      folder,
      out: createOutput({ stdout: sink(out), stderr: sink(notes) }, {}),
      stop: new AbortController().signal,
    });
    return { exit, out: out.join(""), notes: notes.join("") };
  };
  const checksOf = async (host: string) => {
    const { exit, out } = await medic("doctor", host, "--json");
    const { hosts, checks } = v.parse(answer, JSON.parse(out));
    assert.deepEqual(hosts, [host]);
    return { exit, checks: new Map(checks.map((check) => [check.check, check])) };
  };

  it("logs in where all is well, and looks around", async () => {
    const { checks } = await checksOf("good");
    for (const name of ["key", "address", "host key", "login", "clock"]) assert.equal(checks.get(name)?.ok, true, name);
    assert.ok(checks.has("sudo") || checks.has("rights"));
  });
  it("shows the fingerprint of a host it does not know, and says nothing of its login", async () => {
    const { exit, checks } = await checksOf("new");
    assert.equal(exit, 1);
    assert.ok(checks.get("host key")?.mend?.endsWith(`hostKey: ${server.fingerprint}`));
    assert.equal(checks.get("login"), undefined);
  });
  it("shows how to let a key in that the host refuses", async () => {
    const { exit, checks } = await checksOf("stranger");
    assert.equal(exit, 1);
    assert.equal(checks.get("host key")?.ok, true);
    assert.match(checks.get("login")?.mend ?? "", /^ssh-copy-id -i \S+stranger\.pub -p \d+ medic@127\.0\.0\.1$/);
  });
  it("looks at all hosts, each in its own paragraph, and ends with 1 because two are wrong", async () => {
    const { exit, out } = await medic("doctor");
    assert.equal(exit, 1);
    assert.match(out, /^good \(medic@127\.0\.0\.1\)$[\s\S]*^new \([\s\S]*^stranger \([\s\S]*^self \(this machine\)$/m);
    assert.match(out, /\d wrong, \d could not be found out\.\n$/);
  });
  it("prints sudoers lines of one host, and asks no host for them", async () => {
    const before = server.counts.connections;
    const { exit, out } = await medic("doctor", "good", "--sudoers");
    assert.equal(exit, 0);
    assert.match(out, /^medic ALL=\(root\) NOPASSWD: \/usr\/bin\/systemctl /m);
    assert.match(out, /^medic ALL=\(root\) NOPASSWD: \/usr\/bin\/timeout -s KILL \d+ /m);
    assert.equal(server.counts.connections, before);
    const visudo = ["/usr/sbin/visudo", "/usr/bin/visudo"].find(existsSync);
    if (visudo === undefined) return;
    const { status, stderr } = spawnSync(visudo, ["-cf", "-"], { input: out, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });
  it("refuses a host that hosts.yaml does not have", async () => {
    const { exit, notes } = await medic("doctor", "goood");
    assert.equal(exit, 2);
    assert.match(notes, /Cannot look at "goood": no such host in hosts\.yaml, it has good, new, stranger, self/);
  });
  it("refuses to run on a hosts.yaml that is not in order", async () => {
    await writeFile(join(folder, "bad.yaml"), "hosts: { a: { trsut: observe } }");
    const { exit, notes } = await medic("doctor", "--config", "bad.yaml");
    assert.equal(exit, 2);
    assert.match(notes, /bad\.yaml:1:15 hosts\.a\.trsut: unknown key, did you mean "trust"\?/);
  });
});
