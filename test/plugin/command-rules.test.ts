import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endlessProblems, mutatingProblems } from "../../core/plugin/command-rules.ts";
import { type Command, script } from "../../core/plugin/contract.ts";
import { simpleCommands } from "../../core/plugin/shell-text.ts";

const words = (text: string): string[] => simpleCommands(text).map((one) => one.words.join(" "));

describe("the simple commands of a script", () => {
  it("are found behind lists, pipes, conditions and privilege", () => {
    const text = 'if [ -e "$1" ]; then root cat "$1" | head -n 1; else LANG=C exec ls; fi && ! true';
    assert.deepEqual(words(text), ["[ -e $1 ]", "cat $1", "head -n 1", "ls", "fi", "true"]);
  });

  it("are found in substitutions, also within quotes and within each other", () => {
    assert.deepEqual(words('echo "a $(one "$(two)") b" `three`'), ["two", "one $(two)", "three", "echo a $(one \"$(two)\") b $()"]); // prettier-ignore
  });

  it("are not found in texts and comments", () => {
    assert.deepEqual(words("awk '{ rm -rf / }' # reboot\necho \"a;b\" a\\;b"), ["awk { rm -rf / }", "echo a;b a;b"]);
  });

  it("tell which files they write", () => {
    const written = (text: string): string[] => simpleCommands(text).flatMap(({ writes }) => writes);
    assert.deepEqual(written("a >x 2>>y 2>&1 >/dev/null <z"), ["x", "y", "&1", "/dev/null"]);
  });
});

describe("commands without an end", () => {
  const endless: readonly Command[] = [
    ["docker", "stats"],
    ["docker", "container", "wait", "web"],
    ["dmesg", "-w"],
    ["top", "-b"],
    ["tcpdump", "-i", "eth0"],
    ["watch", "date"],
    script('sleep "$1"', "600"),
    script("sleep $unknown"),
    script("echo $(journalctl -f)"),
  ];
  for (const command of endless) {
    it(`are found: ${command.join(" ")}`, () => assert.equal(endlessProblems(command).length, 1));
  }

  const ending: readonly Command[] = [
    ["docker", "stats", "--no-stream"],
    ["docker", "logs", "--tail", "5", "wait"],
    ["dmesg"],
    ["top", "-b", "-n", "1"],
    script('sleep "$1"', "5"),
    ["root", "journalctl", "-n", "5", "-o", "short-full"],
  ];
  for (const command of ending) {
    it(`are told from those with one: ${command.join(" ")}`, () => assert.deepEqual(endlessProblems(command), []));
  }
});

describe("commands that change a host", () => {
  const changing: readonly Command[] = [
    ["root", "docker", "restart", "--", "web"],
    ["docker", "system", "prune", "-f"],
    ["docker", "compose", "-f", "x.yaml", "up", "-d"],
    ["docker", "exec", "-i", "web", "rm", "-rf", "/data"],
    ["/usr/bin/systemctl", "restart", "--", "caddy.service"],
    ["journalctl", "--vacuum-size=100M"],
    ["sed", "-i", "s/a/b/", "/etc/x"],
    ["find", "/tmp", "-name", "x", "-delete"],
    ["find", "/tmp", "-exec", "rm", "{}", ";"],
    ["curl", "-X", "POST", "http://localhost/"],
    ["sysctl", "-w", "vm.swappiness=1"],
    ["ip", "link", "set", "eth0", "down"],
    ["timeout", "5", "kill", "1"],
    script("ls | xargs rm"),
    script('[ -e x ] || root touch "$1"', "/tmp/x"),
    script("echo 1 >/proc/sys/vm/drop_caches"),
    script('echo "$(reboot)"'),
  ];
  for (const command of changing) {
    it(`are found: ${command.join(" ")}`, () => assert.equal(mutatingProblems(command).length, 1));
  }

  const reading: readonly Command[] = [
    ["root", "docker", "container", "inspect", "--", "restart"],
    ["docker", "logs", "--tail", "5", "start"],
    ["docker", "exec", "web", "cat", "/etc/os-release"],
    ["docker", "compose", "ps"],
    ["systemctl", "show", "-p", "ActiveState", "--", "restart.service"],
    ["systemctl", "list-units", "--failed"],
    ["journalctl", "--disk-usage"],
    ["sed", "-n", "1,5p", "/etc/x"],
    ["find", "/tmp", "-exec", "stat", "{}", ";"],
    ["curl", "-sS", "-o", "/dev/null", "http://localhost/"],
    ["sysctl", "vm.swappiness"],
    ["ip", "-s", "link"],
    ["dmesg", "--level", "err"],
    script("grep -rm 1 reboot /var/log 2>/dev/null >&2"),
    script("awk '{ print > \"/dev/null\" }' /proc/meminfo"),
  ];
  for (const command of reading) {
    it(`are told from those that read: ${command.join(" ")}`, () => assert.deepEqual(mutatingProblems(command), []));
  }
});
