// Drills of systemd units: each has units of its own in /run, made of the same small program, which ends with 1 while a
// file says so.
import type { Drill } from "../drill.ts";

type Settings = { unit?: string; service?: string; program?: string };

/** Shell text that makes a unit; it runs until `/run/<name>.broken` is there. */
export function unit(name: string, { unit: more = "", service = "", program }: Settings = {}): string {
  const works = `while [ ! -e /run/${name}.broken ]; do sleep 0.2; done; echo "FATAL: lost its database"; exit 1`;
  return `cat > /run/${name}.sh <<'PROGRAM'
#!/bin/sh
${program ?? works}
PROGRAM
chmod +x /run/${name}.sh
cat > /run/systemd/system/${name}.service <<'UNIT'
[Unit]
Description=${name}
${more}
[Service]
ExecStart=/run/${name}.sh
${service}
UNIT
systemctl daemon-reload`;
}

/** Shell text that waits until a unit has failed. */
export function untilFailed(name: string): string {
  return `until systemctl is-failed -q ${name}.service; do sleep 0.2; done`;
}

/** systemd starts it again and again, and never gives up. */
const again = { unit: "StartLimitIntervalSec=0", service: "Restart=always\nRestartSec=500ms" };

const failed = { name: "SystemdUnitFailed" };

