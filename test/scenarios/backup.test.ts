// A copy of the journal and the question whether `serve` is well, as a person or a container asks for them.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { firing, startScenario, type Served } from "../support/scenario.ts";

async function alertOf(service: string, { ask }: Served): Promise<void> {
  // Of no host that hosts.yaml knows: left to a person at once, so nothing goes on in the background.
  const body = JSON.stringify(firing({ host: "stranger", service }));
  assert.equal((await ask("/webhooks/alertmanager", { method: "POST", body })).status, 202);
}

describe("medic backup", () => {
  it("copies the journal while serve writes it; the copy verifies, and restores what was there", async () => {
    await using scenario = await startScenario();
    await using served = await scenario.serve();
    await alertOf("one", served);
    const file = join(scenario.folder, "copy.sqlite");
    const made = (await scenario.medicJson("backup", file)) as { events: number; bytes: number; head: object };
    assert.equal(made.bytes, statSync(file).size);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await alertOf("two", served);
    const audited = (await scenario.medicJson("audit", "verify", file)) as Record<string, unknown>;
    assert.deepEqual([audited["intact"], audited["events"], audited["head"]], [true, made.events, made.head]);
    const now = (await scenario.medicJson("audit", "verify")) as { events: number };
    assert.ok(now.events > made.events);
    await served.stop();

    // As docs/install.md says it.
    const data = join(scenario.folder, "data");
    for (const name of readdirSync(data).filter((name) => name.startsWith("journal.sqlite"))) rmSync(join(data, name));
    renameSync(file, join(data, "journal.sqlite"));
    await using again = await scenario.serve();
    const { incidents } = (await (await again.ask("/incidents")).json()) as { incidents: { key: string }[] };
    assert.deepEqual(
      incidents.map(({ key }) => key),
      ["?stranger/one"],
    );
    await again.stop();
  });

  it("overwrites nothing, and leaves nothing where it cannot be made", async () => {
    await using scenario = await startScenario();
    const none = await scenario.medic("backup", "copy.sqlite");
    assert.equal(none.code, 2);
    assert.match(none.stderr, /there is none yet\. Start medic serve first/);
    await using served = await scenario.serve();
    await alertOf("one", served);
    await served.stop();
    writeFileSync(join(scenario.folder, "taken"), "mine");
    writeFileSync(join(scenario.folder, "copy.new"), "mine");
    assert.equal((await scenario.medic("backup", "copy")).code, 0);
    assert.equal(statSync(join(scenario.folder, "copy.new")).size, 4);
    const taken = await scenario.medic("backup", "taken");
    assert.equal(taken.code, 2);
    assert.match(taken.stderr, /Cannot back up the journal to ".*taken": it is there already/);
    assert.equal(statSync(join(scenario.folder, "taken")).size, 4);
    const nowhere = await scenario.medic("backup", "no-such-folder/copy");
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.stderr, /its folder cannot be written/);

    const database = new DatabaseSync(join(scenario.folder, "data", "journal.sqlite"));
    database.exec("DROP TRIGGER events_are_final; UPDATE events SET body = replace(body, 'one', 'two')");
    database.close();
    const broken = await scenario.medic("backup", "broken");
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /it is broken at event 1/);
    assert.deepEqual(
      readdirSync(scenario.folder).filter((name) => name.startsWith("broken")),
      [],
    );
  });
});

describe("the data folder of an older Medic", () => {
  it("is refused to readers, taken over by serve with a copy of it kept, and goes on", async () => {
    await using scenario = await startScenario();
    const data = join(scenario.folder, "data");
    mkdirSync(data, { mode: 0o700 });
    // As that Medic left it: Scrypted was stopped and started again by it, and an alert named a host that it did not know.
    const fixture = readFileSync(join(import.meta.dirname, "../fixtures/journal-form-1.sqlite.gz"));
    writeFileSync(join(data, "journal.sqlite"), gunzipSync(fixture), { mode: 0o600 });
    // The fixture grows old; that is not what goes on here.
    const file = join(scenario.folder, "hosts.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("data: ./data", "data: ./data\n  retain: 0"), {
      mode: 0o600,
    });
    const early = await scenario.medic("incidents");
    assert.equal(early.code, 2);
    assert.match(early.stderr, /it is of an older form\. Start medic serve once/);

    await using served = await scenario.serve();
    type Shown = { incidents: { id: string; key: string; state: { is: string; by?: string } }[] };
    const { incidents } = (await (await served.ask("/incidents")).json()) as Shown;
    assert.deepEqual(
      incidents.map(({ key, state }) => [key, state.is, state.by]),
      [
        ["?stranger/lamp", "escalated", undefined],
        ["nexus/scrypted:scrypted", "resolved", "medic"],
      ],
    );
    await alertOf("one", served);
    const audited = (await scenario.medicJson("audit", "verify")) as { intact: boolean };
    assert.equal(audited.intact, true);
    await served.stop();
    const kept = new DatabaseSync(join(data, "journal.sqlite.form-1"), { readOnly: true });
    assert.equal(kept.prepare("PRAGMA user_version").get()?.["user_version"], 1);
    kept.close();
    const told = await scenario.medic("explain", incidents[1]?.id ?? "");
    assert.match(told.stdout, /scrypted_restart[\s\S]*fixed/);
    for (const verb of ["incidents", "report"]) assert.equal((await scenario.medic(verb)).code, 0, verb);
  });
});

describe("medic healthcheck", () => {
  it("says 0 of a serve that is well, by hosts.yaml or by its data folder alone", async () => {
    await using scenario = await startScenario();
    await using served = await scenario.serve();
    assert.deepEqual(await scenario.medicJson("healthcheck"), { well: true });
    // A hosts.yaml that was just broken does not make a serve sick that goes on with the one from before.
    writeFileSync(join(scenario.folder, "hosts.yaml"), "hosts: {}");
    const told = await scenario.medic("healthcheck", "--data", "data");
    assert.equal(told.code, 0, told.stdout + told.stderr);
    assert.equal(told.stdout, "medic serve is well\n");
    await served.stop();
  });

  it("says 1 when none runs, when it died, and when it cannot write its journal", async () => {
    await using scenario = await startScenario();
    const never = await scenario.medic("healthcheck");
    assert.equal(never.code, 1);
    assert.match(never.stdout, /not well: none runs on ".*data"/);
    mkdirSync(join(scenario.folder, "data"));
    const note = join(scenario.folder, "data", "serve.json");
    writeFileSync(note, JSON.stringify({ url: "http://127.0.0.1:1", token: "x", pid: 1 }));
    const died = await scenario.medic("healthcheck");
    assert.equal(died.code, 1);
    assert.match(died.stdout, /Cannot reach medic serve at http:\/\/127\.0\.0\.1:1/);
    rmSync(note);

    await using served = await scenario.serve();
    const database = new DatabaseSync(join(scenario.folder, "data", "journal.sqlite"));
    database.exec(
      "CREATE TRIGGER in_the_way BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'database is malformed'); END",
    );
    await served.ask("/webhooks/alertmanager", { method: "POST", body: JSON.stringify(firing({ host: "stranger" })) });
    database.exec("BEGIN IMMEDIATE");
    const sick = await scenario.medic("healthcheck", "--json");
    assert.equal(sick.code, 1, sick.stdout);
    assert.match(String(JSON.parse(sick.stdout).why), /journal/);
    database.exec("ROLLBACK");
    database.close();
    assert.equal((await scenario.medic("healthcheck")).code, 0);
    await served.stop();
    assert.equal(existsSync(note), false);
  });
});
