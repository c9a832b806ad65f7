import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import type { Check } from "../../core/cli/doctor/check.ts";
import { exitCodeOf, reportLines } from "../../core/cli/doctor.ts";
import { diagnose, type Runs, type Ways } from "../../core/cli/doctor/host-checks.ts";
import { inspectKey, type KeyFile } from "../../core/transport/identity.ts";
import { sudoersCommands } from "../../core/cli/doctor/sudoers.ts";
import type { HostConfig } from "../../core/config/schema.ts";
import type { Command, Result } from "../../core/plugin/contract.ts";
import { TransportError, type TransportErrorKind } from "../../core/transport/errors.ts";
import { read } from "../config/reading.ts";

const nowSeconds = 1_800_000_000;

function hostOf(more = ""): HostConfig {
  const text = `hosts: { nexus: { address: 192.0.2.11, user: medic, identity: /k${more === "" ? "" : `, ${more}`} } }`;
  const host = read(text).hosts["nexus"];
  assert.ok(host !== undefined);
  return host;
}

/** A host that answers as told; what is not told is well. */
type Answers = {
  now?: number;
  uid?: number;
  groups?: string;
  without?: string;
  folder?: string;
  docker?: Partial<Result>;
  pkcheck?: number;
  sudo?: string;
  hello?: Partial<Result>;
};

const result = (more: Partial<Result> = {}): Result => ({ exit: 0, stdout: "", stderr: "", cutBytes: 0, ...more });

function healthy(answers: Answers = {}): Runs {
  return {
    async run(_host, command: Command) {
      const text = command.join(" ");
      if (text === "true") return result(answers.hello);
      if (text.includes("date +%s")) {
        const programs = command.slice(4).filter((program) => program !== answers.without);
        const lines = [
          `now ${answers.now ?? nowSeconds}`,
          `uid ${answers.uid ?? 1000}`,
          `groups ${answers.groups ?? "medic docker systemd-journal"}`,
        ];
        return result({
          stdout: [
            ...lines,
            ...programs.map((program) => `program ${program} ${answers.folder ?? "/usr/bin"}/${program}`),
            "",
          ].join("\n"),
        });
      }
      if (text.startsWith("docker version")) return result({ stdout: "28.0.1\n", ...answers.docker });
      if (text.includes("pkcheck")) return result({ exit: answers.pkcheck ?? 0 });
      if (text.includes("sudo -n -l")) return result({ stdout: answers.sudo ?? "(ALL) NOPASSWD: ALL\n" });
      throw new Error(`nobody told how to answer "${text}"`);
    },
  };
}

const failing = (kind: TransportErrorKind, message: string, offered?: string): Runs => ({
  run: () => Promise.reject(new TransportError(kind, "nexus", message, offered === undefined ? {} : { offered })),
});

const patterns = {
  reads: ["/usr/bin/journalctl *", "/usr/bin/docker logs *"],
  fixes: ["/usr/bin/docker restart -t *", "/usr/bin/systemctl restart *"],
};

const waysOf = (transport: Runs, more: Partial<Ways> = {}): Ways => ({
  transport,
  sudoersCommands: sudoersCommands({ patterns, timeLimits: [20] }),
  vital: new Map([["docker", "docker"]]),
  inspectKey: async () => ({ is: "usable" }),
  now: () => nowSeconds * 1000,
  stop: new AbortController().signal,
  ...more,
});

const examine = (host: HostConfig, answers?: Answers) => diagnose(host, waysOf(healthy(answers)));
const named = (checks: readonly Check[], name: string): Check => {
  const found = checks.find(({ check }) => check === name);
  assert.ok(found !== undefined, `no check "${name}" in ${JSON.stringify(checks)}`);
  return found;
};

describe("doctor, of a host that is well", () => {
  it("finds all well, and says what it looked at", async () => {
    const checks = await examine(hostOf("trust: disruptive"));
    assert.deepEqual(
      checks.map(({ check, ok }) => [check, ok]),
      ["key", "address", "host key", "login", "clock", "docker", "rights", "journal"].map((check) => [check, true]),
    );
  });
  it("asks nothing of docker or systemd where no plugin needs them", async () => {
    const checks = await diagnose(hostOf(), waysOf(healthy(), { sudoersCommands: [] }));
    assert.deepEqual(
      checks.map(({ check }) => check),
      ["key", "address", "host key", "login", "clock", "journal"],
    );
  });
  it("tries no login on the machine it runs on", async () => {
    const host = read("hosts: { self: { transport: local } }").hosts["self"];
    assert.ok(host !== undefined);
    assert.deepEqual(
      (await examine(host)).map(({ check }) => check),
      ["clock", "docker", "rights", "journal"],
    );
  });
});

