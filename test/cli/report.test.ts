import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CASES_MIN, suggestTrust, type Trust } from "../../core/cli/report/suggestion.ts";
import { type Cases, emptyTally, type HostTally, tally } from "../../core/cli/report/tally.ts";
import type { IncidentEvent, IncidentRecord } from "../../core/incident/incident.ts";
import { openJournal } from "../../core/incident/journal.ts";
import { writeObservation } from "../../core/incident/observation.ts";
import { alert, world } from "../incident/world.ts";
import { type Scenario, startScenario } from "../support/scenario.ts";

const plan = {
  kind: "fix-planned",
  wouldBe: "ask",
  tool: "docker_restart",
  input: { name: "x" },
  steps: [["docker", "restart", "x"]],
  touches: ["x"],
  risk: "disruptive",
} as const satisfies IncidentEvent;
const observation = { tool: "docker_restart", why: "x", seconds: 5 } as const;
const facts = { began: "yes", changed: "yes", healthy: "yes" } as const;
const judged: IncidentEvent = {
  kind: "fix-judged",
  tool: "docker_restart",
  input: {},
  outcome: "fixed",
  facts,
  why: "x",
};
const asked: IncidentEvent = {
  ...plan,
  kind: "approval-requested",
  approval: "a.1",
  host: "nexus",
  why: "x",
  evidence: [],
  digest: "d",
  expiresAt: "2026-11-26T12:00:00.000Z",
};
const yes: IncidentEvent = {
  kind: "approval-given",
  approval: "a.1",
  by: "ada",
  tool: "docker_restart",
  input: {},
  digest: "d",
  until: "2026-11-26T12:00:00.000Z",
};

/** A journal of an owner who tried Medic on "nexus", some days ago. */
function tried(scenario: Scenario, daysAgo = 1): void {
  const journal = openJournal(join(scenario.folder, "data"), { now: () => Date.now() - daysAgo * 86_400_000 });
  const { record } = world({ journal });
  let count = 0;
  const incident = (...events: IncidentEvent[]): string => {
    const id = `20260101-000${count}-x`;
    const service = `s${count++}`;
    const target = { host: "nexus", plugin: "docker", service };
    const key = `nexus/docker:${service}`;
    journal.append([{ incident: id, kind: "incident-opened", key, target, alert: alert({ service }) }]);
    record(id, ...events);
    return id;
  };
  const escalated: IncidentEvent = { kind: "escalated", reason: "dry run" };
  const ends = { recovered: 5, "not-recovered": 2, unseen: 1 } as const;
  for (const [came, times] of Object.entries(ends) as [keyof typeof ends, number][]) {
    for (let time = 0; time < times; time++) {
      writeObservation(journal, incident(plan, plan, escalated), { ...observation, came });
    }
  }
  incident(plan);
  incident(asked, yes, judged, { kind: "resolved", by: "medic", why: "x" });
  journal.close();
}

