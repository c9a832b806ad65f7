// Controls: nothing is broken, or it is as somebody wants it. Medic has to leave all of it alone.
import type { Drill } from "../drill.ts";
import { start } from "./containers.ts";
import { unit } from "./units.ts";

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
    name: "control-stopped-by-a-person",
    tells: "somebody stopped a container without a restart policy: it ended with 143, as it was told",
    alert: { name: "ContainerDown", service: "drill-told" },
    expected: "escalated",
    fixes: [],
    says: ["143"],
    subjects: ["drill-told"],
    prepare: start("drill-told", "", 'trap "exit 143" TERM; while :; do sleep 1 & wait $!; done'),
    break: "docker stop -t 5 drill-told",
  },
  {
    name: "control-maintenance-window",
    tells: "a container is down while a person has a maintenance window open for it",
    quick: true,
    alert: { name: "ContainerDown", service: "drill-serviced" },
    expected: "held",
    fixes: [],
    says: ['maintenance of ".*drill-serviced"'],
    subjects: ["drill-serviced"],
    maintenance: true,
    prepare: start("drill-serviced", "--restart unless-stopped"),
    break: "docker stop -t 2 drill-serviced",
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
  {
    name: "control-held-container",
    tells: "a container is down and has the label medic.hold=true: its owner is at it",
    alert: { name: "ContainerDown", service: "drill-held" },
    expected: "escalated",
    fixes: [],
    says: ["medic.hold=true"],
    subjects: ["drill-held"],
    prepare: start("drill-held", "--restart unless-stopped --label medic.hold=true"),
    break: "docker stop -t 2 drill-held",
  },
  {
    name: "control-ask-about-stopped",
    tells: "somebody stopped a container, and hosts.yaml says onStopped: ask",
    alert: { name: "ContainerDown", service: "drill-asked" },
    expected: "asked",
    fixes: [],
    says: ["onStopped says to ask"],
    subjects: ["drill-asked"],
    configure: (host) => void (host.plugins["docker"] = { onStopped: "ask" }),
    prepare: start("drill-asked", "--restart unless-stopped"),
    break: "docker stop -t 2 drill-asked",
  },
  {
    name: "control-monitor-wrong",
    tells: "the monitor says that a unit's page fails, and the unit has run all along",
    quick: true,
    alert: { name: "HttpProbeFailed", service: "drill-blamed.service" },
    expected: "escalated",
    fixes: [],
    says: ["the unit's state does not explain it"],
    subjects: ["drill-blamed.service"],
    break: `${unit("drill-blamed")}; systemctl start drill-blamed; sleep 2`,
  },
];
