import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sinceOf } from "../../core/cli/since.ts";
import { canonical, GENESIS, linkOf } from "../../core/incident/chain.ts";
import { FILE, openJournal } from "../../core/incident/journal.ts";
import { alert, world } from "../incident/world.ts";
import { eventually, firing, type Scenario, startScenario } from "../support/scenario.ts";

const DAY_MS = 86_400_000;

/** Two incidents that ended so many days ago. */
function written(scenario: Scenario, daysAgo: number): { file: string; head: string } {
  const folder = join(scenario.folder, "data");
  const journal = openJournal(folder, { now: () => Date.now() - daysAgo * DAY_MS });
  const { record } = world({ journal });
  for (const service of ["caddy", "redis"]) {
    const target = { host: "nexus", plugin: "docker", service };
    const opening = {
      incident: `20260101-0000-${service}`,
      kind: "incident-opened",
      key: `nexus/docker:${service}`,
    } as const;
    journal.append([{ ...opening, target, alert: alert({ service }) }]);
    record(opening.incident, { kind: "resolved", by: "itself", why: "well" });
  }
  const { sequence, hash } = journal.head();
  journal.close();
  return { file: join(folder, FILE), head: `${sequence}:${hash}` };
}

describe("medic audit verify", () => {
  it("says that all is there, and what came after a head that was kept", async () => {
    await using scenario = await startScenario();
    const { head } = written(scenario, 0);
    const { code, stdout } = await scenario.medic("audit", "verify", "--head", head);
    assert.equal(code, 0);
    assert.ok(stdout.includes(`Intact: 4 events, the last one is ${head}\n`));
    assert.match(stdout, /The head given is event 4; 0 came after it/);
    assert.equal((await scenario.medic("audit", "head")).stdout, `${head}\n`);
    const [, hash] = head.split(":");
    assert.deepEqual(await scenario.medicJson("audit", "head"), { sequence: 4, hash });
    const told = await scenario.medicJson("audit", "verify", "--head", hash?.slice(0, 12) ?? "");
    const kept = { is: "found", sequence: 4, eventsAfter: 0 };
    assert.deepEqual(told, { intact: true, events: 4, head: { sequence: 4, hash }, kept });
  });

  it("works beside a running serve and on a copy anywhere, which needs no hosts.yaml", async () => {
    await using scenario = await startScenario();
    const { file, head } = written(scenario, 0);
    await using serve = await scenario.serve();
    await serve.ask("/webhooks/alertmanager", { method: "POST", body: JSON.stringify(firing({ host: "nobody" })) });
    assert.match((await scenario.medic("audit", "verify", "--head", head)).stdout, /event 4; 2 came after it/);
    await serve.stop();
    const copy = join(scenario.folder, "copy.sqlite");
    copyFileSync(file, copy);
    assert.equal((await scenario.medic("audit", "verify", copy, "--config", "/none")).code, 0);
    await using empty = await startScenario();
    assert.match((await empty.medic("audit", "verify")).stderr, /there is none yet. Start medic serve first/);
    const missing = await scenario.medic("audit", "verify", `${copy}.none`);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /there is no such file/);
  });

  it("names the event of a tampered byte and ends with 1, and finds a tail that was cut off", async () => {
    await using scenario = await startScenario();
    const { file, head } = written(scenario, 0);
    const bytes = readFileSync(file);
    const at = bytes.indexOf('redis","kind":"incident-opened"');
    assert.ok(at > 0);
    bytes.write("R", at);
    const tampered = join(scenario.folder, "tampered.sqlite");
    writeFileSync(tampered, bytes);
    const { code, stdout } = await scenario.medic("audit", "verify", tampered);
    assert.equal(code, 1);
    assert.equal(stdout, "Broken at event 3: its content is not what was written.\n");
    const json = await scenario.medicJson("audit", "verify", tampered);
    assert.deepEqual(json, { intact: false, sequence: 3, why: "its content is not what was written" });
    // Cut off: a journal that never had the last event.
    const other = join(scenario.folder, "short");
    const journal = openJournal(other, { now: Date.now });
    journal.close();
    const cut = await scenario.medic("audit", "verify", other, "--head", head);
    assert.equal(cut.code, 1);
    assert.match(cut.stdout, /Cut off or replaced: no event is "4:/);
  });

  it("refuses a head that is none", async () => {
    await using scenario = await startScenario();
    written(scenario, 0);
    for (const head of ["", "abc", "4:", "x".repeat(64), `4:${"A".repeat(64)}`]) {
      const { code, stderr } = await scenario.medic("audit", "verify", "--head", head);
      assert.equal(code, 2, head);
      assert.match(stderr, /Cannot read --head/);
    }
  });
});

