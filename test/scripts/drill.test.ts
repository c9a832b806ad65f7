// The drills' judge and roster: what raw logs make a drill pass, and that each way of failing is seen. Needs no lab.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JournalEvent } from "../../core/incident/incident.ts";
import { check, notCarriedOut } from "../../scripts/drill/check.ts";
import { drillPrefix } from "../../scripts/drill/drill.ts";
import type { HostLine, Raw } from "../../scripts/drill/raw.ts";
import { drills } from "../../scripts/drill/roster.ts";
import { scorecard } from "../../scripts/drill/scorecard.ts";

const began = Date.parse("2026-11-26T12:00:00.000Z");
const at = (seconds: number): string => new Date(began + seconds * 1000).toISOString();
const steps = [["root", "docker", "start", "--", "abc"]] as const;
const judgedFixed = { kind: "fix-judged", tool: "docker_start", input: {}, outcome: "fixed", why: "" } as const;

function event(seconds: number, of: object): JournalEvent {
  return { sequence: 1, incident: "i", at: at(seconds), ...of } as JournalEvent;
}

const line = (seconds: number, from: string, message: string, unit = ""): HostLine => ({
  at: began + seconds * 1000,
  from,
  unit,
  message,
});

const login = (seconds: number, port: number): HostLine =>
  line(seconds, "sshd", `Accepted publickey for medic from 127.0.0.1 port ${port} ssh2: ED25519 SHA256:medic`);

/** A container was stopped and Medic started it. */
function healed(): Raw {
  return {
    declared: {
      drill: "container-stopped",
      tells: "somebody stopped it",
      host: "nexus",
      expected: "fixed",
      fixes: ["docker_start"],
      says: ["stays up"],
      subjects: ["drill-stopped"],
      keepsRun: false,
      key: "SHA256:medic",
      hasSudo: true,
      alertedAt: began,
      endedAt: began + 10_000,
    },
    events: [
      event(1, { kind: "fix-started", tool: "docker_start", input: {}, steps, touches: ["drill-stopped"] }),
      event(2, { kind: "fix-dispatched", tool: "docker_start", dispatch: { is: "done", seconds: 1 } }),
      event(3, judgedFixed),
      event(4, { kind: "resolved", by: "medic", why: "it runs and stays up" }),
    ],
    host: [
      login(0.5, 40001),
      line(1.5, "sudo", "   medic : PWD=/home/medic ; USER=root ; COMMAND=/usr/bin/docker start -- abc"),
    ],
    docker: [{ at: began + 1600, action: "start", container: "drill-stopped" }],
  };
}

