// Drills of containers: each makes one of its own, from the lab's smallest image, and breaks it as people's break.
import { type Drill, hostAddress } from "../drill.ts";

const image = "eclipse-mosquitto:2";
/** A program that ends when it is told to. */
const loop = `trap "exit 0" TERM; while :; do sleep 1 & wait $!; done`;

/** Shell text that starts a container. */
export function start(name: string, options: string, program = loop): string {
  return `docker run -d --name ${name} --network none ${options} ${image} sh -c '${program}' >/dev/null`;
}

/** Shell text that waits until docker itself has restarted a container a few times. */
function untilRestarted(name: string): string {
  return `until [ "$(docker inspect -f '{{.RestartCount}}' ${name})" -ge 3 ]; do sleep 0.3; done`;
}

const always = "--restart unless-stopped";
const down = { name: "ContainerDown" };

/** Shell text that starts a container that needs port 18080 of the host, on the address that is the host's own. */
function listen(name: string, answer = ""): string {
  const program = `require("http").createServer(${answer}).listen(18080, process.argv[1])`;
  return `${hostAddress}
docker run -d --name ${name} --network host ${always} ghcr.io/koush/scrypted node -e '${program}' "$address" >/dev/null`;
}

/** What the program of autoheal does: it asks docker over its socket who is unhealthy, and restarts that. */
const autoheal = `const http = require("http");
const ask = (method, path, then) => http.request({ socketPath: "/var/run/docker.sock", method, path }, (answer) => {
  let text = ""; answer.on("data", (more) => text += more).on("end", () => then(text));
}).end();
const filters = encodeURIComponent(JSON.stringify({ health: ["unhealthy"], label: ["autoheal=true"] }));
setInterval(() => ask("GET", "/containers/json?filters=" + filters, (text) => {
  for (const { Id } of JSON.parse(text)) ask("POST", "/containers/" + Id + "/restart?t=1", () => {});
}), 1000);`;

/** Shell text that waits until docker was told to restart a container a few times. */
function untilTold(name: string): string {
  return `until [ "$(docker events --since 60s --until "$(($(date +%s) + 1))" --filter container=${name} --filter event=restart | wc -l)" -ge 3 ]; do sleep 0.5; done`;
}

