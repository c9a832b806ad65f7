// Drills of the host itself. Medic has no fix for a host: what counts is that a person is told the cause, in figures.
import type { Drill } from "../drill.ts";

export const hostDrills: readonly Drill[] = [
  {
    name: "host-disk-nearly-full",
    tells: "a disk of the host is all but full",
    alert: { name: "HostDiskNearlyFull", service: "-" },
    expected: "escalated",
    fixes: [],
    says: ["disk /srv/drill-disk is 9\\d % full"],
    subjects: [],
    break: `mkdir -p /srv/drill-disk; mount -t tmpfs -o size=32m drill /srv/drill-disk
head -c 31M /dev/zero > /srv/drill-disk/archive`,
  },
];
