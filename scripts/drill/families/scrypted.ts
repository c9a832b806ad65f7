// Drills of Scrypted: each host's own, broken in a way its users report. What is only put aside is put back by `restore`;
// where its container was replaced, the driver makes it anew.
import type { HostEntry } from "../../lab/own-medic.ts";
import { type Drill, hostAddress } from "../drill.ts";

const volume = "/home/operator/.scrypted/volume";
const image = "ghcr.io/koush/scrypted";
const scrypted = { service: "scrypted" };
const subjects = ["scrypted"];
/** Silence is a reason at once: a lab's Scrypted starts in a second. */
function impatient(host: HostEntry): void {
  Object.assign(host.plugins["scrypted"] ?? {}, { startAllowanceSeconds: 1 });
}

/** Shell text: Scrypted is down, and another process listens where it would. */
function taken(port: number): string {
  const program = `require("http").createServer().listen(${port}, process.argv[1])`;
  return `${hostAddress}
docker stop -t 5 scrypted
docker run -d --name drill-holder --network host ${image} node -e '${program}' "$address" >/dev/null; sleep 1`;
}

export const scryptedDrills: readonly Drill[] = [
  {
    name: "scrypted-stopped",
    tells: "somebody stopped Scrypted; the monitor's probe of /login fails",
    alert: { ...scrypted, name: "ScryptedDown" },
    raisedBy: "scrypted probe",
    expected: "fixed",
    fixes: ["scrypted_restart"],
    subjects,
    configure: impatient,
    break: "docker stop -t 5 scrypted",
    restore: "docker start scrypted",
  },
  {
    name: "scrypted-not-answering",
    tells: "Scrypted's server hangs while docker says Up",
    alert: { ...scrypted, name: "ScryptedDown" },
    raisedBy: "scrypted probe",
    expected: "fixed",
    fixes: ["scrypted_restart"],
    subjects,
    configure: impatient,
    break: `touch ${volume}/wedge`,
    restore: `if [ -e ${volume}/wedge ]; then docker restart -t 5 scrypted; fi`,
  },
  {
    name: "scrypted-logging-none",
    tells: "Scrypted dies at each start and logs nowhere, as its default is",
    alert: { ...scrypted, name: "ScryptedDown" },
    expected: "escalated",
    fixes: [],
    says: ["it keeps dying", "logging driver none", "driver: local"],
    subjects,
    configure: impatient,
    break: `mv ${volume}/tls.key ${volume}/tls.key.aside; docker restart -t 1 scrypted
until [ "$(docker inspect -f '{{.RestartCount}}' scrypted)" -ge 3 ]; do sleep 0.3; done`,
    restore: `if [ -e ${volume}/tls.key.aside ]; then mv ${volume}/tls.key.aside ${volume}/tls.key; docker restart -t 1 scrypted; fi`,
  },
  {
    name: "scrypted-plugin-memory-grows",
    tells: "one plugin of Scrypted leaks memory while all of it answers",
    alert: { ...scrypted, name: "ScryptedMemoryHigh" },
    expected: "escalated",
    fixes: [],
    says: ["the plugin @scrypted/snapshot \\(pid \\d+\\) takes \\d+ MiB and grew by \\d+ MiB"],
    subjects,
    break: `echo @scrypted/snapshot > ${volume}/leak`,
    restore: `if [ -e ${volume}/leak ]; then rm ${volume}/leak; docker restart -t 5 scrypted; fi`,
  },
  {
    name: "scrypted-port-10443-taken",
    tells: "Scrypted is down, and another program has its https port",
    quick: true,
    alert: { ...scrypted, name: "ScryptedDown" },
    expected: "escalated",
    fixes: [],
    says: ["\\(pid \\d+\\) holds its port 10443"],
    subjects: [...subjects, "drill-holder"],
    configure: impatient,
    break: taken(10443),
    restore: "docker rm -f drill-holder; docker start scrypted",
  },
  {
    name: "scrypted-port-10081-taken",
    tells: "Scrypted is down, and another program has its debug port",
    alert: { ...scrypted, name: "ScryptedDown" },
    expected: "escalated",
    fixes: [],
    says: ["\\(pid \\d+\\) holds its port 10081"],
    subjects: [...subjects, "drill-holder"],
    configure: impatient,
    break: taken(10081),
    restore: "docker rm -f drill-holder; docker start scrypted",
  },
  {
    name: "scrypted-second-instance",
    tells: "a second Scrypted was started on the same volume and has its database",
    alert: { ...scrypted, name: "ScryptedDown" },
    expected: "escalated",
    fixes: [],
    says: ["a second instance|\\(pid \\d+\\) holds its port 10443"],
    subjects: [...subjects, "drill-second"],
    configure: impatient,
    break: `${hostAddress}
docker stop -t 5 scrypted
docker run -d --name drill-second --network host -e SCRYPTED_SERVER_ADDRESS="$address" -v ${volume}:/server/volume ${image} >/dev/null
sleep 1`,
    restore: "docker rm -f drill-second; docker start scrypted",
  },
  {
    name: "scrypted-device-missing",
    tells: "a device that Scrypted's container maps is gone, so docker cannot start it",
    alert: { ...scrypted, name: "ScryptedDown" },
    expected: "escalated",
    fixes: [],
    says: ["docker cannot start it: .*gathering device information", "/dev/drill-tpu"],
    subjects,
    configure: impatient,
    remakesScrypted: true,
    break: `mknod /dev/drill-tpu c 1 3
docker rm -f scrypted >/dev/null
docker run -d --name scrypted --restart unless-stopped --network host --log-driver none --device /dev/drill-tpu -v ${volume}:/server/volume ${image} sleep 1000 >/dev/null
docker stop -t 1 scrypted; rm /dev/drill-tpu; docker start scrypted || true`,
  },
  {
    name: "scrypted-recordings-on-root-disk",
    tells: "the recordings lie inside the container, on the root disk, because no volume is mounted there",
    alert: { ...scrypted, name: "ScryptedStorage" },
    expected: "escalated",
    fixes: [],
    says: ["keeps 6\\d MiB in its own layer", "docker cp them out"],
    subjects,
    break: "docker exec scrypted sh -c 'mkdir -p /server/nvr && head -c 67108864 /dev/zero > /server/nvr/camera.mp4'",
    restore: "docker exec scrypted rm -rf /server/nvr",
  },
];
