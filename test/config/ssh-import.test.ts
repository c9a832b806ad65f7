import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseSshConfig } from "../../core/config/ssh-config.ts";
import { importHosts, type Imported } from "../../core/config/ssh-import.ts";
import { callMedic } from "../support/scenario.ts";
import { read } from "./reading.ts";

type Around = { names?: string[]; includes?: Record<string, string[]>; keys?: string[] };

const imported = (text: string, { names = [], includes = {}, keys = ["~/.ssh/id_ed25519"] }: Around = {}): Imported =>
  importHosts(
    parseSshConfig(text, (pattern) => includes[pattern] ?? []),
    names,
    { user: "ada", exists: (path) => keys.includes(path) },
  );

describe("import from ~/.ssh/config", () => {
  it("takes address, port, user and key, the first value of each", () => {
    const { hosts, notes } = imported(`
      # the camera server
      Host nexus nas
        HostName=%h.lan
        Port 2222
        User medic
        User other
        IdentityFile "~/.ssh/my key"
      Host *
        User everyone
        Port 22
        IdentityFile ~/.ssh/all
    `);
    const entry = (address: string) => ({ address, port: 2222, user: "medic", identity: "~/.ssh/my key" });
    assert.deepEqual(hosts, { nexus: entry("nexus.lan"), nas: entry("nas.lan") });
    assert.deepEqual(notes, []);
  });

  it("applies patterns and exceptions, and makes no host of them", () => {
    const { hosts } = imported("Host *.lan !old.lan\n  User lan\nHost a.lan\nHost old.lan\n");
    assert.equal(hosts["a.lan"]?.user, "lan");
    assert.equal(hosts["old.lan"]?.user, "ada");
    assert.deepEqual(Object.keys(hosts), ["a.lan", "old.lan"]);
  });

  it("imports a named host that only a pattern is for, and tells of one that nothing is for", () => {
    const { hosts, notes } = imported("Host *.lan\n  User lan\nHost *\n  Port 2222\n", { names: ["b.lan", "web"] });
    assert.deepEqual(hosts, { "b.lan": { address: "b.lan", port: 2222, user: "lan", identity: "~/.ssh/id_ed25519" } });
    assert.deepEqual(notes, ['"web" is left out: no Host line is for it']);
  });

  it("makes hosts of what ProxyJump names, chains too", () => {
    const { hosts } = imported("Host inner\n  ProxyJump bastion,admin@gate:2200\nHost bastion\n  HostName 192.0.2.1\n");
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(hosts).map(([name, { address, user, port, jump }]) => [name, [address, user, port, jump]]),
      ),
      {
        bastion: ["192.0.2.1", "ada", undefined, undefined],
        gate: ["gate", "admin", 2200, "bastion"],
        inner: ["inner", "ada", undefined, "gate"],
      },
    );
  });

  it("leaves a ProxyJump that leads in a circle out, and says so", () => {
    const { hosts, notes } = imported("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n");
    assert.ok(Object.values(hosts).some(({ jump }) => jump === undefined));
    assert.match(notes.join("\n"), /leads back to itself/);
    assert.doesNotThrow(() => read(JSON.stringify({ hosts })));
  });

  it("follows Include where it stands, and not for ever", () => {
    const includes = { "conf.d/*": ["User included\nHost other\n  User second\n"], loop: ["Include loop\n"] };
    const { hosts, notes } = imported("Include loop\nHost nexus\n  Include conf.d/*\n  Port 2222\n", { includes });
    assert.deepEqual([hosts["nexus"]?.user, hosts["nexus"]?.port], ["included", 2222]);
    assert.deepEqual([hosts["other"]?.user, hosts["other"]?.port], ["second", undefined]);
    assert.match(notes.join("\n"), /nested too deeply/);
  });

  it("leaves Match and what would be run out, and says so", () => {
    const { hosts, notes } = imported(
      'Host nexus\n  ProxyCommand nc %h %p\nMatch exec "touch /tmp/gotcha"\n  User evil\nHost n@s\n',
    );
    assert.equal(hosts["nexus"]?.user, "ada");
    assert.deepEqual(notes, [
      '"Match exec "touch /tmp/gotcha"" is left out with all it says',
      '"nexus": ProxyCommand has no counterpart and is left out',
      '"n@s" is left out: hosts.yaml allows letters, digits, dots, dashes and underscores in a name',
    ]);
  });

  it("takes one of ssh's own keys where none is named, else the agent", () => {
    assert.equal(imported("Host nexus\n", { keys: ["~/.ssh/id_rsa"] }).hosts["nexus"]?.identity, "~/.ssh/id_rsa");
    const { hosts, notes } = imported("Host nexus\n", { keys: [] });
    assert.deepEqual(hosts["nexus"], { address: "nexus", user: "ada", agent: true });
    assert.match(notes.join(), /a guess/);
    assert.equal(imported("Host nexus\n  IdentityFile ~/.ssh/token.pub\n").hosts["nexus"]?.agent, true);
  });
});

describe("medic config import", () => {
  it("prints entries that hosts.yaml takes as they are", async () => {
    const home = mkdtempSync(join(tmpdir(), "medic-import-"));
    try {
      mkdirSync(join(home, ".ssh", "conf.d"), { recursive: true });
      writeFileSync(join(home, ".ssh", "config"), "Include conf.d/*\nHost nas\n  User root\n");
      writeFileSync(
        join(home, ".ssh", "conf.d", "one"),
        "Host nexus\n  HostName 192.0.2.11\n  User medic\n  IdentityFile ~/.ssh/medic\n  ProxyJump nas\n",
      );
      const call = (...args: string[]) => callMedic(home, ["config", "import", ...args], new AbortController().signal);
      const { code, stdout, stderr } = await call();
      assert.equal(code, 0);
      const { hosts } = read(stdout);
      assert.deepEqual(
        [hosts["nexus"]?.address, hosts["nexus"]?.jump, hosts["nas"]?.agent],
        ["192.0.2.11", "nas", true],
      );
      assert.match(stderr, /medic trust HOST/);
      const two = JSON.parse((await call("nexus", "nas", "--json")).stdout) as Imported;
      assert.deepEqual(Object.keys(two.hosts).toSorted(), ["nas", "nexus"]);
      assert.equal((await call("web")).code, 1);
      const missing = await call("--file", "none");
      assert.equal(missing.code, 2);
      assert.match(missing.stderr, /Cannot import hosts: ".*none" cannot be read/);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
