// `medic doctor` against real hosts: all is well where it is, and each broken thing is named with the command that mends
// it. Where that is cheap, the mend is tried.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as v from "valibot";
import { inHost, labHost, readLab, onHost } from "../../scripts/lab/lab.ts";
import { medicSudoers } from "../../scripts/lab/units.ts";
import { type HostEntry, ownMedic, type OwnMedic } from "../../scripts/lab/own-medic.ts";
import { installSudoers } from "./real-host.ts";

const host = "vega";
const lab = readLab();
const names = lab.hosts.map(({ name }) => name);

const reportShape = v.strictObject({
  hosts: v.array(v.string()),
  checks: v.array(
    v.strictObject({
      host: v.string(),
      check: v.string(),
      ok: v.union([v.boolean(), v.literal("unknown")]),
      says: v.string(),
      mend: v.optional(v.string()),
    }),
  ),
});

describe("doctor", { timeout: 120_000 }, () => {
  let medic: OwnMedic;
  before(async () => {
    medic = await ownMedic();
  });
  after(async () => {
    await medic.remove();
    await removeStranger();
    for (const name of names) await installSudoers(name, medicSudoers());
  });
  /** Exit code, and what is wrong: check, what it says, what mends it. */
  const examine = async (...only: string[]) => {
    const { exit, stdout, stderr } = await medic.verb("doctor", ...only, "--json");
    assert.match(stdout, /^\{/, stderr);
    const report = v.parse(reportShape, JSON.parse(stdout));
    return { exit, report, wrong: report.checks.filter(({ ok }) => ok !== true) };
  };
  const withHost = (change: (entry: HostEntry) => void): void =>
    medic.configure((file) => {
      const entry = file.hosts[host];
      if (entry !== undefined) change(entry);
    });

  it("finds all well once each host has the sudoers lines that doctor prints for it", async () => {
    for (const name of names) await installSudoers(name, (await medic.verb("doctor", name, "--sudoers")).stdout);
    const { exit, report, wrong } = await examine();
    assert.deepEqual(wrong, []);
    assert.equal(exit, 0);
    assert.deepEqual(report.hosts, names);
    const checked = new Set(report.checks.filter((check) => check.host === host).map(({ check }) => check));
    for (const each of ["key", "address", "host key", "login", "clock", "sudo", "journal"])
      assert.ok(checked.has(each), each);
  });

  it("misses sudo's lines where they are not, and nothing else", async () => {
    await installSudoers(host, "");
    const { exit, wrong } = await examine(host);
    assert.equal(exit, 1);
    assert.deepEqual(
      wrong.map(({ check }) => check),
      ["sudo"],
    );
    assert.match(wrong[0]?.mend ?? "", /medic doctor vega --sudoers > medic\.sudoers/);
    await installSudoers(host, (await medic.verb("doctor", host, "--sudoers")).stdout);
  });

  it("does not trust a host with another key, and tells the key that it showed", async () => {
    withHost((entry) => void (entry.hostKey = labHost("nexus", lab).hostKey));
    const { exit, wrong } = await examine(host);
    assert.equal(exit, 1);
    assert.deepEqual(
      wrong.map(({ check }) => check),
      ["host key"],
    );
    assert.ok(wrong[0]?.mend?.includes(`hostKey: ${labHost(host, lab).hostKey}`), wrong[0]?.mend);
  });

  it("tells a key that the host does not know from a key that is not there", async () => {
    withHost((entry) => void (entry.identity = lab.keys.operator.path));
    const unknown = await examine(host);
    assert.equal(unknown.exit, 1);
    assert.deepEqual(
      unknown.wrong.map(({ check }) => check),
      ["login"],
    );
    assert.match(unknown.wrong[0]?.mend ?? "", /^ssh-copy-id -i .*operator.*\.pub -p 2222 medic@127\.0\.0\.13$/);

    withHost((entry) => void (entry.identity = join(medic.folder, "no-such-key")));
    const absent = await examine(host);
    assert.equal(absent.exit, 1);
    const [key] = absent.wrong;
    assert.deepEqual([key?.check, key?.ok], ["key", false]);
    assert.match(key?.mend ?? "", /^ssh-keygen -t ed25519 .*no-such-key && ssh-copy-id/);
  });

  it("says that nobody listens there", async () => {
    withHost((entry) => void (entry.port = 2223));
    const { exit, wrong } = await examine(host);
    assert.equal(exit, 1);
    assert.deepEqual(
      wrong.map(({ check }) => check),
      ["address"],
    );
    assert.match(wrong[0]?.says ?? "", /ECONNREFUSED/);
  });

  it("names the groups that a user is not in, and is content once the user is", async () => {
    await removeStranger();
    await onHost(host, "useradd --create-home stranger && cp -a /home/medic/.ssh /home/stranger/");
    await onHost(host, "chown -R stranger: /home/stranger/.ssh");
    withHost((entry) => {
      Object.assign(entry, { user: "stranger", privilege: "none", trust: "observe" });
    });
    const outside = await examine(host);
    assert.equal(outside.exit, 1);
    const mends = Object.fromEntries(outside.wrong.map(({ check, mend }) => [check, mend]));
    assert.deepEqual(Object.keys(mends).toSorted(), ["docker", "journal"]);
    assert.match(mends["docker"] ?? "", /sudo usermod -aG docker stranger/);
    assert.match(mends["journal"] ?? "", /sudo usermod -aG systemd-journal stranger/);

    await onHost(host, "usermod -aG docker stranger; usermod -aG systemd-journal stranger");
    const inside = await examine(host);
    assert.deepEqual([inside.exit, inside.wrong], [0, []]);
  });
});

/** By force: sshd may still be ending its last login. */
async function removeStranger(): Promise<void> {
  await inHost(host, ["loginctl", "terminate-user", "stranger"]);
  await inHost(host, ["userdel", "--force", "--remove", "stranger"]);
  // A user's manager that is ended so counts as failed, and would leave the host "degraded".
  await onHost(host, "sleep 1; systemctl reset-failed 'user@*.service'");
}