describe("doctor, of a key", () => {
  const faults: [KeyFile, RegExp, RegExp][] = [
    [
      { is: "missing" },
      /\/k does not exist/,
      /^ssh-keygen -t ed25519 -N '' -f \/k && ssh-copy-id -i \/k\.pub medic@192\.0\.2\.11$/,
    ],
    [{ is: "unreadable", why: "EACCES" }, /cannot be read: EACCES/, /chown "\$USER" \/k && chmod 600 \/k/],
    [{ is: "locked" }, /is encrypted, and hosts\.yaml has no passphrase/, /hosts\.nexus\.passphraseFile/],
    [{ is: "wrong-passphrase" }, /passphrase does not open \/k/, /ssh-keygen -y -f \/k/],
    [{ is: "public" }, /is a public key/, /the file without \.pub/],
    [{ is: "no-key", why: "Unsupported" }, /no private key that can be used: Unsupported/, /ssh-keygen -y/],
  ];
  for (const [key, says, mend] of faults) {
    it(`that is ${key.is} says so, says what mends it, and tries no login`, async () => {
      const never: Runs = { run: () => assert.fail("a login was tried") };
      const [check, login] = await diagnose(hostOf(), waysOf(never, { inspectKey: async () => key }));
      assert.equal(check?.ok, false);
      assert.match(check?.says ?? "", says);
      assert.match(check?.mend ?? "", mend);
      assert.equal(login?.ok, "unknown");
    });
  }
  it("that others can read is wrong, and the login is tried all the same", async () => {
    const checks = await diagnose(
      hostOf(),
      waysOf(healthy(), { inspectKey: async () => ({ is: "exposed", mode: "644" }) }),
    );
    assert.equal(named(checks, "key").mend, "chmod 600 /k");
    assert.equal(named(checks, "login").ok, true);
  });
  it("quotes a path with a blank in the command that mends it", async () => {
    const host = { ...hostOf(), identity: "/a key" };
    const [check] = await diagnose(
      host,
      waysOf(healthy(), { inspectKey: async () => ({ is: "exposed", mode: "644" }) }),
    );
    assert.equal(check?.mend, "chmod 600 '/a key'");
  });
});

describe("doctor, of a login that fails", () => {
  const told = (transport: Runs, more?: string) => diagnose(hostOf(more), waysOf(transport));
  it("names the address that refuses, and the sshd to start", async () => {
    const check = named(await told(failing("DialFailed", "connect ECONNREFUSED 192.0.2.11:22")), "address");
    assert.equal(check.ok, false);
    assert.match(check.mend ?? "", /systemctl enable --now ssh/);
  });
  it("names the name that does not resolve", async () => {
    assert.match(
      named(await told(failing("DialFailed", "getaddrinfo ENOTFOUND nexus")), "address").mend ?? "",
      /hosts\.nexus\.address/,
    );
  });
  it("names the host that does not answer in time", async () => {
    assert.match(
      named(await told(failing("DialTimeout", "no handshake")), "address").mend ?? "",
      /^ping -c 3 192\.0\.2\.11; then ssh -v -p 22 medic@/,
    );
  });
  it("shows the fingerprint a host offered, as the line for hosts.yaml", async () => {
    const offered = `SHA256:${"b".repeat(43)}`;
    const checks = await told(failing("HostKeyMismatch", `its host key "${offered}" is not known`, offered));
    assert.equal(named(checks, "address").ok, true);
    assert.equal(named(checks, "host key").ok, false);
    assert.match(named(checks, "host key").mend ?? "", new RegExp(`hostKey: ${offered}$`));
  });
  it("shows the ssh-copy-id line when the host refuses the key", async () => {
    const checks = await told(failing("AuthenticationFailed", "refused"), "port: 2222");
    assert.deepEqual(
      checks.map(({ check, ok }) => [check, ok]),
      [
        ["key", true],
        ["address", true],
        ["host key", true],
        ["login", false],
      ],
    );
    assert.equal(named(checks, "login").mend, "ssh-copy-id -i /k.pub -p 2222 medic@192.0.2.11");
  });
  it("tells a refused channel from a refused login", async () => {
    const checks = await told(failing("ChannelRefused", "open failed"));
    assert.equal(named(checks, "login").ok, true);
    assert.match(named(checks, "commands").mend ?? "", /MaxSessions/);
  });
  for (const kind of ["ConnectionLost", "CommandTimeout", "QueueTimeout", "Aborted", "Closed"] as const) {
    it(`could not find out when there was ${kind}`, async () => {
      assert.equal(exitCodeOf(await told(failing(kind, "gone"))), 3);
    });
  }
  it("gives up on a host that never answers, and tells the transport", async () => {
    let aborted = false;
    const wedged: Runs = {
      run: (_host, _command, { signal }) =>
        new Promise(() => signal.addEventListener("abort", () => void (aborted = true), { once: true })),
    };
    const checks = await diagnose(hostOf(), waysOf(wedged, { probeSeconds: 0.02 }));
    assert.match(named(checks, "commands").says, /did not answer within 0\.02 s/);
    assert.equal(exitCodeOf(checks), 3);
    assert.ok(aborted);
  });
});