describe("medic report", () => {
  it("tells per host what a dry run would have fixed and what recovered by itself", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    tried(scenario);
    const { code, stdout } = await scenario.medic("report");
    assert.equal(code, 0);
    const lines = [
      "nexus (trust: observe)",
      "  incidents   10: 5 well by themselves, 3 left to a person, 1 open, 1 fixed by Medic",
      "  escalated   8: 3 still with a person",
      "  dry run     would have fixed 9; 5 recovered by themselves, 2 did not, 1 could not be seen, 1 not watched to the end",
      "  fixes       1: 1 fixed",
      "  approvals   1 asked: 1 yes",
    ];
    const told = stdout.split("\n").slice(2);
    assert.deepEqual(told.slice(0, 1), lines.slice(0, 1));
    assert.deepEqual(told.slice(2, 6), lines.slice(2));
    const sorted = (line = ""): string[] => line.split(/: |, /).toSorted();
    assert.deepEqual(sorted(told[1]), sorted(lines[1]));
    const why = "disruptive fixes: 1 helped, 2 would have been needed, 5 would have been needless";
    assert.equal(told[6], `  suggestion  keep trust: observe (not clear enough: ${why})`);
  });

  it("says the same as JSON, since a time, and has every host of hosts.yaml", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    tried(scenario, 10);
    type Told = {
      hosts: { host: string; incidents: number; planned: object; suggestion: { trust: string; why: string } }[];
    };
    const told = (await scenario.medicJson("report")) as Told;
    assert.deepEqual(told.hosts[0]?.planned, { incidents: 9, recovered: 5, notRecovered: 2, unseen: 1, open: 1 });
    const none = (await scenario.medicJson("report", "--since", "9d")) as Told;
    assert.deepEqual(
      none.hosts.map(({ host, incidents }) => [host, incidents]),
      [["nexus", 0]],
    );
    assert.equal(none.hosts[0]?.suggestion.why, "there were no cases; it takes 5");
    assert.equal((await scenario.medic("report", "--since", "soon")).code, 2);
  });

  it("names a host that left hosts.yaml, and suggests nothing for it", async () => {
    await using scenario = await startScenario();
    tried(scenario);
    const config = join(scenario.folder, "hosts.yaml");
    writeFileSync(config, readFileSync(config, "utf8").replace("  nexus:", "  other:"));
    const { stdout } = await scenario.medic("report");
    assert.match(stdout, /^other \(trust: disruptive\)\n {2}incidents {3}none\n {2}suggestion/m);
    assert.match(stdout, /^nexus \(no longer in hosts.yaml\)$/m);
    assert.equal(stdout.match(/suggestion/g)?.length, 1);
  });
});

describe("a fix that never began", () => {
  it("is counted, and is no case for or against trust", async () => {
    const { opened, record, journal } = world();
    const id = await opened();
    const neverBegan = { ...judged, outcome: "failed", facts: { ...facts, began: "no" } } as const;
    record(id, neverBegan, judged);
    const hosts = new Map<string, HostTally>();
    tally(hosts, journal.incident(id) as IncidentRecord, journal.events(id), () => "disruptive");
    const counted = hosts.get("nexus");
    assert.deepEqual(counted?.fixes, { failed: 1, fixed: 1 });
    assert.deepEqual([counted.cases.disruptive.failed, counted.cases.disruptive.helped], [0, 1]);
  });
});

describe("the suggested trust", () => {
  const suggest = (now: Trust, disruptive: Partial<Cases>, reversible: Partial<Cases> = {}): string => {
    const { cases, ...host } = emptyTally("nexus");
    const bent = {
      disruptive: { ...cases.disruptive, ...disruptive },
      reversible: { ...cases.reversible, ...reversible },
    };
    return suggestTrust({ ...host, cases: bent }, now).trust;
  };

  it("rises only with enough cases that were good", () => {
    assert.equal(suggest("observe", { needed: CASES_MIN }), "disruptive");
    assert.equal(suggest("observe", { needed: CASES_MIN - 1 }), "observe");
    assert.equal(suggest("observe", { needed: 4, needless: 1 }), "disruptive");
    assert.equal(suggest("observe", { needed: 3, helped: 1, needless: 2 }), "observe");
    assert.equal(suggest("observe", {}, { helped: 5 }), "reversible");
    assert.equal(suggest("reversible", { needless: 5 }, { helped: 5 }), "reversible");
  });

  it("falls when fixes of a kind that is allowed were mostly needless, denied or did not help", () => {
    assert.equal(suggest("disruptive", { failed: 3, helped: 2 }), "reversible");
    assert.equal(suggest("disruptive", { denied: 5 }), "reversible");
    assert.equal(suggest("disruptive", { failed: 2, helped: 3 }), "disruptive");
    assert.equal(suggest("disruptive", { failed: 4 }), "disruptive");
    assert.equal(suggest("reversible", {}, { needless: 5 }), "observe");
    assert.equal(suggest("observe", { failed: 9 }, { failed: 9 }), "observe");
  });

  it("is never above disruptive", () => {
    assert.equal(suggest("disruptive", { helped: 1000 }, { helped: 1000 }), "disruptive");
  });
});