describe("the judge of a drill", () => {
  it("passes what Medic's journal, sudo, docker and sshd agree on", () => {
    const { result, faults } = check(healed());
    assert.deepEqual(faults, []);
    assert.deepEqual(result, {
      drill: "container-stopped",
      expected: "fixed",
      outcome: "fixed",
      fixes: ["docker_start"],
      connections: 1,
      seconds: 4,
      bystandersTouched: [],
      passed: true,
    });
  });

  const lies: readonly (readonly [string, (raw: Raw) => void, RegExp])[] = [
    ["another end than the declared one", ({ declared }) => void (declared.expected = "escalated"), /ended as fixed/],
    ["another fix", ({ declared }) => void (declared.fixes = ["docker_restart"]), /began \[docker_start\]/],
    ["a word to the person that misses the cause", ({ declared }) => void (declared.says = ["port"]), /did not say/],
    ["a fix that sudo knows nothing of", (raw) => void (raw.host = [login(0.5, 40001)]), /sudo ran 0 of 1 steps/],
    [
      "a command that Medic's journal knows nothing of",
      ({ host }) => void host.push(line(2, "sudo", "medic : USER=root ; COMMAND=/usr/bin/docker stop postgres")),
      /sudo ran "docker stop postgres"/,
    ],
    [
      "a command that no list of changes knows",
      ({ host }) => void host.push(line(2, "sudo", "medic : USER=root ; COMMAND=/usr/bin/rm -rf /srv/postgres")),
      /sudo ran "rm -rf \/srv\/postgres"/,
    ],
    [
      "a change below a time limit, where only reads belong",
      ({ host }) =>
        void host.push(line(2, "sudo", "medic : USER=root ; COMMAND=/usr/bin/timeout -s KILL 20 docker stop postgres")),
      /sudo ran "timeout -s KILL 20 docker stop postgres"/,
    ],
    [
      "a fix called proven whose steps failed",
      (raw) => {
        const failed = { is: "failed", step: 0, exit: 1, said: "no" } as const;
        raw.events = raw.events.map((event) =>
          event.kind === "fix-dispatched" ? { ...event, dispatch: failed } : event,
        );
      },
      /ended as fixed, by steps that failed/,
    ],
    [
      "a fix called proven that docker saw die again",
      ({ docker }) => void docker.push({ at: began + 3000, action: "die", container: "drill-stopped" }),
      /docker says last of drill-stopped: die/,
    ],
    [
      "a fix called proven of which docker saw nothing begin",
      (raw) => void (raw.docker = []),
      /neither docker nor systemd show that anything began/,
    ],
    [
      "a container that is none of its business",
      ({ docker }) => void docker.push({ at: began + 2000, action: "restart", container: "postgres" }),
      /touched postgres/,
    ],
    [
      "a unit that is none of its business",
      ({ host }) => void host.push(line(2, "systemd", "Stopped lab-web.service.", "lab-web.service")),
      /touched lab-web\.service/,
    ],
    ["a third login", ({ host }) => void host.push(login(2, 40002), login(2, 40003)), /3 connections/],
    ["an incident without an end", (raw) => void raw.events.pop(), /ended as none/],
  ];
  for (const [what, lie, fault] of lies) {
    it(`fails ${what}`, () => {
      const raw = healed();
      lie(raw);
      const { result, faults } = check(raw);
      assert.equal(result.passed, false);
      assert.match(faults.join("; "), fault);
    });
  }

  it("takes other proof of a fix that begins no run, and an incident that is kept for later", () => {
    const quiet = healed();
    quiet.declared.keepsRun = true;
    quiet.docker = [];
    assert.deepEqual(check(quiet).faults, []);
    const held = healed();
    held.declared = { ...held.declared, expected: "held", fixes: [], says: ["maintenance"] };
    held.events = [event(1, { kind: "held", why: "maintenance of drill-stopped" })];
    held.host = [];
    assert.deepEqual(check(held).faults, []);
    held.host = healed().host;
    assert.match(check(held).faults.join(), /sudo ran "docker start/);
  });

  it("leaves out what happened before the alert, and another key's logins", () => {
    const raw = healed();
    raw.docker.push({ at: began - 2000, action: "stop", container: "postgres" });
    raw.host.push(line(2, "sshd", "Accepted publickey for operator from 127.0.0.1 port 9 ssh2: ED25519 SHA256:other"));
    assert.deepEqual(check(raw).faults, []);
  });

  it("does not pass a drill that could not be carried out", () => {
    const [drill] = drills;
    assert.ok(drill !== undefined);
    const { result, faults } = notCarriedOut(drill, "nexus", "Cannot run it");
    assert.deepEqual([result.passed, result.outcome, faults], [false, "none", ["Cannot run it"]]);
  });
});

describe("the roster of drills", () => {
  it("names each drill once, by its family", () => {
    const names = drills.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^(?:container|unit|scrypted|host|control|example)-[a-z0-9-]+$/);
  });

  const shared = new Set(["scrypted", "systemd-journald.service", "nginx.service"]);
  it("lets drills touch only what they made, Scrypted, nginx, or the journal", () => {
    for (const { name, subjects } of drills) {
      for (const subject of subjects) {
        assert.ok(subject.startsWith(drillPrefix) || shared.has(subject), `${name} is about ${subject}`);
      }
    }
  });

  it("has quick ones of each family, of each kind of end, and of the real monitors", () => {
    const quick = drills.filter((drill) => drill.quick === true);
    const familiesOf = (some: typeof drills) => new Set(some.map(({ name }) => name.split("-")[0]));
    assert.deepEqual(familiesOf(quick), familiesOf(drills));
    for (const end of ["fixed", "escalated", "held"])
      assert.ok(
        quick.some(({ expected }) => expected === end),
        end,
      );
    assert.ok(quick.some(({ raisedBy }) => raisedBy !== undefined));
    assert.ok(quick.length <= 10);
  });

  it("has a fix for each drill that ends fixed, and words for each that is left to a person", () => {
    for (const { name, expected, fixes, says = [] } of drills) {
      assert.equal(expected === "fixed", expected === "fixed" && fixes.length > 0, name);
      if (["escalated", "asked", "held"].includes(expected)) assert.ok(says.length > 0, name);
    }
  });
});

describe("the scorecard", () => {
  it("has a row for each drill, and no cell that a log line could break", () => {
    const raw = healed();
    raw.events[3] = event(4, { kind: "resolved", by: "medic", why: "stays up | <b>\nsecond line" });
    const text = scorecard([check(raw)]);
    assert.match(text, /1 of 1 passed/);
    assert.match(text, /\| stays up \\\| \\<b\\> second line \|$/m);
  });
});