export const unitDrills: readonly Drill[] = [
  {
    name: "unit-failed",
    tells: "a unit failed, and what made it fail is over",
    alert: { ...failed, service: "drill-failed.service" },
    expected: "fixed",
    fixes: ["systemd_start"],
    subjects: ["drill-failed.service"],
    prepare: `${unit("drill-failed")}; systemctl start drill-failed`,
    break: `touch /run/drill-failed.broken; ${untilFailed("drill-failed")}; rm /run/drill-failed.broken`,
  },
  {
    name: "unit-start-limit",
    tells: "a unit failed so often that systemd gave up on it, and the cause is over",
    quick: true,
    alert: { ...failed, service: "drill-limit.service" },
    expected: "fixed",
    fixes: ["systemd_start"],
    subjects: ["drill-limit.service"],
    prepare: `${unit("drill-limit", {
      unit: "StartLimitIntervalSec=60\nStartLimitBurst=3",
      service: "Restart=on-failure\nRestartSec=100ms",
    })}; systemctl start drill-limit`,
    break: `touch /run/drill-limit.broken; ${untilFailed("drill-limit")}; rm /run/drill-limit.broken`,
  },
  {
    name: "unit-dies-at-once",
    tells:
      "a unit ends as soon as it is started, and nothing starts it again: a wait of two minutes would mend nothing",
    quick: true,
    alert: { ...failed, service: "drill-dying.service" },
    expected: "escalated",
    fixes: ["systemd_start"],
    says: ["ended again \\(exit-code, exit 1\\), and nothing starts it by itself", "FATAL: lost its database"],
    subjects: ["drill-dying.service"],
    withinSeconds: 20,
    prepare: `${unit("drill-dying")}; systemctl start drill-dying`,
    break: `touch /run/drill-dying.broken; ${untilFailed("drill-dying")}`,
  },
  {
    name: "unit-masked",
    tells: "a unit was masked, so nothing can start it",
    alert: { ...failed, service: "drill-masked.service" },
    expected: "escalated",
    fixes: [],
    says: ["is masked", "sudo systemctl unmask drill-masked.service"],
    subjects: ["drill-masked.service"],
    prepare: unit("drill-masked"),
    break: `rm /run/systemd/system/drill-masked.service; systemctl mask drill-masked.service`,
  },
  {
    name: "unit-dependency-failed",
    tells: "a unit is down because the one it requires failed, and what made that fail is over",
    alert: { ...failed, service: "drill-app.service" },
    expected: "fixed",
    fixes: ["systemd_restart_dependency"],
    subjects: ["drill-app.service", "drill-base.service"],
    prepare: `${unit("drill-base")}
${unit("drill-app", { unit: "Requires=drill-base.service\nBindsTo=drill-base.service\nAfter=drill-base.service" })}
systemctl start drill-app`,
    break: `touch /run/drill-base.broken; ${untilFailed("drill-base")}; rm /run/drill-base.broken
until ! systemctl is-active -q drill-app; do sleep 0.2; done`,
  },
  {
    name: "unit-file-broken-by-an-edit",
    tells: "somebody edited the unit's file and mistyped what it runs",
    alert: { ...failed, service: "drill-edited.service" },
    expected: "escalated",
    fixes: [],
    says: ["/run/systemd/system/drill-edited.service line 5", "sudo systemctl daemon-reload"],
    subjects: ["drill-edited.service"],
    prepare: `${unit("drill-edited")}; systemctl start drill-edited`,
    break: `sed -i 's#^ExecStart=/run#ExecStart=run#' /run/systemd/system/drill-edited.service
systemctl daemon-reload; systemctl stop drill-edited`,
  },
  {
    name: "unit-settings-broken-by-an-edit",
    tells: "somebody edited the settings of a service, and it refuses to start with them",
    alert: { ...failed, service: "drill-settings.service" },
    expected: "escalated",
    fixes: [],
    says: ["fails again and again", "look at /run/drill-settings.conf line 3"],
    subjects: ["drill-settings.service"],
    prepare: `printf 'port 80\\nroot /srv\\nlisten all\\n' > /run/drill-settings.conf
${unit("drill-settings", {
  program: `wrong=$(grep -n -v -E "^(port|root|listen) " /run/drill-settings.conf | cut -d : -f 1)
if [ -n "$wrong" ]; then echo "/run/drill-settings.conf:$wrong: unknown directive" >&2; exit 1; fi
exec sleep 1000`,
  ...again,
})}; systemctl start drill-settings`,
    break: `sed -i s/listen/lsiten/ /run/drill-settings.conf; systemctl restart drill-settings; sleep 1`,
  },
  {
    name: "unit-killed-for-memory",
    tells: "the kernel kills a unit for memory, each time it runs",
    alert: { ...failed, service: "drill-hungry.service" },
    expected: "escalated",
    fixes: [],
    says: ["fails again and again", "signal 9 \\(killed for memory, or by somebody: sudo dmesg", "raise MemoryMax="],
    subjects: ["drill-hungry.service"],
    // systemd of this host has no memory controller, so the unit makes its own group below the host's.
    break: `${unit("drill-hungry", {
      program: `group=$(echo /sys/fs/cgroup/memory/medic-lab-*)/drill-hungry
mkdir -p "$group"; echo 16M > "$group/memory.limit_in_bytes"; echo $$ > "$group/cgroup.procs"
exec tail /dev/zero`,
      ...again,
    })}; systemctl start drill-hungry; sleep 1`,
  },
  {
    name: "unit-without-sudo",
    tells: "a unit failed, and Medic's login may not start units",
    alert: { ...failed, service: "drill-nosudo.service" },
    expected: "escalated",
    fixes: ["systemd_start"],
    says: ["privilege: sudo", "Interactive authentication required|Access denied"],
    subjects: ["drill-nosudo.service"],
    configure: (host) => void (host.privilege = "none"),
    prepare: `${unit("drill-nosudo")}; systemctl start drill-nosudo`,
    break: `touch /run/drill-nosudo.broken; ${untilFailed("drill-nosudo")}; rm /run/drill-nosudo.broken`,
  },
  {
    name: "unit-journal-full",
    tells: "old journal files fill the disk of the journal; a person agrees to let them go",
    alert: { name: "JournalFull", service: "systemd-journald.service" },
    expected: "fixed",
    fixes: ["systemd_vacuum_journal"],
    says: ["the journal takes \\d+ MiB"],
    subjects: ["systemd-journald.service"],
    configure: (host) => void (host.plugins["systemd"] = { units: ["systemd-journald.service"] }),
    approve: true,
    keepsRun: true,
    prepare: `mount -t tmpfs -o size=64m,mode=2755 drill /var/log/journal
chgrp systemd-journal /var/log/journal; touch /run/drill-journal
mkdir -p "/var/log/journal/$(cat /etc/machine-id)"; systemctl restart systemd-journald; journalctl --flush; logger started; journalctl --sync`,
    break: `cd "/var/log/journal/$(cat /etc/machine-id)"
for n in 1 2 3 4 5 6; do cp system.journal "system@0000000000000000000000000000000$n-000000000000000$n-000000000000000$n.journal"; done
left=$(df -Pk . | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
head -c "$(( left - 2048 ))K" /dev/zero > "system@00000000000000000000000000000007-0000000000000007-0000000000000007.journal~"`,
    restore: `if grep -q ' /var/log/journal ' /proc/mounts; then umount -l /var/log/journal; systemctl restart systemd-journald; fi`,
  },
];
