// What the owner allows, on a real host: without trust nothing is changed and the plan is told; what is protected stays
// alone whoever asks; and a person's `--yes` runs a fix, whether or not a serve runs.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import * as v from "valibot";
import { hostsShape, toolAnswerShape } from "../../core/http/shapes.ts";
import { inHost, operatorSsh, onHost } from "../../scripts/lab/lab.ts";
import type { ServeProcess } from "../../scripts/lab/serving.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { count, dockerActions, dockerNow, removeContainer, runOf, startContainer } from "./real-host.ts";

// Two hosts, so neither has to wait for the other.
describe("trust", { timeout: 150_000, concurrency: true }, () => {
  describe("on a host that is only observed", { timeout: 120_000, concurrency: 1 }, () => {
    const host = "vega";
    let medic: OwnMedic;
    let began: string;
    before(async () => {
      medic = await ownMedic((file) => {
        const entry = file.hosts[host];
        if (entry !== undefined) Object.assign(entry, { trust: "observe", protect: ["guarded"] });
      });
    });
    beforeEach(async () => {
      await Promise.all(
        ["subject", "guarded"].map((name) => startContainer(host, name, "--restart unless-stopped", "exec sleep 3600")),
      );
      await operatorSsh(host, "docker stop -t 0 subject guarded");
      began = await dockerNow(host);
    });
    after(async () => {
      await medic.remove();
      await Promise.all(["subject", "guarded"].map((name) => removeContainer(host, name)));
    });
    const yes = ["--name", "subject", "--graceSeconds", "1", "--yes"];

    describe("with a serve", () => {
      let serve: ServeProcess;
      before(async () => {
        serve = await medic.serve();
      });
      after(() => serve.stop());

      it("asks a person with what it would run, and runs none of it", async () => {
        const id = await medic.alert({ host, service: "subject", name: "ContainerDown" });
        const { incident, events } = await medic.untilOver(id, 30);
        assert.equal(incident.state.is, "awaiting-approval");
        const asked = events.find((event) => event.kind === "approval-requested");
        assert.equal(asked?.tool, "docker_start");
        const ofSubject = await onHost(host, "docker inspect -f '{{.Id}}' subject");
        assert.deepEqual(asked?.steps, [["root", "docker", "start", "--", ofSubject]]);
        assert.deepEqual(await dockerActions(host, "subject", began), []);
        const told = await medic.verb("explain", id);
        assert.match(told.stdout, /\$ sudo docker start -- [0-9a-f]{64}/);
        assert.match(told.stdout, /"docker_start" is reversible and "vega" has trust: observe/);
      });

      it("plans nothing for what is protected", async () => {
        const id = await medic.alert({ host, service: "guarded", name: "ContainerDown" });
        const { incident } = await medic.untilOver(id, 30);
        const state = incident.state;
        assert.match(state.is === "escalated" ? state.reason : "", /"guarded" is protected on "vega"/);
        assert.equal(state.is === "escalated" && state.planned, undefined);
        assert.deepEqual(await dockerActions(host, "guarded", began), []);
      });

      it("runs a fix that a person agrees to, through that serve", async () => {
        const commands = await commandsOf(serve, host);
        const { exit, stdout, stderr } = await medic.verb("tool", host, "docker_restart", ...yes, "--json");
        assert.equal(exit, 0, stderr);
        const answer = v.parse(toolAnswerShape, JSON.parse(stdout));
        assert.deepEqual([answer.tool, answer.outcome], ["docker_restart", "fixed"]);
        assert.equal(count(await dockerActions(host, "subject", began), "restart"), 1);
        assert.match(await runOf(host, "subject"), /^running /);
        assert.ok((await commandsOf(serve, host)) > commands, "the serve ran no command for it");
        const record = medic.journal((journal) => journal.incidents({ limit: 1 }))[0];
        assert.match(record?.key ?? "", /^vega\/docker:by-hand\/docker_restart/);
        assert.equal(record?.state.is, "resolved");
      });
    });

    describe("without a serve", () => {
      it("runs a fix that a person agrees to", async () => {
        const { exit, stdout, stderr } = await medic.verb("tool", host, "docker_restart", ...yes);
        assert.equal(exit, 0, stderr);
        assert.match(stdout, /^fixed: healthy for/);
        assert.equal(count(await dockerActions(host, "subject", began), "restart"), 1);
      });

      it("runs none that nobody agrees to", async () => {
        const { exit, stderr } = await medic.verb("tool", host, "docker_restart", "--name", "subject");
        assert.equal(exit, 2);
        assert.match(stderr, /it changes "vega" \(disruptive\)\. Add --yes to agree/);
        assert.deepEqual(await dockerActions(host, "subject", began), []);
      });

      it("runs none on what is protected, whoever agrees", async () => {
        const { exit, stdout } = await medic.verb("tool", host, "docker_restart", "--name", "guarded", "--yes");
        assert.equal(exit, 1);
        assert.match(stdout, /^refused: "guarded" is protected on "vega"/);
        assert.deepEqual(await dockerActions(host, "guarded", began), []);
      });

      it("looks without being asked twice", async () => {
        const { exit, stdout } = await medic.verb("tool", host, "docker_status", "--name", "subject", "--json");
        assert.equal(exit, 0);
        assert.equal(v.parse(toolAnswerShape, JSON.parse(stdout)).outcome, "found");
      });

      it("takes a name that looks like an option for no name", async () => {
        const { exit, stderr } = await medic.verb("tool", host, "docker_restart", "--name=--all", "--yes");
        assert.equal(exit, 2);
        assert.match(stderr, /--name: a container's name/);
        assert.deepEqual(await dockerActions(host, "subject", began), []);
      });
    });
  });

  describe("on a host whose trust is reversible", { timeout: 60_000, concurrency: 1 }, () => {
    const host = "atlas";
    let medic: OwnMedic;
    before(async () => {
      medic = await ownMedic((file) => {
        const entry = file.hosts[host];
        if (entry !== undefined) entry.trust = "reversible";
      });
      await startContainer(host, "subject", "--restart unless-stopped", "exec sleep 3600");
    });
    after(async () => {
      await medic.remove();
      await removeContainer(host, "subject");
    });

    it("starts what is stopped, and does not restart what runs", async () => {
      await onHost(host, "docker stop -t 0 subject");
      const began = await dockerNow(host);
      const started = await medic.verb("investigate", "--host", host, "--service", "subject");
      assert.equal(started.exit, 0, started.stdout + started.stderr);
      assert.match(started.stdout, /resolved by medic/);
      assert.equal(count(await dockerActions(host, "subject", began), "start"), 1);

      const sick = "--restart unless-stopped --health-cmd false --health-interval 1s --health-retries 1";
      await startContainer(host, "subject", sick, "exec sleep 3600");
      await onHost(host, "sleep 2");
      const unhealthy = await dockerNow(host);
      const asked = await medic.verb("investigate", "--host", host, "--service", "subject");
      assert.equal(asked.exit, 1, asked.stdout + asked.stderr);
      assert.match(asked.stdout, /"docker_restart" is disruptive and "atlas" has trust: reversible/);
      assert.equal(count(await dockerActions(host, "subject", unhealthy), "restart"), 0);
      assert.equal((await inHost(host, ["docker", "inspect", "-f", "{{.State.Running}}", "subject"])).stdout, "true\n");
    });
  });
});

async function commandsOf(serve: ServeProcess, host: string): Promise<number> {
  const { hosts } = v.parse(hostsShape, await serve.get("/hosts"));
  return hosts.find((each) => each.host === host)?.commands ?? 0;
}
