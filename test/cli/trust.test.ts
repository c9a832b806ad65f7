import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { createOutput, type Context } from "../../core/cli/context.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { startSshServer, type ServerOptions } from "../support/ssh-server.ts";

const stranger = `SHA256:${"A".repeat(43)}`;

/** hosts.yaml for one in-process server; `more` is further lines of the host. */
async function trusting(more = "", options: ServerOptions = {}) {
  const server = await startSshServer(options);
  const folder = mkdtempSync(join(tmpdir(), "medic-trust-"));
  const file = join(folder, "hosts.yaml");
  const write = (text: string): void => writeFileSync(file, text, { mode: 0o640 });
  write(`hosts:
  nexus: # the camera server
    address: 127.0.0.1
    port: ${server.port}
    user: medic
    identity: ${join(folder, "key")}
    knownHosts: ${join(folder, "known_hosts")}
${more}`);
  const medic = async (args: readonly string[], ask?: Context["ask"]) => {
    const [out, notes]: [string[], string[]] = [[], []];
    const sink = (lines: string[]) =>
      new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) });
    const code = await runMedic(["trust", ...args], {
      env: {},
      home: folder,
      folder,
      out: createOutput({ stdout: sink(out), stderr: sink(notes) }, {}),
      ...(ask === undefined ? {} : { ask }),
      stop: new AbortController().signal,
    });
    return { code, out: out.join(""), notes: notes.join("") };
  };
  const known = (line: string): void => writeFileSync(join(folder, "known_hosts"), line);
  return {
    server,
    folder,
    file,
    medic,
    known,
    text: () => readFileSync(file, "utf8"),
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe("medic trust", () => {
  it("shows the key and its type, asks, and pins it; no login is tried", async () => {
    await using world = await trusting();
    const asked: string[] = [];
    const before = world.text();
    const { code, out, notes } = await world.medic(["nexus"], (question) => {
      asked.push(question);
      return Promise.resolve("y\n");
    });
    assert.equal(code, 0);
    assert.ok(out.includes(`${world.server.fingerprint} (ssh-ed25519)`), out);
    assert.match(out, /neither hosts\.yaml nor .*known_hosts has a key of it/);
    assert.match(notes, /ssh_host_ed25519_key\.pub[\s\S]*Pinned in/);
    assert.equal(asked.length, 1);
    const line = `    hostKey: ${world.server.fingerprint}\n`;
    assert.ok(world.text().includes(line), world.text());
    assert.equal(world.text().replace(line, ""), before);
    assert.deepEqual(world.server.counts.authRequests, []);
    assert.equal((await world.medic(["nexus"])).notes.includes("pinned already"), true);
  });

  it("pins nothing when the person says no, or nobody can be asked", async () => {
    await using world = await trusting();
    const before = world.text();
    assert.equal((await world.medic(["nexus"], () => Promise.resolve(""))).code, 1);
    const { code, notes } = await world.medic(["nexus"]);
    assert.equal(code, 2);
    assert.match(notes, /without a person's word: run it on a terminal, or add --yes/);
    assert.equal(world.text(), before);
  });

  it("pins with --yes through a link, keeping the file's mode", async () => {
    await using world = await trusting();
    const link = join(world.folder, "link.yaml");
    symlinkSync(world.file, link);
    chmodSync(world.file, 0o640);
    assert.equal((await world.medic(["nexus", "--yes", "--config", link])).code, 0);
    assert.ok(world.text().includes(world.server.fingerprint));
    assert.equal(statSync(world.file).mode & 0o777, 0o640);
  });

  it("only prints the line with --print", async () => {
    await using world = await trusting();
    const before = world.text();
    const { code, out } = await world.medic(["nexus", "--print"]);
    assert.equal(code, 0);
    assert.ok(out.endsWith(`\nhostKey: ${world.server.fingerprint}\n`), out);
    assert.equal(world.text(), before);
  });

  it("refuses a changed key, shows both, and takes it with --replace", async () => {
    await using world = await trusting(`    hostKey: ${stranger} # rebuilt in May\n`);
    const no = await world.medic(["nexus", "--yes"]);
    assert.equal(no.code, 1);
    assert.ok(no.out.includes(world.server.fingerprint) && no.out.includes(stranger), no.out);
    assert.match(no.notes, /medic trust nexus --replace/);
    assert.ok(world.text().includes(stranger));
    assert.equal((await world.medic(["nexus", "--replace"])).code, 2);
    assert.equal((await world.medic(["nexus", "--replace", "--yes"])).code, 0);
    assert.ok(world.text().includes(`    hostKey: ${world.server.fingerprint} # rebuilt in May\n`), world.text());
  });

  it("says what known_hosts knows, and never pins a revoked key", async () => {
    await using world = await trusting();
    const line = `[127.0.0.1]:${world.server.port} ${world.server.hostKey.public}\n`;
    world.known(line);
    assert.match((await world.medic(["nexus", "--print"])).out, /known_hosts has this key/);
    world.known(`@revoked ${line}`);
    const { code, notes } = await world.medic(["nexus", "--yes", "--replace"]);
    assert.equal(code, 1);
    assert.match(notes, /revoked key is never pinned/);
    assert.doesNotMatch(world.text(), /hostKey/);
  });

  it("answers as one JSON object", async () => {
    await using world = await trusting();
    const { code, out } = await world.medic(["nexus", "--yes", "--json"]);
    assert.equal(code, 0);
    const { fingerprint: offered } = world.server;
    assert.deepEqual(JSON.parse(out), { host: "nexus", offered, type: "ssh-ed25519", was: "unknown", done: "pinned" });
  });

  it("ends with 2 for an unknown or local host, and with 3 where nobody answers", async () => {
    await using world = await trusting("  self: { transport: local }\n");
    assert.match((await world.medic(["nexsu"])).notes, /no such host in hosts\.yaml, it has nexus, self/);
    assert.equal((await world.medic(["self"])).code, 2);
    await world.server.close();
    const { code, notes } = await world.medic(["nexus"]);
    assert.equal(code, 3);
    assert.match(notes, /ECONNREFUSED/);
  });
});
