import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as v from "valibot";
import { hostsShape, incidentsShape, incidentStoryShape } from "../../core/http/shapes.ts";
import { openJournal } from "../../core/incident/journal.ts";
import { alert } from "../incident/world.ts";
import { eventually, startScenario } from "../support/scenario.ts";

const toolListShape = v.strictObject({
  host: v.string(),
  tools: v.array(
    v.strictObject({
      name: v.string(),
      kind: v.picklist(["diagnostic", "fix"]),
      plugin: v.string(),
      risk: v.optional(v.picklist(["reversible", "disruptive", "destructive"])),
      description: v.string(),
      input: v.looseObject({}),
    }),
  ),
});
const foundShape = v.strictObject({
  host: v.string(),
  kind: v.literal("diagnostic"),
  tool: v.string(),
  input: v.looseObject({}),
  seconds: v.number(),
  outcome: v.literal("found"),
  finding: v.looseObject({}),
});
const fixShape = v.object({
  host: v.string(),
  kind: v.literal("fix"),
  tool: v.string(),
  outcome: v.picklist(["fixed", "recovered", "not-fixed", "unverified", "refused", "failed", "unknown"]),
  why: v.string(),
});

describe("medic tool", () => {
  it("lists a host's tools as text and as JSON", async () => {
    await using scenario = await startScenario();
    const { tools } = v.parse(toolListShape, await scenario.medicJson("tool", "nexus"));
    const { stdout } = await scenario.medic("tool", "nexus");
    for (const { name } of tools) assert.ok(stdout.includes(name), name);
  });

  it("runs a diagnostic, and ends with 3 when the host cannot tell", async () => {
    await using scenario = await startScenario();
    const told = v.parse(foundShape, await scenario.medicJson("tool", "nexus", "docker_status", "--name", "scrypted"));
    assert.equal(told.finding["running"], true);
    const blind = await scenario.medic("tool", "nexus", "docker_logs", "--name", "scrypted");
    assert.equal(blind.code, 3);
    assert.match(blind.stdout, /^unavailable: .*driver/);
  });

  for (const [args, pattern] of [
    [["nobody", "docker_status"], /no such host/],
    [["nexus", "docker_statsu"], /no tool is called so/],
    [["nexus", "docker_status"], /--name/],
    [["nexus", "docker_status", "--name=--help"], /--name/],
    [["nexus", "docker_status", "--name", "x; reboot"], /--name/],
    [["nexus", "docker_status", "--name", "web", "--host", "other"], /--host/],
    [["nexus", "docker_restart", "--name", "scrypted"], /Add --yes to agree/],
  ] as const) {
    it(`ends with 2 and asks no host: medic tool ${args.join(" ")}`, async () => {
      await using scenario = await startScenario();
      const { code, stderr } = await scenario.medic("tool", ...args);
      assert.equal(code, 2);
      assert.match(stderr, pattern);
      assert.equal(scenario.sandbox.counts().accepted, 0);
    });
  }

  it("runs a fix that a person agreed to, above the host's trust, and keeps it in the journal", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    await scenario.stopScrypted();
    const told = v.parse(
      fixShape,
      await scenario.medicJson("tool", "nexus", "scrypted_restart", "--reason", "test", "--yes"),
    );
    assert.equal(told.outcome, "fixed");
    const { incidents } = v.parse(incidentsShape, await scenario.medicJson("incidents"));
    assert.equal(incidents[0]?.state.is, "resolved");
    assert.match(incidents[0]?.key ?? "", /^nexus\/scrypted:by-hand\/scrypted_restart\//);
  });

  it("touches nothing that is protected, even when a person agreed", async () => {
    await using scenario = await startScenario();
    const { code, stdout } = await scenario.medic("tool", "nexus", "docker_restart", "--name", "postgres", "--yes");
    assert.equal(code, 1);
    assert.match(stdout, /refused: .*postgres/);
  });

  it("goes to a running serve with a fix, since the journal has one writer", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const told = v.parse(
      fixShape,
      await scenario.medicJson("tool", "nexus", "scrypted_restart", "--reason", "test", "--yes"),
    );
    assert.equal(told.outcome, "fixed");
    assert.match(serve.log(), /tool_requested .*by="this machine"/);
    await serve.stop();
  });

  it("has its fix watched to the end at the serve, also when whoever asked hangs up", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const hangUp = new AbortController();
    const asked = fetch(new URL("/hosts/nexus/tools/scrypted_restart", serve.url), {
      method: "POST",
      headers: { authorization: `Bearer ${scenario.token}`, "content-type": "application/json" },
      body: JSON.stringify({ input: { reason: "test" }, approved: true }),
      signal: hangUp.signal,
    });
    const incident = async () => {
      const { incidents } = v.parse(incidentsShape, await (await serve.ask("/incidents")).json());
      return incidents[0];
    };
    await eventually("the fix to run", async () => (await incident())?.state.is === "verifying");
    hangUp.abort();
    await assert.rejects(asked);
    await eventually("its verdict", async () => (await incident())?.state.is === "resolved");
    assert.deepEqual(
      (await incident())?.attempts.map(({ outcome }) => outcome),
      ["fixed"],
    );
    await serve.stop();
  });
});

