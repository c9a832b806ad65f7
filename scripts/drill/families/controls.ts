// Controls: nothing is broken, or it is as somebody wants it. Medic has to leave all of it alone.
import type { Drill } from "../drill.ts";
import { start } from "./containers.ts";

export const controlDrills: readonly Drill[] = [
  {
    name: "control-stopped-on-purpose",
    tells: "a one-off with restart policy no ended with 0: it was meant to",
    alert: { name: "ContainerDown", service: "drill-oneoff" },
    expected: "escalated",
    fixes: [],
    says: ["it was meant to end"],
    subjects: ["drill-oneoff"],
    break: `${start("drill-oneoff", "", "echo done")}
until docker inspect -f '{{.State.Status}}' drill-oneoff | grep -q exited; do sleep 0.2; done`,
  },
  {
    name: "control-healthy-unit",
    tells: "the alert is over before Medic looks: the unit runs",
    alert: { name: "SystemdUnitFailed", service: "drill-well.service" },
    expected: "well",
    fixes: [],
    subjects: ["drill-well.service"],
    break: `cat > /run/systemd/system/drill-well.service <<'UNIT'
[Service]
ExecStart=/bin/sleep 1000
UNIT
systemctl daemon-reload; systemctl start drill-well`,
  },
];
