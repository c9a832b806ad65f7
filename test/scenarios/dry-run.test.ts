import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { incidentsShape, incidentStoryShape } from "../../core/http/shapes.ts";
import { eventually, firing, type Scenario, type Served, startScenario } from "../support/scenario.ts";

describe("medic serve --dry-run", () => {
  it("plans, shows and writes down what it would do, runs nothing, and sees that the service recovers by itself", async () => {
    await using scenario = await startScenario({ trust: "disruptive" });
    await using serve = await scenario.serve("--dry-run");
    assert.match(serve.log(), /dry_run .*no fix is run, whatever trust allows/);
    await scenario.stopScrypted();
    const state = (): string | undefined =>
      scenario.sandbox.homelab.docker.containers.find(({ name }) => name === "scrypted")?.state.status;
    await serve.ask("/webhooks/alertmanager", {
      method: "POST",
      body: JSON.stringify(firing({ host: "nexus", service: "scrypted" })),
    });
    const story = async () => {
      const { incidents } = v.parse(incidentsShape, await (await serve.ask("/incidents")).json());
      return v.parse(incidentStoryShape, await (await serve.ask(`/incidents/${incidents[0]?.id}`)).json());
    };
    await eventually("the plan to be left to a person", async () => (await story()).incident.state.is === "escalated");
    const planned = (await story()).events.find(({ kind }) => kind === "fix-planned");
    assert.equal(planned?.["wouldBe"], "allow");
    assert.equal(planned?.["tool"], "scrypted_restart");
    assert.equal(state(), "exited");
    const list = (await scenario.medic("incidents")).stdout;
    assert.match(list, /nothing was run: .*dry run: nothing is changed/);
    // Somebody at the console, or a restart policy: not Medic.
    await scenario.sandbox.homelab.run("docker start scrypted");
    await eventually("the end of the observation", async () => (await story()).incident.state.is === "resolved");
    const { incident, events } = await story();
    assert.equal(incident.state["by"], "itself");
    assert.equal(events.find(({ kind }) => kind === "plan-observed")?.["came"], "recovered");
    assert.equal(
      events.some(({ kind }) => kind === "fix-started"),
      false,
    );
    const told = (await scenario.medic("explain", incident.id)).stdout;
    assert.match(told, /dry run, so nothing is run: scrypted_restart, touching scrypted/);
    assert.match(told, /without scrypted_restart: well by itself after \d+ s/);
    assert.match(told, /Why nothing more: it was a dry run/);
    await serve.stop();
    assert.match((await scenario.medic("report")).stdout, /would have fixed 1; 1 recovered by themselves, 0 did not/);
    assert.equal((await scenario.medic("audit", "verify")).code, 0);
  });

  it("runs no fix at a person's word either, and stops while it looks on", async () => {
    await using scenario = await startScenario({ trust: "disruptive" });
    await using serve = await scenario.serve("--dry-run");
    await scenario.stopScrypted();
    const { code, stdout } = await scenario.medic("tool", "nexus", "scrypted_restart", "--reason", "test", "--yes");
    assert.equal(code, 1);
    assert.match(stdout, /refused: dry run: nothing is changed/);
    assert.match(stdout, /docker restart/);
    await serve.ask("/webhooks/alertmanager", {
      method: "POST",
      body: JSON.stringify(firing({ host: "nexus", service: "scrypted" })),
    });
    await eventually("the plan", async () => /nothing was run/.test((await scenario.medic("incidents")).stdout));
    assert.equal((await serve.stop()).code, 0);
    assert.match((await scenario.medic("report")).stdout, /would have fixed 1; .*1 not watched to the end/);
    const scrypted = scenario.sandbox.homelab.docker.containers.find(({ name }) => name === "scrypted");
    assert.equal(scrypted?.state.status, "exited");
  });

  it("would ask where trust does not allow it", async () => {
    await using scenario = await startScenario({ trust: "observe" });
    await using serve = await scenario.serve("--dry-run");
    await scenario.stopScrypted();
    await serve.ask("/webhooks/alertmanager", {
      method: "POST",
      body: JSON.stringify(firing({ host: "nexus", service: "scrypted" })),
    });
    await eventually("the plan", async () =>
      /and a person would be asked/.test((await scenario.medic("incidents")).stdout),
    );
    await serve.stop();
  });
});

describe("medic investigate --dry-run", () => {
  const askAbout = (service: string) => ["investigate", "--host", "nexus", "--service", service, "--dry-run"] as const;
  const isRunning = ({ sandbox }: Scenario, container: string): boolean =>
    sandbox.homelab.docker.containers.find(({ name }) => name === container)?.state.status === "running";
  const incidents = async (serve: Served) =>
    v.parse(incidentsShape, await (await serve.ask("/incidents")).json()).incidents;

  it("is on disk without a serve, and looked on at by the next one until the service recovers by itself", async () => {
    await using scenario = await startScenario({ trust: "disruptive" });
    await scenario.sandbox.homelab.run("docker stop mosquitto");
    const { incident } = v.parse(incidentStoryShape, await scenario.medicJson(...askAbout("mosquitto")));
    assert.equal(incident.state.is, "escalated");
    assert.equal(isRunning(scenario, "mosquitto"), false);
    assert.match((await scenario.medic("incidents")).stdout, /docker:mosquitto\/dry-run\/\S+ +nothing was run: /);
    assert.match(
      (await scenario.medic("explain", incident.id)).stdout,
      /so nothing is run: docker_start.*docker start/s,
    );
    assert.match((await scenario.medic("report")).stdout, /would have fixed 1; .*1 not watched to the end/);
    await using serve = await scenario.serve();
    assert.equal((await incidents(serve))[0]?.state.is, "escalated");
    await scenario.sandbox.homelab.run("docker start mosquitto");
    await eventually("the end of the observation", async () => (await incidents(serve))[0]?.state.is === "resolved");
    assert.match((await scenario.medic("report")).stdout, /would have fixed 1; 1 recovered by themselves, 0 did not/);
    assert.equal((await scenario.medic("audit", "verify")).code, 0);
  });

  it("goes through a serve that heals, which runs no fix for it", async () => {
    await using scenario = await startScenario({ trust: "disruptive" });
    await using serve = await scenario.serve();
    await scenario.stopScrypted();
    const { code, stdout } = await scenario.medic(...askAbout("scrypted"));
    assert.equal(code, 1);
    assert.match(stdout, /dry run, so nothing is run: scrypted_restart, touching scrypted/);
    assert.equal(isRunning(scenario, "scrypted"), false);
    const [asked] = await incidents(serve);
    assert.deepEqual([asked?.onlyPlans, asked?.attempts], [true, []]);
  });
});
