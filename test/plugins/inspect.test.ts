import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import * as v from "valibot";
import { render } from "../../core/transport/quote.ts";
import { hostInspect } from "../../plugins/host/inspect.ts";
import { hostOptions } from "../../plugins/host/inputs.ts";
import { dangerous } from "./inspect-vectors.ts";

const options = v.parse(hostOptions, {});

/** Why it may not be run; undefined when it may. */
function refusal(program: string, args: readonly string[]): string | undefined {
  const parsed = v.safeParse(hostInspect.input, { program, arguments: args });
  if (!parsed.success) return parsed.issues[0].message;
  const command = hostInspect.command(parsed.output, options);
  return "refused" in command ? command.refused : undefined;
}

describe("host_inspect and what it refuses", () => {
  it("runs none of the vectors that change something, leave the host, never end, or show secrets", () => {
    assert.ok(dangerous.length >= 60);
    const accepted = dangerous.filter(([program, ...args]) => refusal(program, args) === undefined);
    // Below the folder by its text: what it leads to is the host's to say.
    assert.deepEqual(accepted, [["cat", "/var/log"]]);
  });

  it("says the nearest form that is allowed", () => {
    assert.match(refusal("ss", ["-K"]) ?? "", /ss \[-tulnap/);
    assert.match(refusal("getent", ["shadow"]) ?? "", /getent passwd\|group/);
    assert.match(refusal("sssd", []) ?? "", /nearest: ss/);
  });

  it("takes no folder of devices or of the kernel", () => {
    for (const folder of ["/proc", "/dev", "/sys/class", "/proc/1/", "/var/../dev"]) {
      assert.equal(v.safeParse(hostOptions, { folders: [folder] }).success, false, folder);
    }
    assert.equal(v.safeParse(hostOptions, { folders: ["/devices", "/srv/proc"] }).success, true);
  });
});

describe("host_inspect and where a path leads", () => {
  const folder = mkdtempSync(join(tmpdir(), "medic-inspect-"));
  const below = join(folder, "logs");
  after(() => rmSync(folder, { recursive: true }));
  mkdirSync(below);
  writeFileSync(join(below, "a.log"), "a line\n");
  writeFileSync(join(folder, "outside"), "outside\n");
  mkdirSync(join(below, "secrets"));
  for (const name of ["server.key", ".env", "id_ed25519", "secrets/db"]) writeFileSync(join(below, name), "secret\n");
  for (const [name, to] of [
    ["inside", "a.log"],
    ["outside", "../outside"],
    ["zero", "/dev/zero"],
    ["kernel", "/proc/kcore"],
    ["key", "server.key"],
    ["loop", "loop"],
  ] as const) {
    symlinkSync(to, join(below, name));
  }
  spawnSync("mkfifo", [join(below, "pipe")]);

  const ask = (program: string, name: string) => {
    const input = v.parse(hostInspect.input, { program, arguments: [join(below, name)] });
    const command = hostInspect.command(input, { folders: [below] });
    assert.ok(!("refused" in command), JSON.stringify(command));
    const line = render(command, { privilege: "none", killAfterSeconds: 5 });
    const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", line], { encoding: "utf8" });
    return hostInspect.parse({ exit: status ?? -1, stdout, stderr, cutBytes: 0 }, input, options);
  };

  it("reads a file, and a link that stays below the folder", () => {
    assert.match(JSON.stringify(ask("cat", "a.log")), /a line/);
    assert.match(JSON.stringify(ask("tail", "inside")), /a line/);
  });

  for (const [name, why] of [
    ["outside", /not below/],
    ["zero", /not below/],
    ["kernel", /not below/],
    ["key", /holds secrets/],
    ["server.key", /holds secrets/],
    [".env", /holds secrets/],
    ["id_ed25519", /holds secrets/],
    ["secrets/db", /holds secrets/],
    ["pipe", /no regular file/],
    ["loop", /there is no/],
    ["nothing", /No such file/],
  ] as const) {
    it(`does not read ${name}`, () => {
      const answer = JSON.stringify(ask("cat", name));
      assert.match(answer, why);
      assert.doesNotMatch(answer, /secret\\n|outside\\n/);
    });
  }
});
