// Drills of containers that compose made, and of a network that was lost: each has a project of its own, and no registry
// but one on the host itself.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bridgeOption, documentationNetwork } from "../../lab/bridges.ts";
import type { Drill } from "../drill.ts";

const folder = "/srv/drill-compose";
const image = "eclipse-mosquitto:2";
const down = { name: "ContainerDown" };
/** Where the registry of one image listens, on a loopback address that docker asks without TLS. */
const registryPort = 15000;
const pulled = `127.0.0.1:${registryPort}/drill:1`;
const registryFolder = "/srv/drill-registry";

/** Shell text: a project of one service, up. `network` stands in the service, `networks` at the file's end. */
function project(name: string, from: string, network: string, networks = ""): string {
  return `mkdir -p ${folder}; cat > ${folder}/docker-compose.yml <<'FILE'
services:
  web:
    image: ${from}
    container_name: ${name}
    restart: unless-stopped
    ${network}
${networks}
FILE
cd ${folder}; docker-compose up -d >/dev/null 2>&1`;
}

/** Shell text: an image that only the host's own registry has, once it is removed. */
function registry(): string {
  const program = readFileSync(join(import.meta.dirname, "../registry.cjs"), "utf8");
  return `mkdir -p ${registryFolder}
docker tag ${image} ${pulled}; docker save ${pulled} | tar -x -C ${registryFolder}
cat > ${registryFolder}/registry.cjs <<'PROGRAM'
${program}
PROGRAM
docker run -d --name drill-registry --network host -v ${registryFolder}:/registry:ro ghcr.io/koush/scrypted node /registry/registry.cjs /registry ${registryPort} >/dev/null
until curl -fs http://127.0.0.1:${registryPort}/v2/ >/dev/null; do sleep 0.2; done`;
}

export const composeDrills: readonly Drill[] = [
  {
    name: "container-removed",
    tells: "somebody removed a container that compose had made",
    alert: { ...down, service: "drill-composed" },
    expected: "fixed",
    fixes: ["docker_compose_up"],
    subjects: ["drill-composed"],
    prepare: project("drill-composed", image, "network_mode: none"),
    break: "docker rm -f drill-composed",
  },
  {
    name: "container-image-pulled",
    tells: "an updater removed a compose container and its image, and the registry has that image",
    alert: { ...down, service: "drill-pulled" },
    expected: "fixed",
    fixes: ["docker_pull", "docker_compose_up"],
    subjects: ["drill-pulled", "drill-registry"],
    prepare: `${registry()}
${project("drill-pulled", pulled, "network_mode: none")}`,
    break: `docker rm -f drill-pulled; docker rmi ${pulled}`,
    restore: `docker rm -f drill-pulled drill-registry; docker rmi ${pulled}`,
  },
  {
    name: "container-compose-file-broken",
    tells: "a compose container was removed, and its file was broken by an edit",
    alert: { ...down, service: "drill-misspelt" },
    expected: "escalated",
    fixes: [],
    says: ["it was removed at", "compose does not take its files", "imagee"],
    subjects: ["drill-misspelt"],
    prepare: project("drill-misspelt", image, "network_mode: none"),
    break: `docker rm -f drill-misspelt; sed -i 's/image:/imagee:/' ${folder}/docker-compose.yml`,
  },
  {
    name: "container-network-lost",
    tells: "a running container was disconnected from the network it was made for",
    alert: { ...down, service: "drill-lost" },
    expected: "fixed",
    fixes: ["docker_network_reconnect"],
    says: ["runs and stays up"],
    subjects: ["drill-lost"],
    keepsRun: true,
    prepare: `docker network create --internal --subnet ${documentationNetwork}.0/29 -o ${bridgeOption("lost").join("=")} drill-net >/dev/null
docker run -d --name drill-lost --network drill-net --restart unless-stopped ${image} >/dev/null`,
    break: "docker network disconnect drill-net drill-lost",
    restore: "docker rm -f drill-lost; docker network rm drill-net",
  },
  {
    name: "container-network-removed",
    tells: "the network of a compose container was removed while it was down, and a person agrees to make it anew",
    alert: { ...down, service: "drill-netless" },
    expected: "fixed",
    fixes: ["docker_recreate"],
    subjects: ["drill-netless"],
    prepare: project(
      "drill-netless",
      image,
      "networks: [inside]",
      `networks: { inside: { internal: true, driver_opts: { ${bridgeOption("netless").join(": ")} }, ipam: { config: [{ subnet: ${documentationNetwork}.8/29 }] } } }`,
    ),
    break: `docker stop -t 1 drill-netless; docker network rm drill-compose_inside; docker start drill-netless || true`,
    approve: true,
    restore: `docker rm -f drill-netless; docker network rm drill-compose_inside; docker rmi medic-rollback:drill-netless`,
  },
  {
    name: "scrypted-removed",
    tells: "somebody removed Scrypted's container, which compose had made",
    alert: { name: "ScryptedDown", service: "scrypted" },
    expected: "fixed",
    fixes: ["scrypted_compose_up"],
    subjects: ["scrypted"],
    break: "docker rm -f scrypted",
    remakesScrypted: true,
  },
];
