import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { mainProgram, missingIn, sudoersCommands, sudoersFile, workerOf } from "../../core/cli/doctor/sudoers.ts";
import { sudoersPatterns } from "../../core/plugin/sudoers.ts";

const patterns = {
  reads: ["/usr/bin/docker logs *", "/usr/bin/docker container inspect *"],
  fixes: ["/usr/bin/docker restart -t 30 *"],
};
const needs = { host: "nexus", user: "medic", privilege: "sudo", patterns, timeLimits: [20, 5, 20] } as const;

describe("the sudoers lines", () => {
  it("have each command as it is sent: what reads below timeout with each time limit, what fixes plain", () => {
    assert.deepEqual(sudoersCommands(needs), [
      "/usr/bin/timeout -s KILL 5 docker container inspect *",
      "/usr/bin/timeout -s KILL 20 docker container inspect *",
      "/usr/bin/timeout -s KILL 5 docker logs *",
      "/usr/bin/timeout -s KILL 20 docker logs *",
      "/usr/bin/docker restart -t 30 *",
    ]);
  });

  it("tell what reads from what fixes, and leave out what there is none of", () => {
    const titles = (file: string) => file.split("\n").filter((line) => line.startsWith("# nexus, "));
    assert.deepEqual(titles(sudoersFile([needs])), [
      "# nexus, what only reads, ended by its time limit:",
      "# nexus, what fixes change:",
    ]);
    const reading = sudoersFile([{ ...needs, patterns: { ...patterns, fixes: [] } }]);
    assert.deepEqual(titles(reading), ["# nexus, what only reads, ended by its time limit:"]);
    assert.doesNotMatch(reading, /restart/);
  });

  it("have both forms of what a plugin does not tell apart", () => {
    const both = sudoersPatterns(["/usr/bin/uptime"]);
    assert.deepEqual(sudoersCommands({ patterns: both, timeLimits: [20] }), [
      "/usr/bin/timeout -s KILL 20 uptime",
      "/usr/bin/uptime",
    ]);
    assert.deepEqual(sudoersPatterns(undefined), { reads: [], fixes: [] });
    assert.deepEqual(sudoersPatterns({ fixes: ["/bin/x"] }), { reads: [], fixes: ["/bin/x"] });
  });

  it("never leave the program below timeout to a wildcard", () => {
    for (const command of sudoersCommands(needs)) {
      assert.match(command, /^(\/usr\/bin\/timeout -s KILL \d+ )?(\/usr\/bin\/)?docker [a-z]/);
    }
  });

  it("keep a regular expression over all arguments", () => {
    const reads = ["/usr/bin/systemctl ^show -- wg-quick@[a-z]*\\.service$"];
    assert.deepEqual(sudoersCommands({ patterns: { reads, fixes: [] }, timeLimits: [20] }), [
      "/usr/bin/timeout ^-s KILL 20 systemctl show -- wg-quick@[a-z]*\\.service$",
    ]);
  });

  it("allow this user these commands as root, and no more", () => {
    const lines = sudoersFile([needs])
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    assert.equal(lines.length, 5);
    for (const line of lines) assert.match(line, /^medic ALL=\(root\) NOPASSWD: \/usr\/bin\/(docker|timeout) /);
  });

  it("are none for root, and none where nothing runs as root", () => {
    assert.match(sudoersFile([{ ...needs, user: "root" }]), /# nexus: Medic logs in as root and needs none\.\n$/);
    assert.match(
      sudoersFile([{ ...needs, patterns: sudoersPatterns([]) }]),
      /# nexus: its plugins run nothing as root\.\n$/,
    );
  });

  it("say that they wait for privilege: sudo", () => {
    assert.match(sudoersFile([{ ...needs, privilege: "none" }]), /They count once hosts\.nexus\.privilege is sudo/);
    assert.doesNotMatch(sudoersFile([needs]), /They count once/);
  });

  const visudo = ["/usr/sbin/visudo", "/usr/bin/visudo"].find(existsSync);
  it("are accepted by visudo", { skip: visudo === undefined && "no visudo on this machine" }, () => {
    const file = sudoersFile([needs, { ...needs, host: "b", user: "ada@example" }]);
    const { status, stderr } = spawnSync(visudo ?? "", ["-cf", "-"], { input: file, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });
});

describe("a plugin's main program", () => {
  it("is the one most of its commands are of, or none", () => {
    assert.equal(mainProgram(["/usr/bin/ss -l", "/usr/bin/docker ps", "/usr/local/bin/docker top *"]), "docker");
    assert.equal(mainProgram([]), undefined);
  });
  it("is, of a line below timeout, what stands behind it", () => {
    assert.deepEqual(sudoersCommands({ patterns, timeLimits: [5] }).map(workerOf), ["docker", "docker", "docker"]);
    assert.equal(workerOf("/usr/bin/timeout ^-s KILL 5 nginx\\.old -t$"), "nginx.old");
  });
});

describe("the listing of sudo -l", () => {
  const listing = (lines: string) => `Matching Defaults entries for medic on nexus:
    env_reset, mail_badpass, secure_path=/usr/sbin\\:/usr/bin, use_pty

User medic may run the following commands on nexus:
${lines}
`;
  const commands = sudoersCommands({ patterns, timeLimits: [20] });

  it("misses nothing when every line is there", () => {
    const all = commands.map((command) => `    (root) NOPASSWD: ${command}`).join("\n");
    assert.deepEqual(missingIn(listing(all), commands), []);
  });
  it("names what is not there", () => {
    const some = commands
      .slice(1)
      .map((command) => `    (root) NOPASSWD: ${command}`)
      .join("\n");
    assert.deepEqual(missingIn(listing(some), commands), [commands[0]]);
  });
  it("takes several commands of one line, whose tag counts for all", () => {
    assert.deepEqual(missingIn(listing(`    (root) NOPASSWD: ${commands.join(", ")}`), commands), []);
  });
  it("does not take what wants a password", () => {
    assert.deepEqual(missingIn(listing(`    (root) ${commands.join(", ")}`), commands), commands);
    assert.deepEqual(
      missingIn(listing(`    (root) NOPASSWD: /bin/x, PASSWD: ${commands.join(", ")}`), commands),
      commands,
    );
  });
  it("takes ALL without a password for everything, and with one for nothing", () => {
    assert.deepEqual(missingIn(listing("    (ALL : ALL) NOPASSWD: ALL"), commands), []);
    assert.deepEqual(missingIn(listing("    (ALL : ALL) ALL"), commands), commands);
  });
  it("does not take a longer command for a shorter one", () => {
    assert.deepEqual(missingIn(listing("    (root) NOPASSWD: /usr/bin/ss -H -ltunp"), ["/usr/bin/ss -H"]), [
      "/usr/bin/ss -H",
    ]);
  });
  it("of a user whom sudo does not know misses all", () => {
    assert.deepEqual(missingIn("sudo: a password is required\n", commands), commands);
  });
});
