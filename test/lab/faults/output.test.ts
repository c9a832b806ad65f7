// Output that is large, odd or unasked for: memory stays bounded, nothing stalls, and what is kept is the newest and whole.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { script } from "../../../core/plugin/contract.ts";
import { reach, unfit, untilSeconds } from "../../support/real-server.ts";
import { sshdProgram, startRealSshd } from "../../support/real-sshd.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const mebi = 1024 * 1024;
const log = script(`head -c "$1" /dev/zero | tr '\\0' x; echo; echo newest`, String(100 * mebi));
const read = { kind: "diagnostic", commandSeconds: 60 } as const;

/** What bytes a channel may hold here: the newest MiB, the window that the server may fill, and their copies. */
const MOST_HELD = 4 * mebi;

/**
 * The most bytes that were still in use at once, above those before, while something ran. Asked after a collection
 * each time: the garbage that a runtime has not yet collected (and so its RSS) says how busy a machine is.
 */
async function growth(work: () => Promise<unknown>): Promise<number> {
  const before = heldBytes();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, heldBytes())), 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, heldBytes()) - before;
}

function heldBytes(): number {
  // Twice: array buffers are swept in the background, and the next collection waits for that.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe("output of a real host", { skip: unfit(sshdProgram) }, () => {
  it("of 100 MB keeps the newest MiB, and this process does not grow with it", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    // The first run loads and compiles what it needs.
    await medic.run(log, read);
    const grown = await growth(async () => {
      const { stdout, cutBytes, exit } = await medic.run(log, read);
      assert.equal(exit, 0);
      assert.equal(stdout.length, mebi);
      assert.match(stdout, /^x+\nnewest\n$/);
      assert.equal(cutBytes, 99 * mebi + "\nnewest\n".length);
    });
    assert.ok(grown < MOST_HELD, `grew by ${grown} bytes`);
    assert.equal(medic.statistics().dials, 1);
  });

  it("of 100 MB waits for a reader that stands still, instead of piling up here", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    await medic.run(log, read);
    const grown = await growth(async () => {
      const running = medic.run(log, read);
      await sleep(150);
      // As a busy process does: nothing is read meanwhile, and only the window's worth may be on its way.
      const until = performance.now() + 1000;
      while (performance.now() < until);
      assert.equal((await running).exit, 0);
    });
    assert.ok(grown < MOST_HELD, `grew by ${grown} bytes`);
  });

  it("of 100 MB on one channel does not keep the others waiting", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    const flood = medic.run(log, read);
    await untilSeconds(5, "the flood has begun", () => medic.statistics().inFlight > 0);
    const began = performance.now();
    assert.equal((await medic.run(sshd.ledger.command("beside"))).exit, 0);
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds < 10, `a command beside it took ${seconds} s`);
    assert.equal((await flood).exit, 0);
  });

  it("on stderr only floods nobody, and both streams are kept apart", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    const text = `head -c ${20 * mebi} /dev/zero | tr '\\0' e >&2; echo answer`;
    const { stdout, stderr, cutBytes } = await medic.run(script(text), read);
    assert.equal(stdout, "answer\n");
    assert.equal(stderr.length, mebi);
    assert.match(stderr, /^e+$/);
    assert.equal(cutBytes, 19 * mebi);
  });

  it("of raw bytes is text all the same: what is no UTF-8 becomes U+FFFD, and nothing breaks", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    const { stdout } = await medic.run(script(String.raw`printf 'a\377\000\376b'; printf '\303\251'`), read);
    assert.equal(stdout, "a\uFFFD\0\uFFFDb\u00E9");
    assert.equal((await medic.run(["head", "-c", "300000", "/dev/urandom"], read)).exit, 0);
  });

  it("with characters cut at every place, by chunks and by the bound, is whole from its first character on", async () => {
    await using sshd = await startRealSshd();
    for (const outputBytes of [4096, 4097, 4098, 4099]) {
      await using medic = reach(sshd, { pool: { outputBytes } });
      // Odd writes, so that chunks end inside characters.
      const text = `i=0; while [ $i -lt 400 ]; do printf '\\360\\237\\246'; printf '\\212\\342\\202\\254'; i=$((i + 1)); done`;
      const text2 = `${text}; sleep 0.05; printf '\\360\\237'; sleep 0.05; printf '\\246\\212'`;
      const { stdout, cutBytes } = await medic.run(script(text2), read);
      assert.match(stdout, /^(🦊|€)+🦊$/u);
      assert.equal(Buffer.byteLength(stdout) + cutBytes, 400 * 7 + 4);
    }
  });

  it("of commands that read their input ends at once: there is none", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd);
    for (const command of [["cat"], ["sh", "-c", "read line; echo [$line]", "medic"], ["wc", "-c"]] as const)
      assert.ok((await medic.run(command, { ...read, commandSeconds: 5 })).exit <= 1, command.join(" "));
    const { stdout } = await medic.run(["cat"], read);
    assert.equal(stdout, "");
  });

  it("held open by what a command left behind does not hold its answer back for ever", async () => {
    await using sshd = await startRealSshd();
    await using medic = reach(sshd, { pool: { maxConnections: 1 } });
    const began = performance.now();
    const { exit, stdout } = await medic.run(script(`sleep 30 & echo done`), { ...read, commandSeconds: 2 });
    assert.equal(exit, 0);
    assert.equal(stdout, "done\n");
    assert.ok(performance.now() - began < 5000);
    await untilSeconds(3, "its slot is back", () => medic.statistics().inFlight === 0);
    assert.equal((await medic.run(sshd.ledger.command("next"))).exit, 0);
  });
});
