// Making a container anew from what its owner wrote down: through compose, for compose-made ones. The image it runs is
// kept under a name of Medic's first, and the host itself goes back to it when the new container is not well in time: also
// when Medic is gone by then. A container made by `docker run` is left to a person: docker keeps its settings, but not
// which of them were asked for and which came with the old image, and anonymous volumes would be left behind.
import { call, fix, need, refuse, script } from "medic/plugin";
import type { Command, Found, Inquiry, Plan, Refusal } from "medic/plugin";
import { composeCommand, composeLine, composeObjection, dockerComposeConfig } from "./compose.ts";
import type { Compose } from "./compose.ts";
import { dockerImage, dockerInspect } from "./containers.ts";
import type { Inspected } from "./containers.ts";
import { dockerDaemon } from "./daemon.ts";
import type { Daemon } from "./daemon.ts";
import { isWell, objectionTo, pending } from "./fixes.ts";
import type { NetworkStatus } from "./fixes.ts";
import { byName } from "./inputs.ts";
import type { DockerOptions } from "./inputs.ts";
import { dockerStatus, runOf } from "./status.ts";
import { dockerNetwork } from "./surroundings.ts";

const watch = ({ name }: { name: string }) => ({
  status: call(dockerStatus, { name }),
  image: call(dockerImage, { name }),
});
const wellWithinSeconds = 60;
const wellWithinSecondsMax = 600;

export const dockerRecreate = fix({
  name: "docker_recreate",
  description:
    "Make one compose container anew from its compose files and the image its tag names now, by exact name; goes back to the image it ran when the new one is not well in time. A person has to agree.",
  risk: "destructive",
  input: byName,
  watch,
  *plan({ name }, _options: DockerOptions, { status, image }): Inquiry<Plan | Refusal> {
    const objection = objectionTo(status, name);
    if (objection !== undefined || !status.exists || !image.exists) return refuse(objection ?? "it is gone");
    const { config, network, daemon } = yield* need({
      config: call(dockerComposeConfig, { name }),
      network: call(dockerNetwork, { name }),
      daemon: call(dockerDaemon, {}),
    });
    const { compose } = config;
    if (compose === null) {
      const { settings } = yield* need({ settings: call(dockerInspect, { name }) });
      return refuse(settings.exists ? recreateByHand(name, settings) : "it is gone");
    }
    const wrong = composeObjection(name, config);
    if (wrong !== undefined) return refuse(wrong);
    const left = objectionAround(compose, network, daemon);
    if (left !== undefined) return refuse(left);
    if (image.runs === null)
      return refuse(`the image "${name}" runs is not on the host any more: there is no way back`);
    if (compose.image !== null && compose.image !== status.image) {
      return refuse(
        `its compose file names "${compose.image}", and it was made from "${status.image}": that is a change of version, ` +
          `with no way back through its tag. Run: ${composeLine(compose, "up", "-d", "--no-deps", compose.service)}`,
      );
    }
    const seconds = Math.min(wellWithinSeconds + status.startPeriodSeconds, wellWithinSecondsMax);
    const { id } = image.runs;
    return {
      steps: [
        ["root", "docker", "image", "tag", id, rollbackTag(name)],
        recreateOrGoBack(name, compose, { reference: status.image, id, seconds }),
      ],
      touches: [name],
      withinSeconds: wellWithinSeconds + status.startPeriodSeconds,
      approval:
        `makes "${name}" anew from ${image.outdated ? `the newer image that "${status.image}" names now` : "the image it has"} ` +
        `and its compose files as they are now; what it wrote outside of its volumes is lost. It runs ${digestOf(status.image, image.runs)}; ` +
        `when the new one is not well within ${seconds} s, it goes back to that (kept as ${rollbackTag(name)})`,
    };
  },
  marker: ({ status }) => runOf(status),
  pending,
  // What was gone back from runs well, and is no recreated container.
  healthy: (now, before) => isWell(now.status) && runsWhatItShould(now, before),
  withinSeconds: wellWithinSeconds,
  stableSeconds: 30,
  timeoutSeconds: 1800,
});

/** What making it anew would break, or what would break that. */
function objectionAround(compose: Compose, network: NetworkStatus, daemon: Daemon): string | undefined {
  if (network.exists && network.dependents.length > 0) {
    return (
      `"${network.dependents.join('", "')}" use its network, and a new container has another one. ` +
      `Run, for all at once: ${composeLine(compose, "up", "-d", "--force-recreate")}`
    );
  }
  // It looks for what newer daemons do not tell of an image (KeyError: ContainerConfig), after it has put the old one aside.
  if (compose.program === "docker-compose" && Number.parseInt(daemon.version ?? "", 10) >= 25) {
    return `docker-compose ${compose.version} breaks off when it makes a container anew on docker ${daemon.version}: install the compose plugin`;
  }
  return undefined;
}