describe("medic investigate", () => {
  it("heals as an alert would, also what a serve left that was killed, and says so as JSON", async () => {
    await using scenario = await startScenario();
    await scenario.stopScrypted();
    const left = openJournal(join(scenario.folder, "data"), { now: Date.now });
    const target = { host: "nexus", plugin: "scrypted", service: "scrypted" };
    left.append([
      { incident: "left", kind: "incident-opened", key: "nexus/scrypted:scrypted", target, alert: alert() },
      { incident: "left", kind: "investigation-started", resumed: false },
    ]);
    left.close();
    const told = await scenario.medicJson("investigate", "--host", "nexus", "--service", "scrypted");
    const { incident } = v.parse(incidentStoryShape, told);
    assert.deepEqual([incident.id, incident.state.is], ["left", "resolved"]);
  });

  it("changes nothing in a dry run, shows the steps, and writes them down", async () => {
    await using scenario = await startScenario();
    await scenario.stopScrypted();
    const { code, stdout } = await scenario.medic(
      "investigate",
      "--host",
      "nexus",
      "--service",
      "scrypted",
      "--dry-run",
    );
    assert.equal(code, 1);
    assert.match(stdout, /dry run, so nothing is run: scrypted_restart, touching scrypted\n.*docker restart/);
    assert.match(stdout, /Why nothing more: it was a dry run/);
    const container = scenario.sandbox.homelab.docker.containers.find(({ name }) => name === "scrypted");
    assert.equal(container?.state.status, "exited");
    assert.match(
      (await scenario.medic("incidents")).stdout,
      /nexus\/scrypted:scrypted\/dry-run\/\S+ +nothing was run: /,
    );
    assert.equal((await scenario.medic("audit", "verify")).code, 0);
  });

  it("is followed from here while serve does the work", async () => {
    await using scenario = await startScenario();
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const { code, stdout } = await scenario.medic("investigate", "--host", "nexus", "--service", "scrypted");
    assert.equal(code, 0);
    assert.match(stdout, /evidence kept/);
    assert.match(serve.log(), /incident_resolved/);
    await serve.stop();
  });

  it("refuses a host and a service that nobody knows", async () => {
    await using scenario = await startScenario();
    assert.equal((await scenario.medic("investigate", "--host", "nexsu")).code, 2);
    assert.equal((await scenario.medic("investigate", "--host", "nexus", "--service", "no-such-thing")).code, 1);
  });
});

describe("medic hosts and incidents", () => {
  it("tell of connections while serve runs, and of the configuration when it does not", async () => {
    const shape = v.object({
      serving: v.boolean(),
      hosts: v.array(
        v.object({ host: v.string(), reachedBy: v.string(), trust: v.string(), plugins: v.array(v.string()) }),
      ),
    });
    await using scenario = await startScenario();
    assert.equal(v.parse(shape, await scenario.medicJson("hosts")).serving, false);
    await using serve = await scenario.serve();
    assert.equal(v.parse(shape, await scenario.medicJson("hosts")).serving, true);
    v.parse(hostsShape, await (await serve.ask("/hosts")).json());
    await serve.stop();
  });

  it("say what is missing when there is no such incident, or none at all", async () => {
    await using scenario = await startScenario();
    const none = await scenario.medic("incidents");
    assert.equal(none.code, 2);
    assert.match(none.stderr, /Start medic serve first/);
    await using serve = await scenario.serve();
    assert.match((await scenario.medic("incidents")).stdout, /No incidents yet/);
    const unknown = await scenario.medic("explain", "2099");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /there is none/);
    await serve.stop();
  });
});

describe("what cannot work ends at once, with one line and 2", () => {
  it("a key that cannot be read", async () => {
    await using scenario = await startScenario();
    await writeFile(scenario.sandbox.identity, "no key at all");
    for (const args of [["serve"], ["tool", "nexus", "docker_list"], ["investigate", "--host", "nexus"]]) {
      const { code, stderr } = await scenario.medic(...args);
      assert.equal(code, 2, args[0]);
      assert.match(stderr, /^Cannot use the key .*medic doctor nexus says what mends it\n$/);
    }
  });

  it("a key that others can read, until its mode is mended as the line says", async () => {
    await using scenario = await startScenario();
    const { identity } = scenario.sandbox;
    for (const mode of [0o640, 0o604]) {
      await chmod(identity, mode);
      const { code, stderr } = await scenario.medic("tool", "nexus", "docker_list");
      assert.equal(code, 2);
      assert.ok(stderr.includes(`others can read it (mode ${mode.toString(8)}): run chmod 600 ${identity}.`), stderr);
    }
    await chmod(identity, 0o600);
    assert.equal((await scenario.medic("tool", "nexus", "docker_list")).code, 0);
  });

  it("a port that is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => void other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await using scenario = await startScenario({ listen: `127.0.0.1:${port}` });
    const { code, stderr } = await scenario.medic("serve");
    assert.equal(code, 2);
    assert.match(stderr, /^Cannot listen on .*the port is taken.*\n$/);
    await new Promise((resolve) => void other.close(resolve));
  });

  it("a data folder that cannot be one", async () => {
    await using scenario = await startScenario();
    await writeFile(join(scenario.folder, "data"), "a file in its place");
    const { code, stderr } = await scenario.medic("serve");
    assert.equal(code, 2);
    assert.match(stderr, /^Cannot open the data folder .*\n$/);
  });
});
