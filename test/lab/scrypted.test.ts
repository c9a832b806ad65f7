// Scrypted when it is not simply stopped: hung, sick, with its database held by a second one, or dying again and again.
// What a restart mends is restarted once; what it cannot mend goes to a person, and is not tried again.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { labHost, readLab } from "../../scripts/lab/lab.ts";
import {
  count,
  dockerActions,
  dockerNow,
  onHost,
  ownMedic,
  type OwnMedic,
  removeContainer,
  restoreScrypted,
  scryptedVolume,
  type Story,
} from "./real-host.ts";

const host = "atlas";
const { address } = labHost(host, readLab());
const second = `--network host --log-driver json-file -e SCRYPTED_SERVER_ADDRESS=${address} \
  -v ${scryptedVolume}:/server/volume ghcr.io/koush/scrypted`;

describe("a Scrypted that is not simply stopped", { timeout: 200_000 }, () => {
  let medic: OwnMedic;
  let began: string;
  const configure = (limits: Record<string, string>, startAllowanceSeconds = 1): void =>
    medic.configure((file) => {
      Object.assign(file.limits, limits);
      Object.assign(file.hosts[host]?.plugins["scrypted"] ?? {}, { startAllowanceSeconds });
    });
  before(async () => {
    medic = await ownMedic();
  });
  beforeEach(async () => {
    await restoreScrypted(host);
    began = await dockerNow(host);
  });
  afterEach(() => removeContainer(host, "second"));
  after(async () => {
    await medic.remove();
    await restoreScrypted(host);
  });
  const alerted = async (work: (id: string) => Promise<void>): Promise<void> => {
    const serve = await medic.serve();
    const alert = { host, service: "scrypted", name: "ScryptedDown" };
    try {
      await work(await medic.alert(alert));
    } finally {
      // Or what was left to a person would take in the next test's alert.
      await medic.alert({ ...alert, status: "resolved" });
      await serve.stop();
    }
  };
  const restarts = async (): Promise<number> => count(await dockerActions(host, "scrypted", began), "restart");

  it("is restarted once when it hangs, and proven well when that helped", async () => {
    configure({});
    await onHost(host, `touch ${scryptedVolume}/hang`);
    await alerted(async (id) => {
      await medic.untilStory(id, has("fix-started"), 60);
      await onHost(host, `rm ${scryptedVolume}/hang`);
      const { incident, events } = await medic.untilOver(id, 60);
      assert.equal(incident.state.is === "resolved" && incident.state.by, "medic", JSON.stringify(incident.state));
      const reason = events.flatMap((event) => (event.kind === "fix-started" ? [event.input] : []));
      assert.deepEqual(reason, [{ reason: "no answer within 10 s" }]);
      assert.equal(await restarts(), 1);
    });
  });

  it("is left to a person when it stays sick after a restart, and is not restarted again", async () => {
    configure({ incident: "12s" });
    await onHost(host, `touch ${scryptedVolume}/sick`);
    await alerted(async (id) => {
      const { incident } = await medic.untilOver(id, 60);
      const reason = incident.state.is === "escalated" ? incident.state.reason : "";
      assert.match(reason, /longer than 12 s .*"scrypted_restart".* was being verified\. It ran: look at the host/);
      assert.deepEqual(
        incident.attempts.map(({ outcome }) => outcome),
        ["unverified"],
      );
      // The monitor goes on about it: the same incident, and no second restart.
      assert.equal(await medic.alert({ host, service: "scrypted", name: "ScryptedDown" }), id);
      await onHost(host, "sleep 3");
      assert.equal(await restarts(), 1);
    });
  });

  it("is not restarted while it is young", async () => {
    configure({ incident: "10s" }, 600);
    await onHost(host, `docker restart scrypted && touch ${scryptedVolume}/sick`);
    began = await dockerNow(host);
    await alerted(async (id) => {
      const { incident } = await medic.untilOver(id, 60);
      assert.match(incident.state.is === "escalated" ? incident.state.reason : "", /longer than 10 s/);
      assert.deepEqual(incident.attempts, []);
      assert.equal(await restarts(), 0);
    });
  });

  it("is not started beside a second one that holds its database and its ports", async () => {
    configure({});
    await onHost(host, `docker stop scrypted && docker run -d --name second ${second} && sleep 1`);
    began = await dockerNow(host);
    await alerted(async (id) => {
      const { incident } = await medic.untilOver(id, 60);
      const reason = incident.state.is === "escalated" ? incident.state.reason : JSON.stringify(incident.state);
      assert.match(reason, /a second instance|it is down, but .* \(pid \d+\) holds its port 10443/);
      assert.deepEqual(incident.attempts, []);
      assert.equal(await restarts(), 0);
    });
  });

  it("is not restarted when docker restarts it again and again", async () => {
    configure({});
    // Its database belongs to a second one, so each of its runs ends at once.
    await onHost(host, `docker stop scrypted && docker run -d --name second ${second} && sleep 1`);
    await onHost(host, "docker start scrypted; sleep 4");
    began = await dockerNow(host);
    await alerted(async (id) => {
      const { incident } = await medic.untilOver(id, 60);
      const reason = incident.state.is === "escalated" ? incident.state.reason : JSON.stringify(incident.state);
      assert.match(reason, /it keeps dying/);
      assert.equal(await restarts(), 0);
    });
  });
});

function has(kind: string): (story: Story) => boolean {
  return ({ events }) => events.some((event) => event.kind === kind);
}
