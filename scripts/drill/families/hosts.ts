// Drills of the host itself. Medic has no fix for a host: what counts is that a person is told the cause, in figures.
import type { Drill } from "../drill.ts";

export const hostDrills: readonly Drill[] = [
  {
    name: "host-disk-nearly-full",
    tells: "a disk of the host is all but full",
    quick: true,
    alert: { name: "HostDiskNearlyFull", service: "-" },
    expected: "escalated",
    fixes: [],
    says: ["disk /srv/drill-disk is 9\\d % full"],
    subjects: [],
    break: `mkdir -p /srv/drill-disk; mount -t tmpfs -o size=32m drill /srv/drill-disk
head -c 31M /dev/zero > /srv/drill-disk/archive`,
  },
  {
    name: "host-unreachable",
    tells: "the host's sshd is down, so nobody can look",
    alert: { name: "HostDown", service: "-" },
    expected: "escalated",
    fixes: [],
    says: ["refused|unreachable|Cannot connect|DialFailed"],
    subjects: [],
    break: "systemctl stop ssh.service",
  },
  {
    name: "host-clock-not-synchronized",
    tells: "nothing keeps the host's clock right: its time service is masked",
    alert: { name: "HostClockSkew", service: "-" },
    expected: "escalated",
    fixes: [],
    says: ["the clock is not synchronized", "sudo systemctl unmask systemd-timesyncd.service"],
    subjects: [],
    // All hosts share this machine's clock, which is not the lab's to turn: what is wrong here is what keeps it right.
    break: "systemctl is-enabled systemd-timesyncd | grep -q masked; timedatectl show | grep -q NTPSynchronized=no",
  },
];
