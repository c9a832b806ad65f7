// `medic init` from an empty folder to a Medic that works, in front of the sandbox's host; and what it refuses.
import assert from "node:assert/strict";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { createOutput, type Context } from "../../core/cli/context.ts";
import { hostsText } from "../../core/cli/init/hosts-file.ts";
import { surveyOf } from "../../core/cli/init/survey.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { createSandbox } from "../../core/sandbox/sandbox.ts";
import { Collector } from "../support/scenario.ts";
import { startSshServer } from "../support/ssh-server.ts";

/** A person's home with the sandbox's key in it. `answers`: what the person says; without them nobody can be asked. */
async function stage() {
  const sandbox = await createSandbox();
  const home = mkdtempSync(join(tmpdir(), "medic-init-"));
  mkdirSync(join(home, ".ssh"));
  copyFileSync(sandbox.identity, join(home, ".ssh", "id_ed25519"));
  const medic = async (args: readonly string[], answers?: Record<string, string>) => {
    const [stdout, stderr] = [new Collector(), new Collector()];
    const asked: string[] = [];
    const ask: Context["ask"] = (question) => {
      asked.push(question);
      const said = Object.entries(answers ?? {}).find(([begin]) => question.startsWith(begin))?.[1] ?? "";
      // Said once.
      if (question.startsWith("Another") && asked.filter((one) => one === question).length > 1)
        return Promise.resolve("");
      return Promise.resolve(said);
    };
    const out = createOutput({ stdout, stderr } as never, {});
    const context: Context = { env: { USER: "medic" }, home, folder: home, out, stop: new AbortController().signal };
    const code = await runMedic(args, answers === undefined ? context : { ...context, ask });
    return { code, stdout: stdout.text, stderr: stderr.text, asked };
  };
  return {
    sandbox,
    home,
    medic,
    named: `nexus=${sandbox.user}@${sandbox.address}:${sandbox.port}`,
    text: () => readFileSync(join(home, "hosts.yaml"), "utf8"),
    isEmpty: () => !existsSync(join(home, "hosts.yaml")) && !existsSync(join(home, "alertmanager.token")),
    async [Symbol.asyncDispose]() {
      await sandbox.close();
      rmSync(home, { recursive: true });
    },
  };
}

