// The arithmetic of the benchmarks: what is divided by what, what counts as met, what is counted in sshd's log, and that
// charts are XML. The measuring itself is shown by running it.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { barChart } from "../../scripts/bench/chart.ts";
import { cpuTicks, treeCost } from "../../scripts/bench/process-cost.ts";
import { readme } from "../../scripts/bench/report.ts";
import type { BenchReport } from "../../scripts/bench/report-shape.ts";
import { isSound, reckon } from "../../scripts/bench/reckoning.ts";
import { countLog, logCounter } from "../../scripts/bench/sshd-log.ts";
import { median, pairedRatio, quantile } from "../../scripts/bench/statistics.ts";
import { targetCells } from "../../scripts/bench/table.ts";
import { beside, bestPeer, judge, judgeRatio, missedFirst } from "../../scripts/bench/targets.ts";

describe("the arithmetic", () => {
  it("takes quantiles between the values beside them, in any order", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.equal(quantile([10, 20, 30, 40, 50], 0.95), 48);
    assert.ok(Number.isNaN(median([])));
  });

  it("divides within a round before it takes the middle", () => {
    // The machine was ten times slower in the second round: that is in both, so it is in no ratio.
    assert.deepEqual(pairedRatio([1, 10, 1], [2, 20, 4]), { ratio: 0.5, lowest: 0.25, highest: 0.5 });
  });

  it("leaves out rounds that only one of the two finished, and knows no ratio without any", () => {
    assert.equal(pairedRatio([1, NaN, 3], [2, 4, 6])?.ratio, 0.5);
    assert.equal(pairedRatio([1, 2], []), undefined);
  });
});

describe("a target", () => {
  const asked = { what: "p50", bound: 0.57, wanted: "at most" } as const;

  it("is met at its bound and missed a hair beyond, although both look the same rounded", () => {
    assert.equal(judge(asked, 0.57).met, true);
    assert.deepEqual(judge(asked, 0.570_01), { ...asked, unit: "ratio", figure: 0.57, met: false });
  });

  it("asks for the other side where more is better", () => {
    assert.equal(judge({ ...asked, bound: 1.5, wanted: "at least" }, 1.5).met, true);
    assert.equal(judge({ ...asked, bound: 1.5, wanted: "at least" }, 1.499).met, false);
  });

  it("is not met by a figure that could not be taken", () => {
    assert.deepEqual(judgeRatio(asked, [1, 2], undefined), { ...asked, unit: "ratio", figure: null, met: false });
    assert.equal(judge({ ...asked, wanted: "at least" }, NaN).met, false);
  });

  it("comes first when it was missed", () => {
    const order = missedFirst([judge(asked, 0.1), judge(asked, 0.9), judge(asked, 0.2)]).map(({ figure }) => figure);
    assert.deepEqual(order, [0.9, 0.1, 0.2]);
  });

  it("that compares unlike work stands beside, last and judged by nobody", () => {
    const order = missedFirst([beside(judge(asked, 0.9)), judge(asked, 0.1), judge(asked, 0.8)]);
    assert.deepEqual(
      order.map(({ figure, isBeside }) => [figure, isBeside]),
      [
        [0.8, undefined],
        [0.1, undefined],
        [0.9, true],
      ],
    );
    assert.equal(targetCells(beside(judge(asked, 0.9)))[0], "beside");
    assert.match(readme([{ ...report, targets: [beside(judge(asked, 0.9))] }]), /\nAll met\./);
  });

  it("knows the best peer among those that are here, never one of ours", () => {
    const figures = new Map([
      ["medic", [1]],
      ["medic-fix", [1]],
      ["go", [4, 4, 100]],
      ["asyncssh", [5, 5, 5]],
      ["node-ssh", []],
    ] as const);
    assert.equal(bestPeer(figures, "lowest"), "go");
    assert.equal(bestPeer(figures, "highest"), "asyncssh");
    assert.equal(bestPeer(new Map([["medic", [1]]]), "lowest"), undefined);
  });
});

