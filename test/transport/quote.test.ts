import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { script, type Command } from "../../core/plugin/contract.ts";
import { CommandRefused, quote, render } from "../../core/transport/quote.ts";

const plain = { privilege: "none" } as const;
const sudo = { privilege: "sudo" } as const;

function shell(line: string): string {
  return spawnSync("/bin/sh", ["-c", line], { encoding: "utf8" }).stdout;
}

const hostile = [
  "x; reboot",
  "$(reboot)",
  "`reboot`",
  "a\nb\n",
  "it's",
  '"quoted"',
  "--flag",
  "-n",
  "\\",
  "ends with \\",
  "\\'",
  "'\\''",
  "*",
  "~",
  "$HOME",
  "!!",
  "#no comment",
  "a=b",
  "",
  " ",
  "\t",
  "\r\n",
  "é😀",
  "{a,b}",
  "&& true",
  "<in >out",
  "%s%n",
];

describe("render", () => {
  it("leaves plain words plain", () => {
    assert.equal(render(["docker", "ps", "-a"], plain), "exec docker ps -a </dev/null");
  });

  it("gives each hostile argument back byte for byte from a real shell", () => {
    const line = render(["printf", "%s\\0", ...hostile], plain);
    assert.deepEqual(shell(line).split("\0").slice(0, -1), hostile);
  });

  it("gives any argument back byte for byte from a real shell", () => {
    const word = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.string({ unit: fc.constantFrom("'", "\\", '"', "$", "`", "\n", " ", "a", "!", "-"), maxLength: 20 }),
      fc.constantFrom(...hostile),
    );
    const words = fc.array(
      word.filter((text) => !text.includes("\0") && text.isWellFormed()),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(words, (args) => {
        const direct = shell(render(["printf", "%s\\0", ...args], plain));
        assert.deepEqual(direct.split("\0").slice(0, -1), args);
        const scripted = shell(render(script('printf "%s\\0" "$@"', ...args), { ...plain, killAfterSeconds: 5 }));
        assert.deepEqual(scripted.split("\0").slice(0, -1), args);
      }),
      { numRuns: 60 },
    );
  });

  it("gives arguments back through two shells, as a login shell that starts another would", () => {
    const line = render(["sh", "-c", 'printf "%s\\0" "$@"', "medic", ...hostile], plain);
    assert.deepEqual(
      shell(`sh -c ${quote(line)}`)
        .split("\0")
        .slice(0, -1),
      hostile,
    );
  });

  it("puts the limit of what only reads on the host, inside sudo", () => {
    const limited = { killAfterSeconds: 20 };
    assert.equal(
      render(["root", "docker", "ps"], { ...sudo, ...limited }),
      "exec sudo -n timeout -s KILL 20 docker ps </dev/null",
    );
    assert.equal(
      render(["root", "docker", "ps"], { ...plain, ...limited }),
      "exec timeout -s KILL 20 docker ps </dev/null",
    );
    assert.equal(render(["uptime"], { ...sudo, ...limited }), "exec timeout -s KILL 20 uptime </dev/null");
  });

  it("puts no limit on a fix", () => {
    assert.equal(render(["root", "docker", "restart", "x"], sudo), "exec sudo -n docker restart x </dev/null");
    assert.equal(render(["root", "docker", "restart", "x"], plain), "exec docker restart x </dev/null");
  });

  it("rounds a limit up to whole seconds, at least one", () => {
    assert.match(render(["a"], { ...plain, killAfterSeconds: 1.2 }), /KILL 2 a/);
    assert.match(render(["a"], { ...plain, killAfterSeconds: 0 }), /KILL 1 a/);
  });

  it("makes root a function inside a script, with its own limit under sudo only", () => {
    const command = script("root id -u");
    assert.equal(
      render(command, { ...sudo, killAfterSeconds: 20 }),
      `exec timeout -s KILL 20 sh -c 'root() { sudo -n timeout -s KILL 20 "$@"; }\nroot id -u' medic </dev/null`,
    );
    assert.equal(render(command, plain), `exec sh -c 'root() { "$@"; }\nroot id -u' medic </dev/null`);
    assert.equal(shell(render(script('root echo "$1"', "it's"), plain)), "it's\n");
  });

  it("keeps a script's own timeout within reach of the KILL that ends the script, and its verdict", () => {
    const limited = { ...plain, killAfterSeconds: 20 };
    const group = 'timeout 9 sh -c "ps -o pgid= -p \\$\\$"; ps -o pgid= -p $$';
    const [inner, outer] = shell(render(script(group), limited))
      .trim()
      .split(/\s+/);
    assert.equal(inner, outer);
    assert.equal(shell(render(script("timeout 0.1 sleep 9; echo $?"), limited)), "124\n");
    assert.doesNotMatch(render(script("uptime"), limited), /foreground/);
    assert.doesNotMatch(render(script("timeout 9 uptime"), plain), /foreground/);
  });

  it("does not take a script's argument for the word root", () => {
    assert.equal(shell(render(["echo", "root"], sudo)), "root\n");
  });

  it("closes standard input", () => {
    assert.equal(shell(render(["cat"], plain)), "");
  });

  it("refuses a NUL, half a surrogate pair, no program, and a line that is too long", () => {
    const refused: Command[] = [["echo", "a\0b"], ["echo", "\ud800"], ["root"], ["echo", "x".repeat(130_000)]];
    for (const command of refused) {
      assert.throws(
        () => render(command, plain),
        (error: unknown) => error instanceof CommandRefused && !error.dispatched,
      );
    }
    assert.ok(render(["echo", "x".repeat(100_000)], plain).length > 100_000);
  });
});
