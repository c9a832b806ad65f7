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
    name: "unit-masked",
    tells: "a unit was masked, so nothing can start it",
    alert: { ...failed, service: "drill-masked.service" },
    expected: "escalated",
    fixes: [],
    says: ["masked"],
    subjects: ["drill-masked.service"],
    prepare: unit("drill-masked"),
    break: `rm /run/systemd/system/drill-masked.service; systemctl mask drill-masked.service`,
  },
];
