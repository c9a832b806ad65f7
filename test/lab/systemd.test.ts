// Units on a real systemd, healed by hand's request with `medic investigate`: what stopped is started, what fails again
// and again goes to a person with the unit's last words, and a start limit is lifted only to try once.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import * as v from "valibot";
import { incidentStoryShape } from "../../core/http/shapes.ts";
import { inHost, onHost } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/process.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";

const host = "vega";
const unit = "lab-web.service";
const dropIn = `/run/systemd/system/${unit}.d/test.conf`;
const broken = "/var/lib/lab-web/broken";

describe("a systemd unit", { timeout: 150_000 }, () => {
  let medic: OwnMedic;
  before(async () => {
    medic = await ownMedic();
    await restore();
  });
  afterEach(restore);
  after(() => medic.remove());

  /** Exit code, the incident's state, and the fixes that were begun, with their steps. */
  const investigate = async (service = unit) => {
    const { exit, stdout, stderr } = await medic.verb("investigate", "--host", host, "--service", service, "--json");
    assert.match(stdout, /^\{/, stderr);
    const { incident, events } = v.parse(incidentStoryShape, JSON.parse(stdout));
    const state = incident.state as { is: string; by?: string; reason?: string };
    const begun = events.filter(({ kind }) => kind === "fix-started");
    return { exit, state, fixes: begun.map((fix) => fix["tool"]), steps: begun.flatMap((fix) => fix["steps"]) };
  };

  it("that stopped is started, and proven by its new invocation", async () => {
    const run = await invocation();
    await onHost(host, `systemctl stop ${unit}`);
    const { exit, state, fixes } = await investigate();
    assert.deepEqual([exit, state.is, state.by, fixes], [0, "resolved", "medic", ["systemd_start"]]);
    assert.notEqual(await invocation(), run);
    assert.equal(await property("ActiveState"), "active");
  });

  it("that runs is left as it is", async () => {
    const run = await invocation();
    const { fixes } = await investigate();
    assert.deepEqual(fixes, []);
    assert.equal(await invocation(), run);
  });

  it("that hit its start limit is forgiven and started once its cause is gone", async () => {
    await onHost(host, `touch ${broken}`);
    assert.ok(await until(async () => (await property("ActiveState")) === "failed", 20), "it did not fail");
    const limited = await inHost(host, ["systemctl", "start", unit]);
    assert.notEqual(limited.exit, 0, "systemd lets a person start it");
    await onHost(host, `rm ${broken}`);
    const { exit, state, steps } = await investigate();
    assert.deepEqual([exit, state.is, state.by], [0, "resolved", "medic"], JSON.stringify(state));
    assert.deepEqual(steps, [
      ["root", "systemctl", "reset-failed", "--", unit],
      ["root", "systemctl", "start", "--", unit],
    ]);
    assert.equal(await property("ActiveState"), "active");
    assert.equal(await property("NRestarts"), "0");
  });

  it("that fails again and again is left to a person, with what it said last", async () => {
    await settings("[Unit]\nStartLimitIntervalSec=0\n");
    await onHost(host, `touch ${broken}`);
    await onHost(host, "sleep 3");
    const { exit, state, fixes } = await investigate();
    assert.deepEqual([exit, state.is, fixes], [1, "escalated", []]);
    assert.match(state.reason ?? "", /it fails again and again: \d+ restarts by systemd; ended with exit-code, exit/);
    assert.match(state.reason ?? "", /FATAL: cannot open database \/var\/lib\/lab-web\/broken/);
  });

  it("whose program cannot run is not started", async () => {
    await settings("[Service]\nExecStart=\nExecStart=/nonexistent/program\nRestart=no\n");
    await inHost(host, ["systemctl", "restart", unit]);
    assert.ok(await until(async () => (await property("ActiveState")) === "failed", 10));
    const { exit, state, fixes } = await investigate();
    assert.deepEqual([exit, state.is, fixes], [1, "escalated", []]);
    assert.match(state.reason ?? "", /its program never ran; .*203 \(EXEC/);
  });

  it("that is not listed in hosts.yaml is nobody's to heal", async () => {
    const { exit, state, fixes } = await investigate("cron.service");
    assert.deepEqual([exit, state.is, fixes], [1, "escalated", []]);
  });
});

async function property(name: string): Promise<string> {
  return onHost(host, `systemctl show -P ${name} -- ${unit}`);
}

function invocation(): Promise<string> {
  return property("InvocationID");
}

async function settings(text: string): Promise<void> {
  await onHost(host, `mkdir -p ${dropIn.slice(0, -"/test.conf".length)} && printf '${text}' > ${dropIn}`);
  await onHost(host, "systemctl daemon-reload");
}

async function restore(): Promise<void> {
  await onHost(host, `rm -f ${broken} ${dropIn}; systemctl daemon-reload`);
  if ((await property("ActiveState")) !== "active") {
    await onHost(host, `systemctl reset-failed ${unit}; systemctl restart ${unit}`);
  }
}
