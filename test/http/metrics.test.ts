import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { metricsText, metricsType, type Measured } from "../../core/http/metrics.ts";
import { facts, fixStarted } from "../incident/world.ts";
import { frontDoor, statistics, webhook } from "./front-door.ts";

const measured: Measured = {
  hosts: [statistics],
  channels: [{ channel: "phone", sent: 3, failed: 2, givenUp: 1, waiting: 4 }],
  tallies: { incidents: { open: 2, "awaiting-approval": 1 }, fixes: { fixed: 3 } },
  states: ["open", "resolved"],
  isReady: true,
};

/** A line of the text format: a comment with its name, or a sample. */
const line = /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="(\\[\\"n]|[^\\"\n])*",?)+\})? [0-9.e+-]+)$/;

describe("the metrics", () => {
  const text = metricsText(measured);

  it("are in Prometheus' text format, each family with one HELP and one TYPE before its samples", () => {
    assert.ok(text.endsWith("\n") && !text.includes("\n\n"));
    let family = "";
    const seen = new Set<string>();
    for (const one of text.trimEnd().split("\n")) {
      assert.match(one, line);
      const [, kind, name = ""] = /^# (HELP|TYPE) (\S+)/.exec(one) ?? [];
      if (kind === "HELP") {
        assert.ok(!seen.has(name), `${name} twice`);
        seen.add((family = name));
      } else if (kind === "TYPE") assert.equal(name, family);
      else assert.ok(one.startsWith(family), one);
    }
  });

  it("have what waits for a person, and what became of messages", () => {
    for (const wanted of [
      "medic_approvals_pending 1",
      'medic_notifications_total{channel="phone",outcome="sent"} 3',
      'medic_notifications_total{channel="phone",outcome="failed"} 2',
      'medic_notifications_total{channel="phone",outcome="given-up"} 1',
      'medic_notifications_waiting{channel="phone"} 4',
    ])
      assert.ok(text.split("\n").includes(wanted), wanted);
  });

  it("have the host's counters, closes by reason and phases", () => {
    for (const wanted of [
      'medic_ssh_dials_total{host="nexus"} 1',
      'medic_ssh_reuses_total{host="nexus"} 12',
      'medic_ssh_commands_total{host="nexus"} 13',
      'medic_ssh_refused_opens_total{host="nexus"} 0',
      'medic_ssh_closes_total{host="nexus",reason="idle"} 1',
      'medic_ssh_connections{host="nexus"} 1',
      'medic_ssh_channel_limit{host="nexus"} 10',
      'medic_ssh_warm_channels{host="nexus"} 1',
      'medic_ssh_phase_seconds{host="nexus",phase="dial",quantile="0.95"} 0.02',
      'medic_ssh_phase_seconds_sum{host="nexus",phase="run"} 0.13',
      'medic_ssh_phase_seconds_count{host="nexus",phase="run"} 13',
      'medic_incidents{state="open"} 2',
      'medic_incidents{state="resolved"} 0',
      'medic_fixes_total{outcome="fixed"} 3',
      "medic_ready 1",
    ])
      assert.ok(text.split("\n").includes(wanted), `${wanted} is missing in\n${text}`);
  });

  it("escape what a label may hold", () => {
    const odd = metricsText({ ...measured, hosts: [{ ...statistics, closes: { 'a"b\\c\nd': 1 } }] });
    assert.ok(odd.includes('reason="a\\"b\\\\c\\nd"} 1\n'), odd);
  });

  it("leave out this machine, which is reached without a connection", () => {
    assert.doesNotMatch(metricsText({ ...measured, hosts: [{ ...statistics, transport: "local" }] }), /nexus/);
  });
});

describe("GET /metrics", () => {
  it("counts incidents by state and fixes by outcome, out of the journal", async () => {
    const { ask, post, journal } = frontDoor();
    await post("/webhooks/alertmanager", webhook({}, { service: "other" }));
    const [record] = journal.incidents();
    assert.ok(record);
    const { id: incident } = record;
    journal.append([
      { incident, ...fixStarted },
      {
        incident,
        kind: "fix-judged",
        tool: "docker_restart",
        input: {},
        outcome: "not-fixed",
        facts,
        why: "still down",
      },
    ]);
    const response = await ask("/metrics");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), metricsType);
    const lines = (await response.text()).split("\n");
    assert.ok(lines.includes('medic_fixes_total{outcome="not-fixed"} 1'), lines.join("\n"));
    assert.ok(lines.includes('medic_incidents{state="open"} 1'), lines.join("\n"));
    assert.ok(lines.includes('medic_incidents{state="escalated"} 0'), lines.join("\n"));
  });

  it("needs a token", async () => {
    const { app } = frontDoor();
    assert.equal((await app.request("/metrics")).status, 401);
  });

  it("says that nothing can be stored", async () => {
    const { ask } = frontDoor({ trouble: () => "the disk is full" });
    assert.match(await (await ask("/metrics")).text(), /^medic_ready 0$/m);
  });
});
