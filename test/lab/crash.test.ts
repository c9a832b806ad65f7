// What a Medic that was killed leaves to the next one, beside what `npm run test:crash` counts: the world that changed
// meanwhile, and the data folder.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { onHost } from "../../scripts/lab/lab.ts";
import { ownMedic, type OwnMedic, type Story } from "../../scripts/lab/own-medic.ts";
import { count, dockerActions, dockerNow, restoreScrypted, scryptedVolume } from "./real-host.ts";

const host = "vega";

describe("a Medic that is killed", { timeout: 180_000 }, () => {
  let medic: OwnMedic;
  before(async () => {
    await restoreScrypted(host);
  });
  after(async () => {
    await restoreScrypted(host);
  });
  const withMedic = async (work: () => Promise<void>): Promise<void> => {
    medic = await ownMedic();
    try {
      await work();
      assert.equal(medic.journal((journal) => journal.verify()).intact, true);
    } finally {
      await medic.remove();
    }
  };

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
