// Each fix of systemd by a person's hand on a real host: done and proven by what systemd shows, and refused where there is
// nothing to do. The unit is the test's own. Starting is healing.test's and the drills' matter, vacuuming the journal a drill's.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { sweep } from "../../scripts/drill/drill.ts";
import { inHost, onHost } from "../../scripts/lab/lab.ts";
import { ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";

const host = "vega";
const unit = "drill-fix.service";
const below = "drill-below.service";

/** Runs, can reload, and ends with 1 when it is told to. */
const file = (name: string, more = ""): string => `cat > /etc/systemd/system/${name} <<'UNIT'
[Unit]
Description=${name}
${more}
[Service]
ExecStart=/bin/sh -c 'trap "exit 1" USR1; trap "echo read again" HUP; while :; do sleep 0.1 & wait $!; done'
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload`;

describe("a fix of systemd, by hand", { timeout: 120_000 }, () => {
  let medic: OwnMedic;
  before(async () => {
    medic = await ownMedic(({ hosts, limits }) => {
      limits["stable"] = "1s";
      for (const entry of Object.values(hosts)) entry.plugins["systemd"] = { units: [unit, below] };
    });
    await onHost(host, sweep);
  });
  afterEach(() => onHost(host, sweep));
  after(() => medic.remove());

  /** What came of it, and why. */
  const run = async (tool: string, ...more: string[]): Promise<{ outcome: string; why: string }> => {
    const { stdout, stderr } = await medic.verb("tool", host, tool, "--unit", unit, ...more, "--yes", "--json");
    assert.match(stdout, /^\{/, stderr);
    return JSON.parse(stdout) as { outcome: string; why: string };
  };
  const fixed = async (tool: string, ...more: string[]): Promise<void> => {
    const { outcome, why } = await run(tool, ...more);
    assert.equal(outcome, "fixed", why);
  };
  const refused = async (because: RegExp, tool: string, ...more: string[]): Promise<void> => {
    const { outcome, why } = await run(tool, ...more);
    assert.equal(outcome, "refused");
    assert.match(why, because);
  };
  const shown = (property: string, of = unit) => onHost(host, `systemctl show -P ${property} -- ${of}`);
  const started = () => onHost(host, `${file(unit)}; systemctl start ${unit}`);

  it("stops what runs, and nothing that is down", async () => {
    await started();
    await fixed("systemd_stop");
    assert.equal(await shown("ActiveState"), "inactive");
    await refused(/nothing to stop/, "systemd_stop");
  });

  it("enables what is disabled, disables what is enabled, and neither twice", async () => {
    await onHost(host, file(unit));
    await fixed("systemd_enable");
    assert.equal(await shown("UnitFileState"), "enabled");
    await refused(/only what is disabled can be enabled/, "systemd_enable");
    await fixed("systemd_disable");
    assert.equal(await shown("UnitFileState"), "disabled");
    await refused(/only what is enabled can be disabled/, "systemd_disable");
  });

  it("restarts, and proves it by the new invocation", async () => {
    await started();
    const invocation = await shown("InvocationID");
    await fixed("systemd_restart");
    assert.notEqual(await shown("InvocationID"), invocation);
  });

  it("reloads within the same run, proven by systemd's stamp, and only what can", async () => {
    await started();
    const invocation = await shown("InvocationID");
    await fixed("systemd_reload");
    assert.equal(await shown("InvocationID"), invocation);
    assert.match(await onHost(host, `journalctl -q -u ${unit} --no-pager`), /read again/);
    await onHost(host, `sed -i /ExecReload/d /etc/systemd/system/${unit}; systemctl daemon-reload`);
    await refused(/CanReload=no/, "systemd_reload");
  });

  it("has systemd read a changed file again, once", async () => {
    // One that is not loaded is read anew by every look.
    await started();
    await onHost(host, `sed -i s/Description=.*/Description=changed/ /etc/systemd/system/${unit}`);
    assert.equal(await shown("NeedDaemonReload"), "yes");
    await fixed("systemd_daemon_reload");
    assert.deepEqual([await shown("NeedDaemonReload"), await shown("Description")], ["no", "changed"]);
    await refused(/NeedDaemonReload=no/, "systemd_daemon_reload");
  });

  it("forgets a failure, and starts nothing", async () => {
    await started();
    await onHost(host, `systemctl kill -s USR1 ${unit}; until systemctl is-failed -q ${unit}; do sleep 0.1; done`);
    await fixed("systemd_reset_failed");
    assert.equal(await shown("ActiveState"), "inactive");
    await refused(/not failed/, "systemd_reset_failed");
  });

  it("brings back what a unit requires, then the unit", async () => {
    const requires = `Requires=${below}\nBindsTo=${below}\nAfter=${below}`;
    await onHost(host, `${file(below)}\n${file(unit, requires)}; systemctl start ${unit}`);
    await onHost(host, `systemctl kill -s USR1 ${below}; until systemctl is-failed -q ${below}; do sleep 0.1; done`);
    await fixed("systemd_restart_dependency", "--dependency", below);
    assert.deepEqual([await shown("ActiveState"), await shown("ActiveState", below)], ["active", "active"]);
    await refused(/does not require|has not failed/, "systemd_restart_dependency", "--dependency", below);
  });

  it("is not run without a yes", async () => {
    await started();
    const { exit, stderr } = await medic.verb("tool", host, "systemd_stop", "--unit", unit);
    assert.equal(exit, 2);
    assert.match(stderr, /Add --yes to agree/);
    assert.equal((await inHost(host, ["systemctl", "is-active", unit])).exit, 0);
  });
});
