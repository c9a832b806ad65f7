// Scrypted when it is not simply stopped: hung, sick, young, with its database held by a second one, or dying again and
// again. What a restart mends is restarted once; what it cannot mend goes to a person, and is not tried again.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labHost, onHost } from "../../scripts/lab/lab.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { count, dockerActions, dockerNow, removeContainer, restoreScrypted, scryptedVolume } from "./real-host.ts";

const alertOf = (host: string) => ({ host, service: "scrypted", name: "ScryptedDown" });

type Broken = {
  medic: OwnMedic;
  id: string;
  /** How often docker restarted Scrypted because it was told to, since it was broken. */
  restarts(): Promise<number>;
  /** Why it was left to a person. */
  escalated(): Promise<string>;
};

/** Breaks Scrypted, lets a Medic of its own hear of it, and mends everything after `judge`. */
async function breaking(
  host: string,
  how: string,
  judge: (broken: Broken) => Promise<void>,
  { startAllowanceSeconds = 1, incident = "2m" } = {},
): Promise<void> {
  const medic = await ownMedic((file) => {
    file.limits["incident"] = incident;
    Object.assign(file.hosts[host]?.plugins["scrypted"] ?? {}, { startAllowanceSeconds });
  });
  try {
    await restoreScrypted(host);
    await onHost(host, how);
    const began = await dockerNow(host);
    await medic.serve();
    const id = await medic.alert(alertOf(host));
    const escalated = async (): Promise<string> => {
      const { state } = (await medic.untilOver(id, 60)).incident;
      assert.equal(state.is, "escalated", JSON.stringify(state));
      return state.is === "escalated" ? state.reason : "";
    };
    const restarts = async () => count(await dockerActions(host, "scrypted", began), "restart");
    await judge({ medic, id, restarts, escalated });
  } finally {
    await medic.remove();
    await removeContainer(host, "second");
    await restoreScrypted(host);
  }
}

/** What a person does who starts Scrypted twice: the second one takes the ports and the database of the stopped one. */
function takeOver(host: string): string {
  const address = `-e SCRYPTED_SERVER_ADDRESS=${labHost(host).address}`;
  const second = `--network host ${address} -v ${scryptedVolume}:/server/volume ghcr.io/koush/scrypted`;
  return `docker stop scrypted && docker run -d --name second ${second} && sleep 1`;
}

// Each host has its own Scrypted, so the hosts need not wait for each other.
describe("a Scrypted that is not simply stopped", { timeout: 150_000, concurrency: true }, () => {
  it("is restarted once when it hangs, and proven well when that helped", () =>
    breaking("nexus", `touch ${scryptedVolume}/hang`, async ({ medic, id, restarts }) => {
      const begun = await medic.untilStory(id, ({ events }) => events.some(({ kind }) => kind === "fix-started"), 60);
      await onHost("nexus", `rm ${scryptedVolume}/hang`);
      const { incident } = await medic.untilOver(id, 60);
      assert.equal(incident.state.is === "resolved" && incident.state.by, "medic", JSON.stringify(incident.state));
      const inputs = begun.events.flatMap((event) => (event.kind === "fix-started" ? [event.input] : []));
      assert.deepEqual(inputs, [{ reason: "no answer within 10 s" }]);
      assert.equal(await restarts(), 1);
    }));

  describe("for good", { concurrency: 1 }, () => {
    const host = "atlas";
    it("is left to a person when it stays sick after a restart, and is not restarted again", () => {
      const judge = async ({ medic, id, restarts, escalated }: Broken): Promise<void> => {
        const reason = await escalated();
        assert.match(reason, /longer than 15 s .*"scrypted_restart".* was being verified\. It ran: look at the host/);
        const outcomes = medic.story(id).incident.attempts.map(({ outcome }) => outcome);
        assert.deepEqual(outcomes, ["unverified"]);
        // The monitor goes on about it: the same incident, and no second restart.
        assert.equal(await medic.alert(alertOf(host)), id);
        await onHost(host, "sleep 3");
        assert.equal(await restarts(), 1);
      };
      return breaking(host, `touch ${scryptedVolume}/sick`, judge, { incident: "15s" });
    });

    it("is not started beside a second one that holds its database and its ports", () =>
      breaking(host, takeOver(host), async ({ medic, id, restarts, escalated }) => {
        assert.match(await escalated(), /a second instance|it is down, but .* \(pid \d+\) holds its port 10443/);
        assert.deepEqual(medic.story(id).incident.attempts, []);
        assert.equal(await restarts(), 0);
      }));
  });

  describe("on its own", { concurrency: 1 }, () => {
    const host = "vega";
    it("is not restarted while it is young", () => {
      const judge = async ({ medic, id, restarts, escalated }: Broken): Promise<void> => {
        assert.match(await escalated(), /longer than 10 s/);
        assert.deepEqual(medic.story(id).incident.attempts, []);
        assert.equal(await restarts(), 0);
      };
      const how = `docker restart scrypted && touch ${scryptedVolume}/sick`;
      return breaking(host, how, judge, { startAllowanceSeconds: 600, incident: "10s" });
    });

    it("is not restarted, nor called well, when docker restarts it again and again", () =>
      // Its database belongs to the second one, so each of its runs ends at once; and the second one answers /login.
      breaking(host, `${takeOver(host)} && docker start scrypted; sleep 4`, async ({ restarts, escalated }) => {
        assert.match(await escalated(), /docker restarted it \d+ times by itself.* it keeps dying/);
        assert.equal(await restarts(), 0);
      }));
  });
});
