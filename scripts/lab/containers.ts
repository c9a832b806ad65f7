// The containers of a lab host: Scrypted as its users run it, its watchtower, and two bystanders no fix may touch.
import { run } from "./process.ts";
import { enter } from "./host.ts";
import { scryptedFolder } from "./host-files.ts";
import { images } from "./images.ts";
import type { Place } from "./keys.ts";

/** Every container of a host, by name. */
export const containerNames = ["scrypted", "scrypted-watchtower", "postgres", "mosquitto"] as const;

/** Starts all of them; those that run already are left as they are. */
export async function startContainers(leader: number, place: Place): Promise<void> {
  const docker = (...args: string[]) => run(enter(leader, ["docker", ...args]));
  const list = await docker("container", "ls", "--all", "--format", "{{.Names}} {{.State}}");
  if (list.exit !== 0) throw new Error(`Cannot list containers on "${place.name}": ${list.stderr.trim()}`);
  const known = new Map(list.stdout.split("\n").map((line) => line.split(" ") as [string, string]));
  const starts = containers(place).map(async ({ name, args }) => {
    if (known.get(name) === "running") return;
    const start = known.has(name) ? ["start", name] : ["run", "--detach", "--name", name, ...args];
    const { exit, stderr } = await docker(...start);
    if (exit !== 0) throw new Error(`Cannot start container "${name}" on "${place.name}": ${stderr.trim()}`);
  });
  await Promise.all(starts);
}

function containers(place: Place): { name: (typeof containerNames)[number]; args: string[] }[] {
  const always = ["--restart", "unless-stopped"];
  const plain = (name: string) => [...always, "--network", "none", "--hostname", name, "--env", `NAME=${name}`];
  const volume = ["--volume", `${scryptedFolder}/volume:/server/volume`];
  const address = ["--env", `SCRYPTED_SERVER_ADDRESS=${place.address}`];
  const health = ["--health-cmd", "test -x /bin/daemon", "--health-interval", "5s", "--health-timeout", "3s"];
  const limited = ["--log-driver", "json-file", "--log-opt", "max-size=1m"];
  return [
    {
      name: "scrypted",
      args: [...always, "--network", "host", "--log-driver", "none", ...volume, ...address].concat(
        composeLabels("scrypted"),
        images.scrypted,
      ),
    },
    { name: "scrypted-watchtower", args: [...plain("watchtower"), ...composeLabels("watchtower"), images.watchtower] },
    { name: "postgres", args: [...plain("postgres"), ...limited, ...health, images.postgres] },
    { name: "mosquitto", args: [...plain("mosquitto"), ...limited, images.mosquitto] },
  ];
}

/** The labels by which Docker Compose knows its own. */
function composeLabels(service: string): string[] {
  const labels = {
    project: "scrypted",
    service,
    "container-number": "1",
    oneoff: "False",
    version: "2.24.6",
    "project.working_dir": scryptedFolder,
    "project.config_files": `${scryptedFolder}/docker-compose.yml`,
  };
  return Object.entries(labels).flatMap(([name, value]) => ["--label", `com.docker.compose.${name}=${value}`]);
}