export const containerDrills: readonly Drill[] = [
  {
    name: "container-stopped",
    tells: "somebody stopped a container that has to run",
    quick: true,
    alert: { ...down, service: "drill-stopped" },
    expected: "fixed",
    fixes: ["docker_start"],
    subjects: ["drill-stopped"],
    prepare: start("drill-stopped", always),
    break: "docker stop -t 2 drill-stopped",
  },
  {
    name: "container-page-down",
    tells: "a container with a page was stopped; the monitor's probe of it fails",
    alert: { name: "PageDown", service: "drill-page" },
    raisedBy: { httpPort: 18080 },
    expected: "fixed",
    fixes: ["docker_start"],
    subjects: ["drill-page"],
    prepare: listen("drill-page", '(_, response) => response.end("well")'),
    break: "docker stop -t 2 drill-page",
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
    quick: true,
    alert: { name: "ContainerRestarting", service: "drill-crashing" },
    expected: "escalated",
    fixes: [],
    says: ["keeps dying \\(exit 3", "FATAL: cannot read /data/settings"],
    subjects: ["drill-crashing"],
    break: `${start("drill-crashing", always, "sleep 0.5; echo FATAL: cannot read /data/settings; exit 3")}
${untilRestarted("drill-crashing")}`,
  },
  {
    name: "container-killed-for-memory",
    tells: "a container needs more memory than its limit, each time it runs",
    alert: { ...down, service: "drill-hungry" },
    expected: "escalated",
    fixes: [],
    says: ["keeps dying \\(exit 137", "out of memory \\d+ times"],
    subjects: ["drill-hungry"],
    break: `${start("drill-hungry", `${always} --memory 16m`, "sleep 0.3; tail /dev/zero")}
${untilRestarted("drill-hungry")}`,
  },
  {
    name: "container-port-taken",
    tells: "another process of the host holds the port that a container needs",
    alert: { ...down, service: "drill-port" },
    expected: "escalated",
    fixes: [],
    says: ["Port 18080 is held by \\S+ \\(pid \\d+\\)"],
    subjects: ["drill-port", "drill-holder"],
    prepare: `${listen("drill-holder")}
sleep 1`,
    break: `${listen("drill-port")}
${untilRestarted("drill-port")}`,
  },
  {
    name: "container-disk-full",
    tells: "the disk below a container's volume is full, so it cannot write and ends",
    alert: { ...down, service: "drill-writer" },
    expected: "escalated",
    fixes: [],
    says: ["No space left on device", '"/srv/drill-volume" \\(in it /data\\) is 100 % full'],
    subjects: ["drill-writer"],
    break: `mkdir -p /srv/drill-volume; mount -t tmpfs -o size=8m drill /srv/drill-volume
${start("drill-writer", `${always} -v /srv/drill-volume:/data`, "dd if=/dev/zero of=/data/log bs=1M count=20 || exit 1")}
${untilRestarted("drill-writer")}`,
  },
  {
    name: "container-docker-down",
    tells: "the docker daemon of the host is down, so no container can be asked",
    alert: { ...down, service: "drill-daemonless" },
    expected: "escalated",
    fixes: [],
    says: ["the docker daemon does not answer", "docker.service is inactive", "sudo systemctl start .*docker.socket"],
    subjects: ["drill-daemonless"],
    prepare: start("drill-daemonless", always),
    break: "systemctl stop docker.socket docker.service",
  },
  {
    name: "container-image-missing",
    tells: "an updater removed a container and its image, and could not make it again",
    alert: { ...down, service: "drill-gone" },
    expected: "escalated",
    fixes: [],
    says: ["it was removed at", "docker pull drill-image:1"],
    subjects: ["drill-gone"],
    prepare: `docker tag ${image} drill-image:1
docker run -d --name drill-gone --network none drill-image:1 sleep 1000 >/dev/null`,
    break: "docker rm -f drill-gone; docker rmi drill-image:1",
    restore: "docker rmi drill-image:1 2>/dev/null; exit 0",
  },
  {
    name: "container-dependency-down",
    tells: "the container whose network another one uses was stopped, and that one is cut off",
    alert: { ...down, service: "drill-behind" },
    expected: "fixed",
    fixes: ["docker_start", "docker_restart"],
    subjects: ["drill-server", "drill-behind"],
    prepare: `${start("drill-server", always)}
docker run -d --name drill-behind --network container:drill-server ${always} ${image} sh -c '${loop}' >/dev/null`,
    break: "docker stop -t 2 drill-server",
  },
  {
    name: "container-restart-policy-lost",
    tells: "a container crashed and nothing started it again: it was made anew without its restart policy",
    alert: { ...down, service: "drill-policy" },
    expected: "fixed",
    fixes: ["docker_start"],
    says: ["docker update --restart unless-stopped drill-policy"],
    subjects: ["drill-policy"],
    prepare: start(
      "drill-policy",
      "--restart no",
      `if [ ! -e /started ]; then touch /started; sleep 1; exit 1; fi; ${loop}`,
    ),
    break: `until docker inspect -f '{{.State.Status}}' drill-policy | grep -q exited; do sleep 0.2; done`,
  },
  {
    name: "container-dies-at-once",
    tells:
      "a container without a restart policy ends as soon as it is started: a wait of two minutes would mend nothing",
    alert: { ...down, service: "drill-dying" },
    expected: "escalated",
    fixes: ["docker_start"],
    says: ["was started and is down again", "code 4"],
    subjects: ["drill-dying"],
    withinSeconds: 20,
    break: `${start("drill-dying", "--restart no", "exit 4")}
until docker inspect -f '{{.State.Status}}' drill-dying | grep -q exited; do sleep 0.2; done`,
  },
  {
    name: "container-second-healer",
    tells: "a script restarts an unhealthy container every few seconds while Medic is alerted as well",
    alert: { name: "ContainerUnhealthy", service: "drill-fought" },
    expected: "escalated",
    fixes: [],
    says: ["something else keeps restarting", "Two healers fight"],
    subjects: ["drill-fought"],
    prepare: start("drill-fought", `${always} --health-cmd false --health-interval 1s --health-retries 1`),
    break: `cat > /run/drill-healer.sh <<'SCRIPT'
while :; do docker restart -t 1 drill-fought; sleep 2; done
SCRIPT
setsid sh /run/drill-healer.sh >/dev/null 2>&1 </dev/null & echo $! > /run/drill-healer.pid
${untilTold("drill-fought")}`,
  },
  {
    name: "container-autoheal-at-work",
    tells: "autoheal restarts an unhealthy container by its label while Medic is alerted as well",
    alert: { name: "ContainerUnhealthy", service: "drill-autohealed" },
    expected: "escalated",
    fixes: [],
    says: ["something else keeps restarting", "Two healers fight"],
    subjects: ["drill-autohealed", "drill-autoheal"],
    prepare: start(
      "drill-autohealed",
      `${always} --label autoheal=true --health-cmd false --health-interval 1s --health-retries 1`,
    ),
    break: `docker tag ghcr.io/koush/scrypted willfarrell/autoheal
docker run -d --name drill-autoheal --network none -v /var/run/docker.sock:/var/run/docker.sock willfarrell/autoheal node -e '${autoheal}' >/dev/null
${untilTold("drill-autohealed")}`,
    restore: "docker rm -f drill-autoheal; docker rmi willfarrell/autoheal; exit 0",
  },
];