describe("doctor, on the host", () => {
  it("misses timeout, and stops there", async () => {
    const checks = await examine(hostOf(), { hello: { exit: 127, stderr: "sh: 1: exec: timeout: not found" } });
    assert.equal(named(checks, "timeout").ok, false);
    assert.equal(checks.at(-1)?.check, "timeout");
  });
  for (const [there, ok] of [
    [nowSeconds + 5, true],
    [nowSeconds - 6, true],
    [nowSeconds + 6, false],
    [nowSeconds - 7, false],
  ] as const) {
    it(`a clock ${there - nowSeconds} s off is ${ok ? "near enough" : "wrong"}`, async () => {
      const clock = named(await examine(hostOf(), { now: there }), "clock");
      assert.equal(clock.ok, ok, clock.says);
      if (!ok) assert.match(clock.mend ?? "", /timedatectl set-ntp true/);
    });
  }
  it("does not blame the clock for a slow answer", async () => {
    let at = nowSeconds * 1000;
    const slow = { now: () => (at += 10_000) };
    const checks = await diagnose(hostOf(), waysOf(healthy({ now: nowSeconds + 15 }), slow));
    assert.equal(named(checks, "clock").ok, true);
  });
  it("misses docker", async () => {
    const checks = await examine(hostOf(), { without: "docker" });
    assert.equal(named(checks, "docker").ok, false);
    assert.match(named(checks, "docker").says, /is not there, and plugin docker needs it/);
    assert.match(named(checks, "docker").mend ?? "", /install docker; or take docker out of hosts\.nexus\.plugins/);
  });
  it("does not call a host wrong for a program that its plugins can do without", async () => {
    const checks = await examine(hostOf(), { without: "systemctl" });
    assert.equal(named(checks, "systemctl").ok, true);
    assert.match(named(checks, "systemctl").says, /is not there: tools that ask it will say "unavailable"/);
  });
  it("looks at no journal where there is none", async () => {
    const checks = await examine(hostOf(), { without: "journalctl", groups: "medic docker" });
    assert.ok(!checks.some(({ check }) => check === "journal"));
  });
  it("names the group when the docker socket is not for this user", async () => {
    const docker = { exit: 1, stderr: "permission denied while trying to connect to the Docker daemon socket" };
    const check = named(await examine(hostOf(), { docker, groups: "medic" }), "docker");
    assert.match(check.says, /medic is not in the group docker/);
    assert.match(check.mend ?? "", /sudo usermod -aG docker medic/);
  });
  it("names the daemon when it does not run", async () => {
    const docker = {
      exit: 1,
      stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    };
    assert.match(named(await examine(hostOf(), { docker }), "docker").mend ?? "", /systemctl enable --now docker/);
  });
  it("names the group when journals are not for this user", async () => {
    const check = named(await examine(hostOf(), { groups: "medic docker" }), "journal");
    assert.equal(check.ok, false);
    assert.match(check.mend ?? "", /usermod -aG systemd-journal medic/);
    assert.equal(named(await examine(hostOf(), { groups: "adm" }), "journal").ok, true);
  });
  it("wants no right to restart units while trust is observe", async () => {
    assert.equal(named(await examine(hostOf(), { pkcheck: 1 }), "rights").ok, true);
  });
  it("wants polkit or sudo when fixes may run", async () => {
    const host = hostOf("trust: disruptive");
    assert.equal(named(await examine(host, { without: "pkcheck" }), "rights").ok, false);
    assert.match(
      named(await examine(host, { without: "pkcheck" }), "rights").mend ?? "",
      /privilege: sudo.*medic doctor nexus --sudoers/,
    );
    assert.equal(named(await examine(host, { pkcheck: 1 }), "rights").ok, "unknown");
    assert.equal(named(await examine(host, { pkcheck: 0 }), "rights").ok, true);
  });
  it("asks root for nothing more", async () => {
    const checks = await examine(hostOf("trust: disruptive"), { uid: 0, groups: "root" });
    assert.deepEqual(
      checks.slice(4).map(({ check, ok, says }) => [check, ok, says]),
      [
        ["clock", true, "agrees with this machine's"],
        ["rights", true, "root"],
      ],
    );
  });
  it("with privilege: sudo looks at what sudo allows, and at no group but the journal's", async () => {
    const host = hostOf("privilege: sudo");
    assert.deepEqual(
      (await examine(host, { groups: "medic" })).slice(5).map(({ check, ok }) => [check, ok]),
      [
        ["sudo", true],
        ["journal", false],
      ],
    );
    const refused = named(await examine(host, { sudo: "sudo: a password is required" }), "sudo");
    assert.match(refused.says, /of 4 commands allowed: none, like \/usr\/bin\/timeout -s KILL 20 docker logs \*/);
    assert.match(refused.mend ?? "", /medic doctor nexus --sudoers > medic\.sudoers/);
    assert.match(named(await examine(host, { without: "sudo" }), "sudo").says, /there is no sudo/);
  });
  it("compares what sudo allows with where the programs are", async () => {
    const host = hostOf("privilege: sudo");
    const listing = (folder: string) =>
      sudoersCommands({ patterns, timeLimits: [20] })
        .map((command) => (command.includes("/timeout ") ? command : command.replace("/usr/bin", folder)))
        .map((command) => `(root) NOPASSWD: ${command}`)
        .join("\n");
    const elsewhere = { folder: "/usr/local/bin" };
    const wrong = named(await examine(host, { ...elsewhere, sudo: listing("/usr/bin") }), "sudo");
    assert.equal(wrong.ok, false);
    assert.match(wrong.mend ?? "", /with \/usr\/local\/bin\/docker, .* for the paths there$/);
    assert.equal(named(await examine(host, { ...elsewhere, sudo: listing("/usr/local/bin") }), "sudo").ok, true);
    assert.equal(named(await examine(host, { folder: "/bin", sudo: listing("/usr/bin") }), "sudo").ok, true);
  });
  it("could not find out when the host answers nonsense", async () => {
    const nonsense: Runs = { run: async () => result({ stdout: "Welcome to BusyBox" }) };
    const checks = await diagnose(hostOf(), waysOf(nonsense));
    assert.equal(named(checks, "host").ok, "unknown");
  });
});

