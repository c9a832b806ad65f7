// The main job on a real host: a stopped container, a real alert, one restart over one login, and the proof of it.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as v from "valibot";
import { incidentsShape, incidentStoryShape } from "../../core/http/shapes.ts";
import { operatorSsh, readLab, sshdCounts } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/process.ts";
import type { ServeProcess } from "../../scripts/lab/serving.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { allRuns, count, dockerActions, dockerNow, restoreScrypted } from "./real-host.ts";

const host = "atlas";
const lab = readLab();

describe("a stopped Scrypted that a real monitor misses", { timeout: 120_000 }, () => {
  let medic: OwnMedic;
  let serve: ServeProcess;
  let id: string;
  let bystanders: string;
  let began: string;
  let cursor: string;

  before(async () => {
    await restoreScrypted(host);
    medic = await ownMedic(() => {}, Number(new URL(lab.webhookUrl).port));
    serve = await medic.serve();
    bystanders = withoutScrypted(await allRuns(host));
    began = await dockerNow(host);
    ({ cursor } = await sshdCounts(host));
    const stoppedAt = Date.now();
    assert.equal((await operatorSsh(host, "docker stop scrypted")).exit, 0);
    const ours = async () =>
      (await serve.incidents()).find(
        ({ target, openedAt }) => target.host === host && Date.parse(openedAt) >= stoppedAt,
      );
    assert.ok(await until(async () => (await ours()) !== undefined, 30), "no alert within 30 s");
    id = (await ours())?.id ?? "";
  });
  after(async () => {
    await medic.remove();
    await restoreScrypted(host);
  });

  it("is running again by a fix of Medic's, after one restart", async () => {
    const { incident, events } = await medic.untilOver(id, 60);
    assert.equal(incident.key, `${host}/scrypted:scrypted`);
    assert.equal(incident.state.is === "resolved" && incident.state.by, "medic", JSON.stringify(incident.state));
    assert.ok((incident.durationSeconds ?? 99) < 60);
    assert.deepEqual(
      events.flatMap((event) => (event.kind === "fix-judged" ? [event.outcome] : [])),
      ["fixed"],
    );
    const actions = await dockerActions(host, "scrypted", began);
    assert.deepEqual([count(actions, "restart"), count(actions, "start")], [1, 1], actions.join(" "));
  });

  it("was healed over one login, as sshd counts", async () => {
    const { accepted, sessions } = await sshdCounts(host, { key: lab.keys.medic.fingerprint, since: cursor });
    assert.equal(accepted, 1);
    assert.ok(sessions > 15, `${sessions} sessions`);
  });

  it("leaves the bystanders alone", async () => {
    assert.equal(withoutScrypted(await allRuns(host)), bystanders);
  });

  it("hears from the monitor that the alert is over", async () => {
    const { incident, events } = await medic.untilStory(
      id,
      (story) => story.events.some(({ kind }) => kind === "alert-resolved"),
      30,
    );
    assert.deepEqual(incident.firing, []);
    assert.ok(events.some((event) => event.kind === "alert-resolved" && event.allResolved));
    assert.equal(incident.state.is === "resolved" && incident.state.by, "medic");
  });

  it("has its story told, and listed in the shape that is promised", async () => {
    const told = await medic.verb("explain", id);
    assert.equal(told.exit, 0, told.stderr);
    for (const part of [
      /ScryptedDown/,
      /evidence kept: \d{2} diagnostics/,
      /fix scrypted_restart, touching scrypted/,
      /\$ sudo docker restart -t 30 -- [0-9a-f]{12,}/,
      /fixed: healthy for/,
      /resolved by medic/,
      /Why nothing more: the host shows the service well after one fix/,
    ]) {
      assert.match(told.stdout, part);
    }
    const listed = v.parse(incidentsShape, JSON.parse((await medic.verb("incidents", "--json")).stdout));
    assert.ok(listed.incidents.some((incident) => incident.id === id));
    const shown = v.parse(incidentStoryShape, JSON.parse((await medic.verb("explain", id, "--json")).stdout));
    assert.equal(shown.incident.id, id);
  });

  it("keeps no story of an incident that there is none of", async () => {
    const { exit, stderr, stdout } = await medic.verb("explain", "no-such-incident");
    assert.deepEqual([exit, stdout], [2, ""]);
    assert.match(stderr, /Cannot show incident "no-such-incident": there is none/);
  });

  it("lets go of its connection when it is told to stop, and ends with 0", async () => {
    assert.equal(await serve.stop(), 0);
    assert.match(serve.log(), /ssh_connection_closed .*host=?"?atlas/);
    assert.equal(medic.journal((journal) => journal.verify()).intact, true);
  });
});

function withoutScrypted(runs: string): string {
  return runs
    .split("\n")
    .filter((line) => !line.startsWith("/scrypted "))
    .join("\n");
}
