// Drills of containers: each makes one of its own, from the lab's smallest image, and breaks it as people's break.
import type { Drill } from "../drill.ts";

const image = "eclipse-mosquitto:2";
/** A program that ends when it is told to. */
const loop = `trap "exit 0" TERM; while :; do sleep 1 & wait $!; done`;

/** Shell text that starts a container. */
export function start(name: string, options: string, program = loop): string {
  return `docker run -d --name ${name} --network none ${options} ${image} sh -c '${program}' >/dev/null`;
}

const always = "--restart unless-stopped";
const down = { name: "ContainerDown" };

export const containerDrills: readonly Drill[] = [
  {
    name: "container-stopped",
    tells: "somebody stopped a container that has to run",
    alert: { ...down, service: "drill-stopped" },
    expected: "fixed",
    fixes: ["docker_start"],
    subjects: ["drill-stopped"],
    prepare: start("drill-stopped", always),
    break: "docker stop -t 2 drill-stopped",
  },
  {
    name: "container-paused",
    tells: "a container was paused and forgotten",
    alert: { ...down, service: "drill-paused" },
    expected: "fixed",
    fixes: ["docker_unpause"],
    subjects: ["drill-paused"],
    prepare: start("drill-paused", always),
    break: "docker pause drill-paused",
  },
  {
    name: "container-unhealthy",
    tells: "a container runs and fails its health check, until it is restarted",
    alert: { name: "ContainerUnhealthy", service: "drill-unhealthy" },
    expected: "fixed",
    fixes: ["docker_restart"],
    subjects: ["drill-unhealthy"],
    prepare: start(
      "drill-unhealthy",
      `${always} --health-cmd "test ! -e /tmp/stuck" --health-interval 1s --health-retries 1`,
      `rm -f /tmp/stuck; ${loop}`,
    ),
    break: `docker exec drill-unhealthy touch /tmp/stuck
until docker inspect -f '{{.State.Health.Status}}' drill-unhealthy | grep -q unhealthy; do sleep 0.3; done`,
  },
  {
    name: "container-crash-loop",
    tells: "a container dies a second after each start, and docker starts it again and again",
    alert: { name: "ContainerRestarting", service: "drill-crashing" },
    expected: "escalated",
    fixes: [],
    says: ["keeps dying \\(exit 3", "FATAL: cannot read /data/settings"],
    subjects: ["drill-crashing"],
    break: `${start("drill-crashing", always, "sleep 0.5; echo FATAL: cannot read /data/settings; exit 3")}
sleep 4`,
  },
];