describe("doctor's answer", () => {
  const check = (ok: Check["ok"], more: Partial<Check> = {}): Check => ({
    host: "nexus",
    check: "key",
    ok,
    says: "s",
    ...more,
  });
  it("is 0 when all is well, 1 when something is wrong, 3 when something could not be found out", () => {
    assert.equal(exitCodeOf([check(true)]), 0);
    assert.equal(exitCodeOf([check(true), check(false), check("unknown")]), 1);
    assert.equal(exitCodeOf([check(true), check("unknown")]), 3);
  });
  it("has a paragraph per host, and below each fault what mends it", () => {
    const lines = reportLines(
      [hostOf()],
      [check(true), check(false, { check: "login", says: "refused", mend: "ssh-copy-id x" })],
      {
        paint: (_colour, text) => text,
      },
    );
    assert.deepEqual(lines, [
      "nexus (medic@192.0.2.11)",
      "  ok     key    s",
      "  wrong  login  refused",
      "                → ssh-copy-id x",
      "",
      "1 wrong, 0 could not be found out.",
    ]);
  });
});

describe("a key file", () => {
  let folder = "";
  before(async () => void (folder = await mkdtemp(join(tmpdir(), "medic-key-"))));
  after(() => rm(folder, { recursive: true }));
  const file = async (content: string, mode = 0o600): Promise<string> => {
    const path = join(folder, "key");
    await writeFile(path, content);
    await chmod(path, mode);
    return path;
  };
  const plain = generateKeyPair();
  const locked = generateKeyPair({ passphrase: "right", cipher: "aes256-ctr", rounds: 16 });

  it("is usable when only its owner can read it, and exposed when others can", async () => {
    assert.deepEqual(await inspectKey(await file(plain.private), undefined), { is: "usable" });
    assert.deepEqual(await inspectKey(await file(plain.private, 0o640), undefined), { is: "exposed", mode: "640" });
  });
  it("that is encrypted opens with its passphrase only", async () => {
    const path = await file(locked.private);
    assert.deepEqual(await inspectKey(path, "right"), { is: "usable" });
    assert.deepEqual(await inspectKey(path, undefined), { is: "locked" });
    assert.deepEqual(await inspectKey(path, "wrong"), { is: "wrong-passphrase" });
  });
  it("may be missing, a public key, a folder or nothing of the kind", async () => {
    assert.deepEqual(await inspectKey(join(folder, "none"), undefined), { is: "missing" });
    assert.deepEqual(await inspectKey(await file(plain.public), undefined), { is: "public" });
    assert.equal((await inspectKey(folder, undefined)).is, "unreadable");
    assert.equal((await inspectKey(await file("hello"), undefined)).is, "no-key");
  });
});