type Seen = Found<ReturnType<typeof watch>>;

function runsWhatItShould(now: Seen, before: Seen): boolean {
  if (!now.image.exists || !before.image.exists) return false;
  return before.image.outdated ? now.image.runs?.id !== before.image.runs?.id : !now.image.outdated;
}

/** What names this very image, short: its digest in the registry it came from, or its id here. The step has it whole. */
function digestOf(reference: string, { id, digests }: { id: string; digests: readonly string[] }): string {
  const repository = reference.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
  const digest = digests.find((one) => one.startsWith(`${repository}@`)) ?? id;
  return digest.replace(/(sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1");
}

/** A container's name is also a tag's. */
function rollbackTag(name: string): string {
  return `medic-rollback:${name}`;
}

const text = `name=$1
reference=$2
old=$3
seconds=$4
shift 4
look() {
  root docker container inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.RestartCount}} {{.State.StartedAt}}' -- "$name" 2>&1
}
well() {
  waited=0
  good=0
  last=
  while [ "$waited" -lt "$seconds" ]; do
    sleep 2
    waited=$((waited + 2))
    state=$(look)
    case "$state" in
      "running  "*|"running healthy "*) if [ "$state" = "$last" ]; then good=$((good + 2)); else good=0; fi ;;
      *) good=0 ;;
    esac
    last=$state
    if [ "$good" -ge 10 ]; then return 0; fi
  done
  return 1
}
if ! state=$(look); then echo "nothing was made anew: the host could not see whether it is well: $state" >&2; exit 1; fi
said=$(root "$@" 2>&1)
code=$?
if [ "$code" -eq 0 ] && well; then exit 0; fi
if [ "$code" -eq 0 ]; then why="not well after $seconds s ($state)"; else why="compose failed: $(printf '%s' "$said" | tail -n 3)"; fi
if [ "$(root docker image inspect --format '{{.ID}}' -- "$reference" 2>/dev/null)" = "$old" ]; then
  echo "$why; the image is the one it ran before, so there is none to go back to" >&2
  exit 1
fi
if root docker image tag "$old" "$reference" && root "$@" >/dev/null 2>&1 && well; then
  echo "$why; went back to $old, and it runs again" >&2
else
  echo "$why; went back to $old, and it is not well either ($state)" >&2
fi
exit 1`;

function recreateOrGoBack(
  name: string,
  compose: Compose,
  { reference, id, seconds }: { reference: string; id: string; seconds: number },
): Command {
  const [, ...command] = composeCommand(
    compose,
    "up",
    "-d",
    "--no-deps",
    "--force-recreate",
    "--no-build",
    compose.service,
  );
  return script(text, name, reference, id, String(seconds), ...command);
}

/** What a person runs to make anew what `docker run` made. Environment and ports only that person can say. */
export function recreateByHand(name: string, settings: Inspected): string {
  const { image, restartPolicy, networkMode, user, memoryLimitBytes, cpuLimit, mounts, devices } = settings;
  const isOwnNetwork = !["default", "bridge"].includes(networkMode);
  const flags = [
    ...(restartPolicy === "no" ? [] : ["--restart", restartPolicy]),
    ...(isOwnNetwork ? ["--network", networkMode] : []),
    ...(user === "root" ? [] : ["--user", user]),
    ...(memoryLimitBytes === null ? [] : ["--memory", String(memoryLimitBytes)]),
    ...(cpuLimit === null ? [] : ["--cpus", String(cpuLimit)]),
    ...(settings.privileged ? ["--privileged"] : []),
    ...devices.flatMap(({ onHost, inside }) => ["--device", `${onHost}:${inside}`]),
    ...mounts.flatMap(({ source, destination, writable }) => [
      "-v",
      // A volume of docker's goes by its name.
      `${/\/volumes\/([^/]+)\/_data$/.exec(source)?.[1] ?? source}:${destination}${writable ? "" : ":ro"}`,
    ]),
  ];
  return (
    `"${name}" was made by docker run, which keeps its settings but not which of them were asked for. By hand: ` +
    `docker rename ${name} ${name}-old; docker stop ${name}-old; docker run -d --name ${name} ${flags.join(" ")} ` +
    `(and its -p and -e: docker inspect ${name}-old) ${image}. Well? docker rm ${name}-old. ` +
    `Not? docker rm -f ${name}; docker rename ${name}-old ${name}; docker start ${name}`
  );
}
