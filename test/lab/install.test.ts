// The real file, installed as a service on a host with a real systemd: it starts, heals, reloads, is restarted when it hangs,
// is upgraded, goes back by itself and by hand, and goes away. In the order of a life, so the tests build on each other.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { inHost, labHost, onHost } from "../../scripts/lab/lab.ts";
import { until } from "../../scripts/lab/process.ts";
import { type Built, build } from "../binary/built.ts";

const host = "vega";
const settings = "/etc/medic";
const data = "/var/lib/medic";
const listen = "127.0.0.13:18484";

describe("Medic as a service of systemd", { timeout: 100_000 }, () => {
  let built: Built;
  /** The host's own file system, from here. */
  let inside: string;
  before(() => {
    built = build(["node"]);
    inside = `/proc/${labHost(host).leader}/root`;
    mkdirSync(join(inside, "root/dist"));
    for (const name of readdirSync(built.folder))
      copyFileSync(join(built.folder, name), join(inside, "root/dist", name));
  });
  after(async () => {
    await inHost(host, [
      "sh",
      "-c",
      "sh /root/install.sh --uninstall --purge --system; rm -rf /root/dist /root/install.sh",
    ]);
    built.remove();
  });

  const install = (...args: string[]) => inHost(host, ["sh", "/root/dist/install.sh", "--system", ...args]);
  const medic = (...args: string[]) => inHost(host, ["env", `MEDIC_CONFIG=${settings}/hosts.yaml`, "medic", ...args]);
  const property = (name: string) => onHost(host, `systemctl show -P ${name} medic`);
  const version = async (): Promise<string> => (await medic("version")).stdout;
  /** Another release beside the first one: what `change` makes of its file. */
  const release = (name: string, change: (file: string) => void): void => {
    const folder = join(inside, "root/dist");
    const old = readdirSync(folder).find((one) => /^medic-.*-linux-\w+$/.test(one)) ?? "";
    const file = join(folder, old.replace(/^medic-[^-]+/, `medic-${name}`));
    renameSync(join(folder, old), file);
    change(file);
    const sums = [file, join(folder, "medic.service")].map((one) => {
      const digest = createHash("sha256").update(readFileSync(one)).digest("hex");
      return `${digest}  ${one.slice(folder.length + 1)}\n`;
    });
    writeFileSync(join(folder, "SHA256SUMS"), sums.join(""));
  };

  it("is installed with a user, a key and a unit, and starts nothing yet", async () => {
    const { exit, stdout, stderr } = await install();
    assert.equal(exit, 0, stdout + stderr);
    assert.match(stdout, /installed: medic .*binary/);
    assert.equal(await onHost(host, `stat -c '%a %U' ${settings}/medic_ed25519`), "600 root");
    assert.equal(await property("ActiveState"), "inactive");
    copyFileSync(join(inside, "root/dist/install.sh"), join(inside, "root/install.sh"));
  });

  it("gets its settings from init, and doctor is all green", async () => {
    await onHost(host, `cat ${settings}/medic_ed25519.pub >> /home/medic/.ssh/authorized_keys`);
    const key = ["--identity", `${settings}/medic_ed25519`];
    const where = ["--folder", settings, "--data", data, "--listen", listen];
    const met = await medic("init", "--yes", ...where, ...key, "--host", `${host}=medic@127.0.0.13:2222`);
    assert.equal(met.exit, 0, met.stdout + met.stderr);
    assert.match(met.stdout, /vega: docker \(\d+ containers\), systemd, Scrypted/);
    assert.match(await onHost(host, `cat ${settings}/hosts.yaml`), /systemd: \{ units: \[.*lab-web\.service/);
    const doctor = await medic("doctor");
    assert.equal(doctor.exit, 0, doctor.stdout);
  });

  it("tells systemd that it is ready, is well, and looks with the key that systemd handed over", async () => {
    await onHost(host, "systemctl start medic");
    assert.equal(await property("StatusText"), "Looks after 1 hosts");
    assert.equal((await medic("healthcheck")).exit, 0);
    // What runs well is looked at and left alone; Scrypted itself would be given minutes after the boot of its host.
    await medic("investigate", "--host", host, "--service", "lab-web.service");
    const { hosts } = JSON.parse((await medic("hosts", "--json")).stdout) as {
      hosts: { pool?: { commands: number } }[];
    };
    assert.ok((hosts[0]?.pool?.commands ?? 0) > 0, await logs());
    // The file itself is root's alone.
    assert.notEqual((await inHost(host, ["runuser", "-u", "medic", "cat", `${settings}/medic_ed25519`])).exit, 0);
  });

  it("reads its settings again on reload, and is active again after it", async () => {
    await onHost(host, "systemctl reload medic");
    assert.ok(await until(async () => /config_reloaded by=SIGHUP/.test(await logs()), 10), await logs());
    assert.ok(await until(async () => (await property("ActiveState")) === "active", 10));
  });

  it("may do little on its own machine", async () => {
    const { stdout } = await inHost(host, ["systemd-analyze", "security", "medic.service", "--no-pager"]);
    const exposure = Number(/Overall exposure level for medic\.service: ([\d.]+)/.exec(stdout)?.[1]);
    assert.ok(exposure <= 2, stdout);
  });

  it("is restarted by the watchdog when it hangs", async () => {
    await onHost(host, "mkdir -p /run/systemd/system/medic.service.d");
    await onHost(
      host,
      "printf '[Service]\\nWatchdogSec=2\\nRestartSec=0\\n' > /run/systemd/system/medic.service.d/test.conf",
    );
    await onHost(host, "systemctl daemon-reload; systemctl restart medic");
    const hung = await property("MainPID");
    await onHost(host, `kill -STOP ${hung}`);
    const isNew = async (): Promise<boolean> => {
      const [pid, state] = [await property("MainPID"), await property("ActiveState")];
      return pid !== hung && pid !== "0" && state === "active";
    };
    assert.ok(await until(isNew, 30), await logs());
    assert.match(await logs(), /Watchdog timeout/);
    await onHost(host, "rm -r /run/systemd/system/medic.service.d; systemctl daemon-reload; systemctl restart medic");
    assert.equal((await medic("healthcheck")).exit, 0);
  });

  it("is upgraded in place and well again; goes back when told to", async () => {
    const first = await onHost(host, "readlink /usr/local/lib/medic/current");
    // The same program in another file.
    release("9.0.0", (file) => appendFileSync(file, "\n"));
    const before = await property("MainPID");
    const { exit, stdout, stderr } = await install();
    assert.equal(exit, 0, stdout + stderr);
    assert.notEqual(await property("MainPID"), before);
    assert.match(await onHost(host, "readlink /usr/local/lib/medic/current"), /medic-9\.0\.0/);
    assert.equal((await medic("healthcheck")).exit, 0);
    const back = await install("--rollback");
    assert.equal(back.exit, 0, back.stdout + back.stderr);
    assert.equal(await onHost(host, "readlink /usr/local/lib/medic/current"), first);
    assert.equal((await medic("healthcheck")).exit, 0);
  });

  it("stays what it was, with its journal, when the new one knows its version and serves nothing", async () => {
    const now = await version();
    // As one does that brings the journal to a form of its own, and then fails.
    const journal = `${data}/journal.sqlite`;
    const sick = `cp ${journal} ${journal}.form-1; echo of a newer form > ${journal}; rm -f ${journal}-*`;
    release("9.1.0", (file) =>
      writeFileSync(
        file,
        `#!/bin/sh\ncase $1 in version) echo medic 9.1.0 ;; serve) ${sick} && exit 1 ;; *) exit 1 ;; esac\n`,
      ),
    );
    const incidents = (await medic("incidents", "--json")).stdout;
    const { exit, stdout, stderr } = await install();
    assert.equal(exit, 1);
    assert.match(stderr, /medic-9\.1\.0-\S+ is not well: medic-\S+ is in use again/);
    assert.match(stdout, /the journal is the one from before; .* is in \/var\/lib\/medic\/newer-\d+/);
    assert.equal(await version(), now);
    assert.equal((await medic("healthcheck")).exit, 0);
    assert.equal(await property("ActiveState"), "active");
    assert.equal((await medic("incidents", "--json")).stdout, incidents);
  });

  it("stops in order, and goes away with what it kept only when told to", async () => {
    await onHost(host, "systemctl stop medic");
    assert.equal(await property("Result"), "success");
    const gone = await inHost(host, ["sh", "/root/install.sh", "--uninstall", "--system"]);
    assert.equal(gone.exit, 0, gone.stderr);
    assert.equal((await inHost(host, ["test", "-e", "/usr/local/bin/medic"])).exit, 1);
    assert.equal((await inHost(host, ["systemctl", "cat", "medic"])).exit, 1);
    await onHost(host, `test -e ${settings}/hosts.yaml && test -e ${data}/journal.sqlite`);
    await inHost(host, ["sh", "/root/install.sh", "--uninstall", "--system", "--purge"]);
    assert.equal((await inHost(host, ["test", "-e", settings, "-o", "-e", data])).exit, 1);
    // A user that was there before is not Medic's to remove.
    await onHost(host, "id medic");
  });

  const logs = () => onHost(host, "journalctl -u medic --no-pager -n 60");
});

describe("install.sh", () => {
  it("is in order for shellcheck", () => {
    const script = join(import.meta.dirname, "../../scripts/install.sh");
    const { status, stdout } = spawnSync("shellcheck", ["--shell=sh", script], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
  });
});