describe("sshd's log", () => {
  const lines = [
    'Connection from 127.0.0.1 port 5000 on 127.0.0.1 port 2222 rdomain ""',
    "Accepted key ED25519 SHA256:x found at /tmp/client.pub:1",
    "Accepted publickey for bench from 127.0.0.1 port 5000 ssh2: ED25519 SHA256:x",
    "Starting session: command for bench from 127.0.0.1 port 5000 id 0",
    "error: no more sessions",
    "drop connection #10 from [127.0.0.1]:5001 on [127.0.0.1]:2222 past MaxStartups",
    "Disconnected from user bench 127.0.0.1 port 5000",
  ];

  it("counts one login once, although sshd writes of it twice", () => {
    const counts = { authenticated: 1, closed: 1, commands: 1, dropped: 1, refusedSessions: 1 };
    assert.deepEqual(countLog(`${lines.join("\n")}\n`), counts);
  });

  it("goes on where it stopped reading, and counts a line only when it is whole", () => {
    const folder = mkdtempSync(join(tmpdir(), "medic-bench-test-"));
    try {
      const path = join(folder, "sshd.log");
      writeFileSync(path, "Accepted publickey for a\nAccepted pub");
      const counts = logCounter(path);
      assert.equal(counts().authenticated, 1);
      assert.equal(counts().authenticated, 1);
      appendFileSync(path, "lickey for b\n");
      assert.equal(counts().authenticated, 2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the reckoning of both sides", () => {
  const told = [
    { id: "1", told: "done" },
    { id: "2", told: "unknown", error: "ConnectionLost" },
    { id: "3", told: "unknown", error: "ConnectionLost" },
    { id: "4", told: "denied", error: "DialTimeout" },
  ] as const;

  it("takes an unknown that ran and one that did not, and says how many were which", () => {
    const counts = reckon(told, ["1", "2"]);
    assert.equal(isSound(counts), true);
    assert.deepEqual([counts.done, counts.unknown, counts.unknownRan, counts.denied], [1, 2, 1, 1]);
    assert.deepEqual(counts.errors, { ConnectionLost: 2, DialTimeout: 1 });
  });

  it("takes nothing that ran twice, nothing done that did not run, nothing denied that ran", () => {
    assert.equal(isSound(reckon(told, ["1", "2", "2"])), false);
    assert.equal(isSound(reckon(told, ["2"])), false);
    assert.equal(isSound(reckon(told, ["1", "4"])), false);
  });
});

describe("the cost of a process", () => {
  it("reads own and children's time after a name with spaces and parentheses", () => {
    const stat = "7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 11 22 33 44 20 0";
    assert.deepEqual(cpuTicks(stat), { own: 33, children: 77 });
  });

  it("includes children that have ended", { skip: process.platform !== "linux" }, async () => {
    const before = treeCost(process.pid).cpuMs;
    const child = spawn("sh", ["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]);
    await new Promise((resolve) => child.once("exit", resolve));
    assert.ok(treeCost(process.pid).cpuMs - before >= 10);
    assert.deepEqual(treeCost(child.pid ?? 0), { cpuMs: 0, rssMb: 0 });
  });
});

describe("the command line", () => {
  const run = (...args: string[]) =>
    spawnSync("node_modules/.bin/tsx", ["scripts/bench/main.ts", ...args], { encoding: "utf8" });

  it("tells how it is used when asked, alone and beside a scenario, and ends well", () => {
    for (const args of [["--help"], ["latency", "--help"], ["-h"]]) {
      const { status, stdout, stderr } = run(...args);
      assert.deepEqual([status, stderr], [0, ""]);
      assert.match(stdout, /^usage: npm run bench -- /);
    }
  });

  it("tells the same as an error when asked for what is not there", () => {
    const { status, stdout, stderr } = run("nonsense");
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, /^Cannot run "nonsense": no such benchmark\nusage: /);
  });
});

describe("the report", () => {
  const hostile = { title: `a < b & "c"`, unit: "ms", bars: [{ label: "<go>", value: 3, isOurs: false }] };

  it("draws charts that are XML, whatever the labels hold", () => {
    const svg = barChart(hostile);
    const tags = [...svg.matchAll(/<(\/?)(\w+)[^<>]*?(\/?)>/g)];
    const open: string[] = [];
    for (const [, isEnd, name = "", isEmpty] of tags) {
      if (isEnd) assert.equal(open.pop(), name);
      else if (!isEmpty) open.push(name);
    }
    assert.deepEqual(open, []);
    const text = svg.replaceAll(/<[^<>]*>/g, "");
    assert.doesNotMatch(text, /[<>]|&(?!amp;|lt;|gt;|quot;)/);
  });

  it("draws a chart without a positive value too", () => {
    assert.match(barChart({ ...hostile, bars: [{ label: "lost", value: 0, isOurs: true }] }), /width="1"/);
    assert.match(barChart({ ...hostile, bars: [] }), /<\/svg>/);
  });

  it("tells what was missed before what was met, and who is missing", () => {
    const text = readme([report]);
    assert.match(text, /\*\*1 of 2 missed\*\*/);
    assert.ok(text.indexOf("| MISSED | speed") < text.indexOf("| met | p50"));
    assert.match(text, /Missing: `go`: not built\./);
  });
});

const report: BenchReport = {
  benchmark: "latency",
  date: "2026-11-23T12:00:00.000Z",
  machine: {
    cores: 2,
    cpu: "a CPU",
    kernel: "6.1",
    node: "v24.21.0",
    openssh: "OpenSSH_9.2",
    ssh2: "1.17.0",
    loadAverage: 0.1,
    peers: {},
    commit: "abc",
  },
  rttMs: 0,
  server: { kind: "sshd", version: "OpenSSH_9.2", maxSessions: 100, maxStartups: "1000" },
  rounds: 1,
  results: [],
  targets: [
    judge({ what: "p50", bound: 1, wanted: "at most" }, 0.5),
    judge({ what: "speed", bound: 1, wanted: "at least" }, 0.5),
  ],
  missing: [{ client: "go", why: "not built" }],
  errors: {},
};
