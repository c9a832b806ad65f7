// The claims against real shells: the same texts that hosts run, in a folder of the test's own.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { dropClaims, otherMachine, prepareClaims, takeClaims } from "../../core/agent/claim.ts";
import type { Command, Result, Unavailable } from "../../core/plugin/contract.ts";
import { createHomelab } from "../../core/sandbox/homelab.ts";
import { claimRefusal, render } from "../../core/transport/quote.ts";

const root = mkdtempSync(join(tmpdir(), "medic-claims-"));
after(() => rmSync(root, { recursive: true, force: true }));

const shells = [
  ["sh", ["sh", "-c"]],
  ["bash", ["bash", "-c"]],
  ["busybox", ["busybox", "sh", "-c"]],
] as const;
const here = shells.filter(([name]) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0);

type Run = (line: string) => Promise<Result>;

/** Runs a line as a login shell of this kind would; busybox brings its own `mkdir` and friends. */
function runner([program, ...args]: readonly [string, ...string[]]): Run {
  return async (line) => {
    const inside = program === "busybox" ? line.replace("exec sh -c", "exec busybox sh -c") : line;
    const { status, stdout, stderr } = spawnSync(program, [...args, inside], { encoding: "utf8" });
    return { exit: status ?? -1, stdout, stderr, cutBytes: 0 };
  };
}

/** As the demo's host would. */
function inSandbox(): Run {
  const clock = { now: Date.now, sleep: async () => undefined };
  const homelab = createHomelab(clock, new AbortController().signal);
  return async (line) => ({ ...(await homelab.run(line)), cutBytes: 0 });
}

const plain = { privilege: "none" } as const;
const claimed = (command: Command, claim: string): string => render(command, { ...plain, claim });

type Asked<F> = {
  command(input: never, options: unknown): Command | { refused: string };
  parse(result: Result, input: never, options: unknown): F;
};

async function ask<F extends object>(run: Run, tool: Asked<F>, input: object): Promise<Exclude<F, Unavailable>> {
  const command = tool.command(input as never, {}) as Command;
  const found = tool.parse(await run(render(command, plain)), input as never, {});
  assert.ok(!("unavailable" in found), JSON.stringify(found));
  return found as Exclude<F, Unavailable>;
}

for (const [name, run] of [
  ...here.map(([name, shell]) => [name, runner(shell)] as const),
  ["the sandbox's own sh", inSandbox()] as const,
]) {
  describe(`the claims in ${name}`, () => {
    const folders: string[] = [];
    after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
    const prepared = async (): Promise<string> => {
      const found = await ask(run, prepareClaims, { attempt: randomBytes(16).toString("hex") });
      folders.push(found.place);
      return found.place;
    };

    it("tell the machine and its boot, and have a folder that is there", async () => {
      const found = await ask(run, prepareClaims, { attempt: "a".repeat(32) });
      assert.notEqual(found.boot, undefined);
      folders.push(found.place);
      assert.match(found.machine ?? "0".repeat(32), /^[0-9a-f]{32}$/);
      assert.match(found.place, /^\/tmp\/medic-a{32}$/);
    });

    it("let one dispatch run and no second one", async () => {
      const claim = `${await prepared()}/0`;
      const first = await run(claimed(["echo", "ran it's"], claim));
      assert.deepEqual([first.exit, first.stdout, claimRefusal(first)], [0, "ran it's\n", undefined]);
      const second = await run(claimed(["echo", "ran"], claim));
      assert.deepEqual([second.exit, second.stdout, claimRefusal(second)], [75, "", "taken"]);
    });

    it("keep a step from running once Medic has them, tell who has which, and say the same when asked again", async () => {
      const place = await prepared();
      await run(claimed(["true"], `${place}/0`));
      for (const _ of [1, 2]) {
        const { claims } = await ask(run, takeClaims, { place, from: 0, steps: 3 });
        assert.deepEqual(claims, [{ is: "taken", running: false }, { is: "ours" }, { is: "ours" }]);
      }
      const late = await run(claimed(["echo", "ran"], `${place}/1`));
      assert.deepEqual([late.stdout, claimRefusal(late)], ["", "taken"]);
    });

    it("tell of no claim when their folder is gone, and let nothing run there", async () => {
      const place = `/tmp/medic-${"f".repeat(32)}`;
      assert.equal((await ask(run, takeClaims, { place, from: 0, steps: 1 })).claims, undefined);
      const refused = await run(claimed(["echo", "ran"], `${place}/0`));
      assert.deepEqual([refused.exit, refused.stdout, claimRefusal(refused)], [73, "", "not-made"]);
    });

    it("go without a trace", async () => {
      const place = await prepared();
      await run(claimed(["true"], `${place}/0`));
      await ask(run, dropClaims, { place });
      assert.equal((await ask(run, takeClaims, { place, from: 0, steps: 1 })).claims, undefined);
    });

    it("take no exit status of the command's own for theirs", async () => {
      for (const status of ["73", "75"]) {
        const own = await run(claimed(["sh", "-c", `exit ${status}`], `${await prepared()}/0`));
        assert.deepEqual([own.exit, claimRefusal(own)], [Number(status), undefined]);
      }
    });
  });
}

