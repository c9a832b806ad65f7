// kill -9 of `serve` at each stage of an incident, on a real host: the next serve carries on or hands over to a person,
// and what docker itself counted says that no fix ran twice.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { until } from "../../scripts/lab/process.ts";
import {
  count,
  dockerActions,
  dockerNow,
  onHost,
  ownMedic,
  type OwnMedic,
  removeContainer,
  restoreScrypted,
  runOf,
  scryptedVolume,
  startContainer,
  type Story,
} from "./real-host.ts";

const host = "vega";

describe("a Medic that is killed", { timeout: 180_000 }, () => {
  let medic: OwnMedic;
  before(async () => {
    await restoreScrypted(host);
  });
  after(async () => {
    await removeContainer(host, "sluggish");
    await restoreScrypted(host);
  });
  const withMedic = async (work: () => Promise<void>, change?: Parameters<typeof ownMedic>[0]): Promise<void> => {
    medic = await ownMedic(change);
    try {
      await work();
      assert.equal(medic.journal((journal) => journal.verify()).intact, true);
    } finally {
      await medic.remove();
    }
  };

  it("as soon as it has taken an alert heals all the same, once it runs again", () =>
    withMedic(async () => {
      const began = await dockerNow(host);
      await onHost(host, "docker stop scrypted");
      const serve = await medic.serve();
      const id = await medic.alert({ host, service: "scrypted", name: "ScryptedDown" });
      await serve.kill();
      await medic.serve();
      const { incident } = await medic.untilOver(id, 40);
      assert.equal(incident.state.is === "resolved" && incident.state.by, "medic", JSON.stringify(incident.state));
      assert.deepEqual(await starts("scrypted", began), { restart: 1, start: 1 });
    }));

  it("while it investigates looks again, and fixes once", () =>
    withMedic(async () => {
      // Young and without a proper answer: the runbook waits half a minute before it looks again.
      await onHost(host, `touch ${scryptedVolume}/sick; docker restart scrypted`);
      const serve = await medic.serve();
      const id = await medic.alert({ host, service: "scrypted", name: "ScryptedDown" });
      await medic.untilStory(id, has("diagnosed"), 40);
      await serve.kill();
      assert.equal(medic.story(id).incident.state.is, "investigating");
      const began = await dockerNow(host);
      await onHost(host, `rm ${scryptedVolume}/sick; docker stop scrypted`);
      await medic.serve();
      const { incident, events } = await medic.untilOver(id, 40);
      assert.equal(incident.state.is === "resolved" && incident.state.by, "medic", JSON.stringify(incident.state));
      assert.ok(events.some((event) => event.kind === "investigation-started" && event.resumed));
      assert.deepEqual(await starts("scrypted", began), { restart: 1, start: 1 });
    }));

  it("while a fix runs hands over to a person, and does not run it again", () =>
    withMedic(async () => {
      // Deaf to TERM and sick for good: its restart takes the ten seconds of grace, and a second one would be tempting.
      const sick = "--restart unless-stopped --health-cmd false --health-interval 1s --health-retries 1";
      await startContainer(host, "sluggish", sick, 'trap "" TERM; while :; do sleep 1; done');
      await onHost(host, "sleep 2");
      const began = await dockerNow(host);
      const before = await runOf(host, "sluggish");
      const serve = await medic.serve();
      const id = await medic.alert({ host, service: "sluggish", name: "ContainerUnhealthy" });
      await medic.untilStory(id, has("fix-started"), 30);
      await serve.kill();
      assert.equal(medic.story(id).incident.state.is, "fixing");
      assert.equal(await runOf(host, "sluggish"), before, "the restart was over before Medic was killed");

      await medic.serve();
      const { incident, events } = await medic.untilOver(id, 20);
      assert.match(incident.state.is === "escalated" ? incident.state.reason : "", /docker_restart.* It may have run/);
      assert.deepEqual(
        incident.attempts.map(({ fix, outcome }) => [fix, outcome]),
        [["docker_restart", "unknown"]],
      );
      assert.equal(events.filter(({ kind }) => kind === "fix-started").length, 1);
      // What had left goes on without Medic, and is done once.
      assert.ok(await until(async () => (await starts("sluggish", began)).restart > 0, 20));
      await onHost(host, "sleep 2");
      assert.deepEqual(await starts("sluggish", began), { restart: 1, start: 1 });
      assert.notEqual(await runOf(host, "sluggish"), before);
    }));

  it("while it verifies looks again, and does not call its own fix proven", () =>
    withMedic(
      async () => {
        const began = await dockerNow(host);
        await onHost(host, "docker stop scrypted");
        const serve = await medic.serve();
        const id = await medic.alert({ host, service: "scrypted", name: "ScryptedDown" });
        await medic.untilStory(id, has("fix-dispatched"), 40);
        await onHost(host, "sleep 2");
        await serve.kill();
        assert.equal(medic.story(id).incident.state.is, "verifying");
        await medic.serve();
        const { incident } = await medic.untilOver(id, 40);
        assert.deepEqual(
          incident.attempts.map(({ fix, outcome }) => [fix, outcome]),
          [["scrypted_restart", "unverified"]],
        );
        assert.equal(incident.state.is === "resolved" && incident.state.by, "itself", JSON.stringify(incident.state));
        assert.deepEqual(await starts("scrypted", began), { restart: 1, start: 1 });
      },
      (file) => void (file.limits["stable"] = "60s"),
    ));

  it("leaves the hosts to the next one: a second serve is refused while the first lives, and not after it", () =>
    withMedic(async () => {
      const serve = await medic.serve();
      const second = await medic.verb("serve");
      assert.equal(second.exit, 2);
      assert.match(second.stderr, /another medic serve uses it \(process \d+/);
      await serve.kill();
      assert.equal(await (await medic.serve()).stop(), 0);
    }));
});

async function starts(container: string, since: string): Promise<{ restart: number; start: number }> {
  const actions = await dockerActions(host, container, since);
  return { restart: count(actions, "restart"), start: count(actions, "start") };
}

function has(kind: string): (story: Story) => boolean {
  return ({ events }) => events.some((event) => event.kind === kind);
}
