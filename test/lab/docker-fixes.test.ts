// Fixes of docker and scrypted that no drill shows, by a person's hand on a real host: made anew and gone back, refused where
// it cannot be done faithfully, leftovers thrown away, a backup kept.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { sweep } from "../../scripts/drill/drill.ts";
import { inHost, onHost } from "../../scripts/lab/lab.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { restoreScrypted, scryptedVolume } from "./real-host.ts";

const host = "atlas";
const name = "drill-anew";
const image = "drill-image:1";
const folder = "/srv/drill-compose";

describe("a fix of docker, by hand", { timeout: 120_000 }, () => {
  let medic: OwnMedic;
  before(async () => {
    medic = await ownMedic();
    await onHost(host, sweep);
  });
  after(async () => {
    await inHost(host, [
      "sh",
      "-c",
      `docker rm -f ${name}; docker rmi -f ${image} medic-rollback:${name}; docker image prune -f`,
    ]);
    await onHost(host, sweep);
    await medic.remove();
  });

  const run = async (tool: string, ...more: string[]): Promise<{ outcome: string; why: string }> => {
    const { stdout, stderr } = await medic.verb("tool", host, tool, ...more, "--yes", "--json");
    assert.match(stdout, /^\{/, stderr);
    return JSON.parse(stdout) as { outcome: string; why: string };
  };
  /** Makes `image` one whose program is missing, as a bad update does. */
  const spoil = `cid=$(docker create ${image} /no-such-program) && docker commit --change 'ENTRYPOINT ["/no-such-program"]' $cid ${image} >/dev/null && docker rm $cid >/dev/null`;

  it("makes a compose container anew, and goes back to its image when the new one cannot be started", async () => {
    await onHost(
      host,
      `mkdir -p ${folder}; docker tag eclipse-mosquitto:2 ${image}; cat > ${folder}/docker-compose.yml <<'FILE'
services:
  web: { image: "${image}", container_name: ${name}, restart: unless-stopped, network_mode: none }
FILE
cd ${folder}; docker-compose up -d 2>/dev/null`,
    );
    const runs = () => onHost(host, `docker inspect -f '{{.State.Status}} {{.Image}}' ${name}`);
    const old = await runs();
    await onHost(host, spoil);
    const { outcome, why } = await run("docker_recreate", "--name", name);
    assert.equal(outcome, "failed", why);
    assert.match(why, /compose failed: .*no-such-program.*; went back to sha256:[0-9a-f]{64}, and it runs again/s);
    assert.equal(await runs(), old);
    assert.equal(await onHost(host, `docker image inspect -f 'running {{.Id}}' ${image}`), old);
  });

  it("throws away images without a name, and nothing else", async () => {
    const images = () => onHost(host, "docker image ls --format '{{.Repository}}:{{.Tag}}' | sort");
    const before = await images();
    assert.match(before, /<none>:<none>/);
    assert.equal((await run("docker_prune_dangling")).outcome, "fixed");
    assert.equal(await images(), before.replaceAll("<none>:<none>\n", ""));
    assert.match((await run("docker_prune_dangling")).why, /no image without a name/);
  });

  it("refuses to make anew what docker run made, with the commands for a person", async () => {
    await onHost(
      host,
      `docker rm -f ${name}; docker run -d --name ${name} --network none --restart always eclipse-mosquitto:2`,
    );
    const { outcome, why } = await run("docker_recreate", "--name", name);
    assert.equal(outcome, "refused");
    assert.match(
      why,
      /was made by docker run.*docker rename drill-anew drill-anew-old;.*--restart always --network none.*eclipse-mosquitto:2/,
    );
  });

  it("keeps a backup that Scrypted makes, and no file that is none", async () => {
    await restoreScrypted(host);
    const { outcome, why } = await run("scrypted_backup");
    assert.equal(outcome, "fixed", why);
    const kept = () => onHost(host, "ls -A /home/medic/scrypted-backups");
    const files = await kept();
    assert.match(files, /^scrypted-[0-9TZ-]+\.zip$/);
    await onHost(host, `python3 -m zipfile -t /home/medic/scrypted-backups/*.zip; touch ${scryptedVolume}/no-backup`);
    const spoilt = await run("scrypted_backup");
    await onHost(host, `rm ${scryptedVolume}/no-backup`);
    assert.equal(spoilt.outcome, "failed");
    assert.match(spoilt.why, /no zip file/);
    assert.equal(await kept(), files);
    await onHost(host, "rm -r /home/medic/scrypted-backups");
  });
});
