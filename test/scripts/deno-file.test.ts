// How the Deno edition's file unpacks itself, with a line of shell in place of Deno.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getuid } from "node:process";
import { describe, it } from "node:test";
import { makeDenoFile } from "../../scripts/build/deno-file.ts";

function stage() {
  const root = mkdtempSync(join(tmpdir(), "medic-deno-file-"));
  const [deno, bundle] = [join(root, "deno.sh"), join(root, "medic.cjs")];
  const [file, cache] = [join(root, "medic"), join(root, "cache")];
  writeFileSync(deno, '#!/bin/sh\necho "ran for ${0%/deno}"\n');
  writeFileSync(bundle, "");
  makeDenoFile({ bundle, deno, version: "1.0.0", folder: join(root, "work") }, file);
  mkdirSync(cache);
  return {
    cache,
    start: (folder = cache) =>
      new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
        const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", CACHE_DIRECTORY: folder };
        execFile(file, { env }, (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
        });
      }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

describe("the Deno edition's file", () => {
  it("unpacks itself once, however many start at once", async () => {
    using at = stage();
    const told = await Promise.all([1, 2, 3, 4].map(() => at.start()));
    const [name = ""] = readdirSync(at.cache);
    assert.deepEqual(readdirSync(at.cache), [name]);
    for (const { code, stdout } of told) assert.deepEqual([code, stdout], [0, `ran for ${join(at.cache, name)}\n`]);
  });

  it("takes away what an earlier version and a start that was killed left, and nothing else", async () => {
    using at = stage();
    const mine = ["notes-of-a-long-name-indeed", "unpacking.me"];
    for (const name of [...mine, "0.9.0-0123456789abcdef", "unpacking.aBc123"]) mkdirSync(join(at.cache, name));
    utimesSync(join(at.cache, "unpacking.aBc123"), 0, 0);
    assert.equal((await at.start()).code, 0);
    const left = readdirSync(at.cache).filter((name) => !name.startsWith("1.0.0-"));
    assert.deepEqual(left.toSorted(), mine);
  });

  it("runs nothing out of a folder that is another user's", async () => {
    using at = stage();
    if (getuid?.() === 0) chownSync(at.cache, 65_534, 65_534);
    const { code, stdout, stderr } = await at.start(getuid?.() === 0 ? at.cache : "/usr");
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(stderr, /Cannot unpack Medic into ".*": it is another user's\. Set XDG_CACHE_HOME/);
  });
});
