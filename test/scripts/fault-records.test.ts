// The table of faults against the records it is made of: it may say what they say, and nothing else.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { keepRecords, readRecords } from "../../scripts/bench/fault-records.ts";
import { recount, type FaultsReport } from "../../scripts/bench/faults.ts";
import { reckon } from "../../scripts/bench/reckoning.ts";

const told = [
  ...[2, 1, 3, 4, 5].map((id) => ({ id: `${id}`, told: "unknown", error: "ConnectionLost" }) as const),
  { id: "6", told: "done" } as const,
];
const ran = ["1", "2", "3", "4", "5", "6"];
const log = "Accepted publickey for a\nStarting session: command\nAccepted publickey for a\n";

/** A run's records as they are written while it goes on. */
function ground() {
  const folder = mkdtempSync(join(tmpdir(), "medic-faults-test-"));
  const write = (files: Record<string, string>) => {
    mkdirSync(join(folder, "run", "1"), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, "run", "1", name), text);
  };
  write({
    "told.jsonl": told.map((one) => `${JSON.stringify(one)}\n`).join(""),
    ran: `${ran.join("\n")}\n`,
    "sshd.log": log,
  });
  const remove = () => rmSync(folder, { recursive: true });
  return { run: join(folder, "run"), kept: join(folder, "kept"), write, [Symbol.dispose]: remove };
}

const report: FaultsReport = {
  benchmark: "faults",
  date: "2026-11-26T12:00:00.000Z",
  server: { kind: "sshd", version: "OpenSSH_9.2p1" },
  seed: 1,
  commands: 10,
  results: [
    {
      fault: "link cut while five run",
      wanted: "those that ran: unknown, ConnectionLost; the next one: done",
      ...reckon(
        told.toSorted((a, b) => Number(a.id) - Number(b.id)),
        ran,
      ),
      serverConnections: 2,
      seconds: 1.5,
      holds: true,
    },
  ],
  records: "faults",
};

describe("the table of faults", () => {
  it("is what the records say, plain as they were written and compressed as they are kept", () => {
    using at = ground();
    recount(report, at.run);
    keepRecords(at.run, at.kept);
    recount(report, at.kept);
    assert.deepEqual(readRecords(join(at.kept, "1")), readRecords(join(at.run, "1")));
    assert.deepEqual(readdirSync(join(at.kept, "1")).toSorted(), ["ran.gz", "sshd.log.gz", "told.jsonl.gz"]);
  });

  it("is refused when the host ran something else, and when a caller was told something else", () => {
    using at = ground();
    at.write({ ran: `${[...ran, "6"].join("\n")}\n` });
    assert.throws(() => recount(report, at.run), /Cannot trust the table of faults: of "link cut.*"ranTwice":1/);
    at.write({ ran: `${ran.join("\n")}\n`, "told.jsonl": `${JSON.stringify({ id: "6", told: "done" })}\n` });
    assert.throws(() => recount(report, at.run), /"commands":1/);
  });

  it("is refused when sshd counted other logins, when a row claims what the records do not bear, and without records", () => {
    using at = ground();
    const [row = assert.fail()] = report.results;
    assert.throws(() => recount({ ...report, results: [{ ...row, holds: false }] }, at.run), /Cannot trust/);
    at.write({ "sshd.log": "Accepted publickey for a\n" });
    assert.throws(() => recount(report, at.run), /"serverConnections":1/);
    assert.throws(() => recount(report, at.kept), /Cannot count the faults again: there is no ".*told.jsonl"/);
  });

  it("keeps no more than may be committed", () => {
    using at = ground();
    at.write({ "sshd.log": randomBytes(2_200_000).toString("base64") });
    assert.throws(() => keepRecords(at.run, at.kept), /Cannot keep the records of .* 2000000 are the limit/);
    assert.throws(() => readdirSync(at.kept), /ENOENT/);
  });

  it("reads a kept record only whole", () => {
    using at = ground();
    keepRecords(at.run, at.kept);
    writeFileSync(join(at.kept, "1", "ran.gz"), gzipSync("1\n2\n").subarray(0, 10));
    assert.throws(() => recount(report, at.kept));
  });
});
