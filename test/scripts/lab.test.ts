import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseConfig } from "../../core/config/load.ts";
import { group, passwd } from "../../scripts/lab/host-files.ts";
import { countLines, readLab, type LabHost } from "../../scripts/lab/lab.ts";
import { medicConfig } from "../../scripts/lab/medic-config.ts";
import { childrenOf, endProcess, livingProcess, must, run, startProcess } from "../../scripts/lab/process.ts";
import { labUnits, medicSudoers } from "../../scripts/lab/units.ts";

const key = "SHA256:1hZO265ycgxpAvcvceaNBqfDHUKzmbKP+aK7wPhhhsU";
const other = "SHA256:heyt24Ir6OEYKyS3MbWKz3M7lZ9ey9HZYUy/kXv1ZCs";
const lines = (...messages: string[]) => messages.map((message, at) => ({ message, at }));
const login = (port: number, of: string) =>
  `Accepted publickey for medic from 127.0.0.1 port ${port} ssh2: ED25519 ${of}`;
const session = (port: number, id: number) =>
  `Starting session: command for medic from 127.0.0.1 port ${port} id ${id}`;

describe("counting sshd's log", () => {
  it("counts a login once, though sshd names its key three times", () => {
    const found = `Accepted key ED25519 ${key} found at /home/medic/.ssh/authorized_keys:1`;
    assert.equal(countLines(lines(found, found, login(1, key))).accepted, 1);
  });

  it("counts the sessions of one key only, by the port its login came from", () => {
    const log = lines(login(1, key), login(2, other), session(1, 0), session(1, 1), session(2, 0));
    const counts = countLines(log, key);
    assert.equal(counts.accepted, 1);
    assert.deepEqual(
      counts.sessionLog.map(({ at, channel }) => [at, channel]),
      [
        [2, 0],
        [3, 1],
      ],
    );
    assert.equal(countLines(log).sessions, 3);
  });

  it("gives no session to a key whose port went to another key since", () => {
    const log = lines(login(1, key), login(1, other), session(1, 0));
    assert.equal(countLines(log, key).sessions, 0);
    assert.equal(countLines(log, other).sessions, 1);
  });

  it("counts what MaxSessions refused and what MaxStartups dropped", () => {
    const counts = countLines(
      lines(
        "error: no more sessions",
        "drop connection #10 from [127.0.0.1]:5 on [127.0.0.11]:2222 past MaxStartups",
        "exited MaxStartups throttling after 00:00:01, 1 connections dropped",
      ),
    );
    assert.deepEqual([counts.refusedSessions, counts.droppedStartups], [1, 1]);
  });
});

describe("a lab host's users", () => {
  it("are the machine's system users and the lab's own, but none of its people", () => {
    const text = passwd("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nnobody:x:65534:65534:::\n");
    const names = text
      .trim()
      .split("\n")
      .map((line) => line.split(":")[0]);
    assert.deepEqual(names, ["root", "nobody", "medic", "operator"]);
  });

  it("are alone in the groups that open Docker, the journal and sudo", () => {
    const text = group(
      "docker:x:106:alice\nsudo:x:27:alice\nsystemd-journal:x:999:\naudio:x:29:alice\nalice:x:1000:\n",
    );
    assert.deepEqual(text.trim().split("\n"), [
      "docker:x:106:medic,operator",
      "sudo:x:27:operator",
      "systemd-journal:x:999:medic,operator",
      "audio:x:29:",
      "medic:x:1001:",
    ]);
  });

  it("may restart each of the lab's services by its exact name, and by pattern one unit of a drill at a time", () => {
    const rules = medicSudoers();
    for (const { name } of labUnits())
      assert.match(rules, new RegExp(`/usr/bin/systemctl restart -- ${name}\\.service\n`));
    const patterns = rules.split("\n").filter((rule) => /systemctl.*[*?^]/.test(rule));
    assert.equal(patterns.length, 1);
    // A blank in it would let a second unit through.
    assert.match(patterns[0] ?? "", / -- drill-\[a-z-\]\+\\\.service\$$/);
    assert.doesNotMatch(rules, /NOPASSWD: ALL/);
  });
});

describe("the lab's hosts.yaml", () => {
  it("is a configuration that Medic accepts", () => {
    const host: LabHost = {
      name: "nexus",
      address: "127.0.0.11",
      port: 2222,
      hostKey: key,
      machineId: "0".repeat(32),
      scrypted: "https://127.0.0.11:10443",
      leader: 1,
      sshdLog: ["true"],
    };
    const folder = tmpdir();
    const text = medicConfig({ folder, hosts: [host], identity: join(folder, "key"), token: "token" });
    const { config } = parseConfig(text, {
      file: join(folder, "hosts.yaml"),
      env: {},
      folder,
      home: folder,
      readSecret: () => "",
    });
    assert.equal(config.hosts["nexus"]?.hostKey, key);
    assert.equal(config.hosts["nexus"]?.trust, "disruptive");
    assert.ok(!text.includes('sha256: "token"'));
  });
});

describe("a process of the lab", () => {
  it("is found by what was remembered of it, ended once, and gone then", async () => {
    const folder = mkdtempSync(join(tmpdir(), "medic-lab-test-"));
    try {
      const pidFile = join(folder, "sleep.pid");
      const pid = startProcess(["sleep", "60"], { pidFile, logFile: join(folder, "sleep.log") });
      assert.equal(livingProcess(pidFile), pid);
      await endProcess(pidFile);
      assert.equal(livingProcess(pidFile), undefined);
      await endProcess(pidFile);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is not mistaken for a later one with its id", () => {
    const folder = mkdtempSync(join(tmpdir(), "medic-lab-test-"));
    try {
      const pidFile = join(folder, "stale.pid");
      writeFileSync(pidFile, `${process.pid} 1\n`);
      assert.equal(livingProcess(pidFile), undefined);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("that fails is an answer to run, and an error with its words to must", async () => {
    assert.equal((await run(["sh", "-c", "echo no >&2; exit 3"])).exit, 3);
    await assert.rejects(must(["sh", "-c", "echo no >&2; exit 3"]), /exit 3: no$/);
  });

  it("that outlives its time is killed, and the time is named", async () => {
    await assert.rejects(run(["sleep", "60"], { withinSeconds: 0.1 }), /still running after 0.1 s/);
  });

  it("has no children once it is gone", () => {
    assert.deepEqual(childrenOf(2 ** 22 + 1), []);
  });
});

describe("a lab that is not up", () => {
  it("is told with the command that starts it", () => {
    assert.throws(() => readLab("/nonexistent"), /the lab is not up\. Start it with npm run lab -- up --yes/);
  });
});