describe("medic init", () => {
  it("meets a host over one connection a step, writes what it found, and doctor is all green", async () => {
    await using world = await stage();
    const { code, stdout } = await world.medic(["init", "--host", world.named, "--yes", "--listen", "127.0.0.1:0"]);
    assert.equal(code, 0, stdout);
    assert.ok(stdout.includes(`${world.sandbox.hostKey} (ssh-ed25519)`), stdout);
    assert.match(stdout, /nexus: docker \(4 containers\), Scrypted/);
    // One connection asked for the key and did not log in, the other did all the rest.
    assert.deepEqual([world.sandbox.counts().accepted, world.sandbox.counts().authenticated], [2, 1]);
    const text = world.text();
    assert.ok(text.includes(`hostKey: ${world.sandbox.hostKey}`));
    assert.match(text, /identity: ~\/\.ssh\/id_ed25519/);
    assert.match(text, /privilege: sudo\n {4}trust: observe/);
    assert.match(text, /docker: \{\} # 4 containers\n {6}scrypted: \{ container: scrypted \}/);
    const doctor = await world.medic(["doctor"]);
    assert.equal(doctor.code, 0, doctor.stdout);
    assert.match(doctor.stdout, /All is well\./);

    const tokenFile = join(world.home, "alertmanager.token");
    const token = readFileSync(tokenFile, "utf8").trim();
    assert.equal(statSync(tokenFile).mode & 0o777, 0o600);
    assert.ok(text.includes(createHash("sha256").update(token).digest("hex")));
    assert.ok(!text.includes(token) && !stdout.includes(token));
    assert.ok(stdout.includes(`http_config: { authorization: { credentials_file: ${tokenFile} } }`));
  });

  it("asks a person for hosts and for each key, and takes nothing that was not agreed to", async () => {
    await using world = await stage();
    const { sandbox, home } = world;
    writeFileSync(
      join(home, ".ssh", "config"),
      `Host nexus\n  HostName ${sandbox.address}\n  Port ${sandbox.port}\n  User ${sandbox.user}\nHost github.com\n  User git\n`,
    );
    const no = await world.medic(["init"], { "Which of them": "nexus", "Is it the same": "n" });
    assert.equal(no.code, 1);
    assert.match(no.stdout, /nexus is left out: its key was not agreed to/);
    assert.equal(sandbox.counts().authenticated, 0);
    assert.ok(world.isEmpty());

    const yes = await world.medic(["init"], { "Which of them": "nexus", "Is it the same": "yes" });
    assert.equal(yes.code, 0, yes.stdout + yes.stderr);
    assert.match(yes.stderr, /~\/\.ssh\/config names nexus, github\.com/);
    assert.deepEqual(
      yes.asked.map((question) => question.split(/[ ?]/)[0]),
      ["Which", "Another", "Look", "Is"],
    );
    assert.match(world.text(), /\n {2}nexus:\n/);
    assert.doesNotMatch(world.text(), /github|\n {2}self:/);
  });

  it("takes all hosts of ~/.ssh/config and this machine by options, and leaves out who cannot be reached", async () => {
    await using world = await stage();
    const { sandbox, home } = world;
    writeFileSync(
      join(home, ".ssh", "config"),
      `Host nexus\n  HostName ${sandbox.address}\n  Port ${sandbox.port}\n  User ${sandbox.user}\nHost gone\n  HostName 127.0.0.1\n  Port 1\nHost behind\n  ProxyJump gone\n`,
    );
    const told = await world.medic(["init", "--from-ssh-config", "--self", "--yes", "--json"]);
    assert.equal(told.code, 1, told.stderr);
    const answer = JSON.parse(told.stdout) as { hosts: { host: string }[]; leftOut: { host: string; why: string }[] };
    assert.deepEqual(
      answer.hosts.map(({ host }) => host),
      ["nexus", "self"],
    );
    const [gone, behind] = answer.leftOut;
    assert.match(gone?.why ?? "", /ECONNREFUSED/);
    assert.match(behind?.why ?? "", /the way to it leads through "gone", which is left out/);
    assert.match(world.text(), /\n {2}self:\n {4}transport: local\n/);
    assert.equal((await world.medic(["config", "check"])).code, 0);
  });

  it("takes the name self for this machine once: as it is, or as a host like any other", async () => {
    await using world = await stage();
    const named = world.named.replace("nexus=", "self=");
    const both = await world.medic(["init", "--self", "--host", named, "--yes"]);
    assert.equal(both.code, 0, both.stdout);
    assert.match(both.stderr, /"self" is named twice/);
    assert.match(world.text(), /\n {2}self:\n {4}transport: local\n/);
    const host = await world.medic(["init", "--host", named, "--yes", "--force"]);
    assert.equal(host.code, 0, host.stdout);
    assert.match(world.text(), /\n {2}self:\n {4}address: 127\.0\.0\.1\n/);
  });

  it("writes a name down so that it is read as that name, and not as a number", async () => {
    await using at = await stage();
    for (const name of ["1e3", "1.50", "0x10", "null"]) {
      const host = at.named.replace("nexus", name);
      const { code, stdout, stderr } = await at.medic(["init", "--yes", "--force", "--host", host]);
      assert.equal(code, 0, stdout + stderr);
      const checked = await at.medic(["config", "check", "--json"]);
      const { config } = JSON.parse(checked.stdout) as { config: { hosts: object } };
      assert.deepEqual(Object.keys(config.hosts), [name]);
    }
  });

  it("writes settings that the service's user can read, and a token that nobody else can, whatever the umask", async () => {
    await using at = await stage();
    const before = process.umask(0o077);
    try {
      assert.equal((await at.medic(["init", "--yes", "--host", at.named])).code, 0);
    } finally {
      process.umask(before);
    }
    assert.equal(statSync(join(at.home, "hosts.yaml")).mode & 0o777, 0o644);
    assert.equal(statSync(join(at.home, "alertmanager.token")).mode & 0o777, 0o600);
  });

  it("overwrites neither file without --force, and asks nobody before it knows that it may write", async () => {
    await using world = await stage();
    for (const name of ["hosts.yaml", "alertmanager.token"]) {
      writeFileSync(join(world.home, name), "mine");
      const refused = await world.medic(["init", "--host", world.named, "--yes"]);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, new RegExp(`${name}": it is there already`));
      assert.equal(readFileSync(join(world.home, name), "utf8"), "mine");
      assert.equal(world.sandbox.counts().accepted, 0);
      if (name === "hosts.yaml") rmSync(join(world.home, name));
    }
    const forced = await world.medic(["init", "--host", world.named, "--yes", "--force"]);
    assert.equal(forced.code, 0, forced.stderr);
    assert.equal(statSync(join(world.home, "alertmanager.token")).mode & 0o777, 0o600);
  });

  it("pins no key that is not the one known_hosts has, whatever --yes says", async () => {
    await using world = await stage();
    const other = await startSshServer();
    const { address, port } = world.sandbox;
    appendFileSync(join(world.home, ".ssh", "known_hosts"), `[${address}]:${port} ${other.hostKey.public}\n`);
    await other.close();
    const { code, stdout } = await world.medic(["init", "--host", world.named, "--yes"]);
    assert.equal(code, 1);
    assert.match(stdout, /nexus is left out: .*known_hosts has another key of it.*ssh-keygen -R/);
    assert.equal(world.sandbox.counts().authenticated, 0);
    assert.ok(world.isEmpty());
  });

  it("leaves out a host that does not let Medic in, with the reason", async () => {
    await using world = await stage();
    const stranger = await startSshServer({ authorized: [] });
    const { code, stdout } = await world.medic(["init", "--host", `medic@127.0.0.1:${stranger.port}`, "--yes"]);
    await stranger.close();
    assert.equal(code, 1);
    assert.match(stdout, /127\.0\.0\.1 is left out: .*log in|127\.0\.0\.1 is left out: .*key/i);
    assert.ok(world.isEmpty());
  });

  it("says what to name when nothing is named, nobody can be asked, or a name makes no sense", async () => {
    await using world = await stage();
    const nobody = await world.medic(["init"]);
    assert.deepEqual([nobody.code, nobody.stderr.includes("--from-ssh-config")], [2, true]);
    const nothing = await world.medic(["init"], {});
    assert.match(nothing.stderr, /no host was named/);
    for (const bad of ["a b", "user@", "x=y=z", "[::1]", "host:port", "-oProxyCommand=x@host"]) {
      const told = await world.medic(["init", "--yes", `--host=${bad}`]);
      assert.equal(told.code, 2, bad);
      assert.match(told.stderr, /Cannot read the host/);
    }
    const unsure = await world.medic(["init", "--host", world.named]);
    assert.equal(unsure.code, 2);
    assert.match(unsure.stderr, /without a person's word: run it on a terminal, or add --yes/);
    const listen = await world.medic(["init", "--host", world.named, "--yes", "--listen", "nowhere"]);
    assert.equal(listen.code, 2);
    assert.match(listen.stderr, /server\.listen: expected an address and a port/);
    assert.ok(world.isEmpty());
  });
});

describe("what a host says of itself", () => {
  const of = (text: string) => surveyOf({ stdout: text });
  it("is read with its units and containers, at most twenty units", () => {
    const units = Array.from({ length: 25 }, (_, index) => `unit own-${index}.service`).join("\n");
    const survey = of(
      `uid 0\ndocker direct\nsystemd yes\n${units}\n--medic:containers\nghcr.io/koush/scrypted:v0.9 cams\nredis cache\n`,
    );
    assert.deepEqual(
      { ...survey, units: survey?.units.length },
      {
        isRoot: true,
        hasSudo: false,
        docker: "direct",
        containers: 2,
        systemd: true,
        units: 20,
        scrypted: { container: "cams" },
      },
    );
    assert.equal(of("uid 1000\nsystemd yes\nscrypted unit\n")?.scrypted, "unit");
    const linked = of("uid 0\n--medic:containers\nghcr.io/koush/scrypted nginx/scrypted,cams\n");
    assert.deepEqual(linked?.scrypted, { container: "cams" });
    assert.equal(of("uid 1000\ndocker denied\n")?.docker, "denied");
  });

  it("is written down so that no name of that host ends a line of hosts.yaml", () => {
    const survey = of("uid 0\nsystemd yes\nunit a],b.service\n--medic:containers\nscrypted x}y\n");
    assert.ok(survey !== undefined);
    const written = {
      listen: "127.0.0.1:1",
      data: undefined,
      tokenFile: "/t",
      sha256: "",
      hosts: [{ name: "x", survey }],
    };
    const { hosts } = parse(hostsText(written)) as { hosts: { x: { plugins: object } } };
    assert.deepEqual(hosts.x.plugins, {
      systemd: { units: ["a],b.service"] },
      scrypted: { container: "x}y" },
    });
  });

  it("is no answer when it is another one", () => {
    assert.equal(of("PTY allocation request failed\n"), undefined);
    assert.equal(of("uid medic\n"), undefined);
    // A container's name cannot pass for a fact.
    assert.equal(of("uid 1000\n--medic:containers\nx uid\nsudo yes\n")?.hasSudo, false);
  });
});
