// One file for the edge where a repository is not: it heals a real host, and its arm64 form passes the demo on an emulated
// processor. Deno's arm64 form is not run here: emulated, it takes minutes.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as v from "valibot";
import { operatorSsh } from "../../scripts/lab/lab.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { bareEnvironment, build, type Built, run } from "../binary/built.ts";
import { dockerActions, count, dockerNow, restoreScrypted } from "./real-host.ts";

const host = "nexus";

describe("Medic in one file, on a real host", { timeout: 120_000 }, () => {
  let built: Built;
  let medic: OwnMedic;
  before(async () => {
    await restoreScrypted(host);
    built = build(["node"]);
    medic = await ownMedic();
  });
  after(async () => {
    await medic.remove();
    built.remove();
    await restoreScrypted(host);
  });

  it("heals a stopped Scrypted by one restart", async () => {
    const serve = await medic.serve([built.file("node"), "serve"]);
    const began = await dockerNow(host);
    assert.equal((await operatorSsh(host, "docker stop scrypted")).exit, 0);
    const id = await medic.alert({ host, service: "scrypted", name: "ScryptedDown" });
    const { incident, events } = await medic.untilOver(id, 60);
    assert.equal(incident.state.is === "resolved" && incident.state.by, "medic", JSON.stringify(incident.state));
    assert.deepEqual(
      events.flatMap((event) => (event.kind === "fix-judged" ? [event.outcome] : [])),
      ["fixed"],
    );
    const actions = await dockerActions(host, "scrypted", began);
    assert.deepEqual([count(actions, "restart"), count(actions, "start")], [1, 1], actions.join(" "));
    assert.equal(await serve.stop(), 0);
  });
});

describe("Medic in one file, on arm64", { timeout: 300_000 }, () => {
  const emulator = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"];
  let built: Built;
  before(() => void (built = build(["node"], "arm64")));
  after(() => built.remove());

  it("says what it runs on, and passes its own demo", async () => {
    const folder = built.emptyFolder();
    const medic = (...args: string[]) =>
      run([...emulator, built.file("node"), ...args], folder, bareEnvironment(folder));
    const version = await medic("version", "--json");
    assert.equal(version.code, 0, version.stderr);
    assert.equal(v.parse(v.object({ platform: v.string() }), JSON.parse(version.stdout)).platform, "linux-arm64");
    const demo = await medic("demo", "--json");
    assert.equal(demo.code, 0, demo.stderr);
    assert.equal(v.parse(v.object({ outcome: v.string() }), JSON.parse(demo.stdout)).outcome, "fixed");
  });
});