describe("medic audit export", () => {
  it("prints lines from which anybody can follow the chain", async () => {
    await using scenario = await startScenario();
    const { head } = written(scenario, 0);
    const { code, stdout } = await scenario.medic("audit", "export");
    assert.equal(code, 0);
    let link = GENESIS;
    for (const line of stdout.trimEnd().split("\n")) {
      const { hash, body } = JSON.parse(line) as { hash: string; body: object };
      link = linkOf(link, canonical(body));
      assert.equal(hash, link);
    }
    assert.equal(`4:${link}`, head);
  });

  it("takes a time and an incident, and refuses what is neither", async () => {
    await using scenario = await startScenario();
    written(scenario, 10);
    const lines = async (...args: string[]): Promise<number> =>
      (await scenario.medic("audit", "export", ...args)).stdout.split("\n").length - 1;
    assert.equal(await lines("--since", "11d"), 4);
    assert.equal(await lines("--since", "9d"), 0);
    assert.equal(await lines("--incident", "20260101-0000-caddy"), 2);
    for (const [args, says] of [
      [["--since", "yesterday"], /Cannot read --since "yesterday"/],
      [["--incident", "nothing"], /there is none/],
      [["--all"], /unknown option/],
    ] as const) {
      const { code, stderr } = await scenario.medic("audit", "export", ...args);
      assert.equal(code, 2);
      assert.match(stderr, says);
    }
  });

  it("reads a time in two forms", () => {
    const now = Date.parse("2026-11-26T12:00:00Z");
    assert.equal(sinceOf("30d", now), now - 30 * DAY_MS);
    assert.equal(sinceOf("90s", now), now - 90_000);
    assert.equal(sinceOf("2026-11-01", now), Date.parse("2026-11-01T00:00:00Z"));
    assert.equal(sinceOf("2026-11-01T08:00:00+01:00", now), Date.parse("2026-11-01T07:00:00Z"));
    assert.equal(sinceOf("999999d", now), 0);
    for (const text of ["", "30", "d", "-1d", "2026-13-01", "1", "2026-11-01 08:00"])
      assert.throws(() => sinceOf(text, now), /Cannot read/);
  });
});

describe("medic serve", () => {
  it("removes at its start what is older than server.retain, under a checkpoint that the audit goes on from", async () => {
    await using scenario = await startScenario();
    const { head } = written(scenario, 401);
    await using serve = await scenario.serve();
    await eventually("the journal to be pruned", () => /journal_pruned .*events=4/.test(serve.log()));
    await serve.stop();
    const { code, stdout } = await scenario.medic("audit", "verify", "--head", head);
    assert.equal(code, 0);
    assert.match(stdout, /Intact: 1 events/);
    assert.match(stdout, /It begins after event 4: older ones were removed under checkpoint 5, 20/);
    assert.match(stdout, /The head given is event 4; 1 came after it/);
    assert.match((await scenario.medic("incidents")).stdout, /No incidents yet/);
    const older = await scenario.medic("audit", "verify", "--head", `2:${"a".repeat(64)}`);
    assert.equal(older.code, 3);
    assert.match(older.stderr, /older than the last checkpoint/);
  });

  it("keeps what is younger, and all of it with retain: 0", async () => {
    for (const [daysAgo, retain] of [
      [399, "400d"],
      [5000, "0"],
    ] as const) {
      await using scenario = await startScenario();
      const config = join(scenario.folder, "hosts.yaml");
      writeFileSync(
        config,
        readFileSync(config, "utf8").replace("  data: ./data", `  data: ./data\n  retain: ${retain}`),
      );
      written(scenario, daysAgo);
      await using serve = await scenario.serve();
      await serve.stop();
      assert.match((await scenario.medic("audit", "verify")).stdout, /Intact: 4 events/);
    }
  });
});