describe("the claims on a real disk", () => {
  const run = runner(["sh", "-c"]);

  it("are nobody else's to see", async () => {
    const found = await ask(run, prepareClaims, { attempt: randomBytes(16).toString("hex") });
    assert.equal(statSync(found.place).mode & 0o777, 0o700);
    rmSync(found.place, { recursive: true });
  });

  it("show that the process is still there", async () => {
    const place = join(root, `medic-${"b".repeat(32)}`);
    mkdirSync(place);
    const child = spawn("sh", ["-c", claimed(["sleep", "60"], `${place}/0`)]);
    while (!existsSync(`${place}/0/pid`) || statSync(`${place}/0/pid`).size === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const claims = async () => (await ask(run, takeClaims, { place, from: 0, steps: 1 })).claims;
    assert.deepEqual(await claims(), [{ is: "taken", running: true }]);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    assert.deepEqual(await claims(), [{ is: "taken", running: false }]);
  });

  it("are taken by one of many that come at once", async () => {
    const place = join(root, `medic-${"c".repeat(32)}`);
    mkdirSync(place);
    const ran = join(root, "ran");
    mkdirSync(ran);
    const line = claimed(["sh", "-c", `echo > "${ran}/$$"`], `${place}/0`);
    const ends = await Promise.all(
      Array.from(
        { length: 20 },
        () => new Promise<number | null>((resolve) => void spawn("sh", ["-c", line]).once("exit", resolve)),
      ),
    );
    assert.equal(readdirSync(ran).length, 1);
    assert.equal(ends.filter((exit) => exit === 75).length, 19);
  });

  it(
    "that cannot be made are told apart from those that are taken",
    { skip: process.getuid?.() === 0 ? "root writes everywhere" : false },
    async () => {
      const place = join(root, `medic-${"d".repeat(32)}`);
      mkdirSync(place, { mode: 0o500 });
      const refused = await run(claimed(["true"], `${place}/0`));
      assert.equal(claimRefusal(refused), "not-made");
      assert.deepEqual((await ask(run, takeClaims, { place, from: 0, steps: 1 })).claims, [{ is: "not-made" }]);
      chmodSync(place, 0o700);
    },
  );
});

describe("a claim's command line", () => {
  it("has the privilege inside, so that a sudoers line sees the command alone", () => {
    const line = render(["root", "docker", "restart", "x"], { privilege: "sudo", claim: "/tmp/m/0" });
    assert.match(line, / medic \/tmp\/m\/0 sudo -n docker restart x <\/dev\/null$/);
    assert.doesNotMatch(line, /timeout/);
  });
});

describe("another machine", () => {
  const known = { hostKey: "SHA256:a", machine: "m1" };

  it("is one whose key or machine id is not what was recorded, and nobody's when nothing was", () => {
    assert.equal(otherMachine("nexus", known, known, undefined), undefined);
    assert.equal(otherMachine("nexus", known, undefined, undefined), undefined);
    assert.equal(otherMachine("nexus", known, {}, undefined), undefined);
    assert.match(
      otherMachine("nexus", { ...known, hostKey: "SHA256:b" }, known, undefined) ?? "",
      /SHA256:b.*medic accept nexus/,
    );
    assert.match(otherMachine("nexus", { machine: "m1" }, known, undefined) ?? "", /not known/);
    assert.match(otherMachine("nexus", { hostKey: "SHA256:a" }, known, undefined) ?? "", /machine-id/);
    assert.equal(otherMachine("nexus", { ...known, hostKey: "SHA256:b" }, known, "SHA256:b"), undefined);
  });
});
