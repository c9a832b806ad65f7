// What a container has to do with docker compose: which project, service and files made it, which compose this host has,
// and whether it takes these files. Also answers for a container that was removed lately: docker's events keep its labels.
// Knows how a command of compose is put together; refuses to know which one is right.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Command, Unavailable } from "medic/plugin";
import { blind, brief, isNamed } from "./answers.ts";
import { byName } from "./inputs.ts";

export type Compose = {
  project: string;
  service: string;
  folder: string;
  files: string[];
  envFiles: string[];
  /** Made by `compose run`, for once. */
  oneOff: boolean;
  /** The container was removed; what is told of it are its labels. */
  gone: boolean;
  /** How many containers its service has; compose treats them as one. */
  containers: number;
  /** What the files name as its image; null where they build it. */
  image: string | null;
  /** Its image is not there to be looked at, so its labels may be the image's own. */
  unseen?: true;
  /** The label medic.hold=true, also of one that was removed. */
  hold: boolean;
  program: "docker compose" | "docker-compose";
  version: string;
  valid: boolean;
  why: string | undefined;
};
export type ComposeConfig = { compose: Compose | null };

const prefix = "com.docker.compose.";
const labels = [
  `${prefix}project`,
  `${prefix}service`,
  `${prefix}oneoff`,
  `${prefix}project.working_dir`,
  `${prefix}project.config_files`,
  `${prefix}project.environment_file`,
  "medic.hold",
];
/** One line, the fields apart by tabs, so that `cut` finds them. */
function lineOf(name: string, from: string): string {
  return [`{{${name}}}`, ...labels.map((label) => `{{index ${from} "${label}"}}`)].join("\t");
}
const ofContainer = lineOf(".Name", ".Config.Labels");
const ofEvent = lineOf('index .Actor.Attributes "name"', ".Actor.Attributes");
const imageOfEvent = `{{index .Actor.Attributes "name"}}\t{{index .Actor.Attributes "image"}}`;

// `--filter container=` takes prefixes too: the last line has to be of this very name. The files, and what they lead to, are
// read as the login; where that may not, as root. Of what compose makes of them only the service's image is told: the rest
// holds secrets; a name that looks like a number stands in quotes there. Compose 1 writes the files' names relative to the
// folder. Labels may come with an image, from anybody: what goes into sed is letters, and an image that names compose files
// (compose gives it none) is believed nothing.
const text = `unseen=
destroyed() {
  now=$(date +%s)
  root docker events --since "$(( $now - 86400 ))" --until "$(( $now + 1 ))" --filter type=container --filter event=destroy --filter "container=$2" --format "$1" | grep "^$2\t" | tail -n 1
}
found=$(root docker container inspect --format '${ofContainer}' -- "$1")
if [ -n "$found" ]; then
  image=$(root docker container inspect --format '{{.Image}}' -- "$1")
else
  found=$(destroyed '${ofEvent}' "$1")
  image=$(destroyed '${imageOfEvent}' "$1" | cut -f 2)
  echo --medic:gone
fi
brought=$(root docker image inspect --format '{{index .Config.Labels "${prefix}project.config_files"}}' -- "$image" 2>/dev/null)
root docker image inspect --format '{{.ID}}' -- "$image" >/dev/null 2>&1 || unseen=yes
printf '%s\\n' "$found"
if [ -n "$unseen" ]; then echo --medic:unseen; fi
project=$(printf '%s\\n' "$found" | cut -f 2)
service=$(printf '%s\\n' "$found" | cut -f 3)
folder=$(printf '%s\\n' "$found" | cut -f 5)
files=$(printf '%s\\n' "$found" | cut -f 6)
environment=$(printf '%s\\n' "$found" | cut -f 7)
case "$project$service" in *[!a-zA-Z0-9_.-]*) brought=odd ;; esac
if [ -n "$brought" ]; then echo --medic:odd; exit 0; fi
if [ -n "$files" ]; then
  echo --medic:siblings
  root docker container ls --all --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False
  echo --medic:program
  program=
  if docker compose version --short 2>/dev/null; then program="docker compose"
  elif command -v docker-compose >/dev/null 2>&1; then
    docker-compose version --short
    program=docker-compose
  fi
  echo "$program"
  if [ -n "$program" ]; then
    hidden=
    if [ -e "$folder/.env" ] && [ ! -r "$folder/.env" ]; then hidden=yes; fi
    set -- --project-directory "$folder" --project-name "$project"
    set -f
    IFS=,
    for file in $files; do
      case "$file" in /*) ;; *) file=$folder/$file ;; esac
      if [ ! -r "$file" ]; then hidden=yes; fi
      set -- "$@" --file "$file"
    done
    for file in $environment; do set -- "$@" --env-file "$file"; done
    unset IFS
    set +f
    echo --medic:config
    if [ -z "$hidden" ]; then
      said=$($program "$@" config 2>&1)
      code=$?
      case "$code $said" in "0 "*) ;; *"ermission denied"*) hidden=yes ;; esac
    fi
    if [ -n "$hidden" ]; then
      said=$(root $program "$@" config 2>&1)
      code=$?
    fi
    key=$(printf '%s' "$service" | sed 's/[.]/[.]/g')
    if [ "$code" -eq 0 ]; then printf '%s\\n' "$said" | tr -d \\'\\" | sed -n "/^  $key:$/,/^  [^ ]/s/^    image: //p"; else printf '%s\\n' "$said"; fi
    echo --medic:exit
    echo "$code"
  fi
fi
exit 0`;

export const dockerComposeConfig = diagnostic({
  name: "docker_compose_config",
  description:
    "Which compose project and files a container comes from (also one that was removed lately), and whether these files are valid.",
  input: byName,
  timeoutSeconds: 30,
  command: ({ name }) => script(text, name),
  parse(result, { name }): ComposeConfig | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const parts = sections(result.stdout);
    const gone = parts["gone"] !== undefined;
    const [dockerName = "", project = "", service = "", oneOff = "", folder = "", files = "", environment = "", hold] =
      ((gone ? parts["gone"] : parts[""]) ?? "").split("\n")[0]?.split("\t") ?? [];
    if (!(gone ? dockerName === name : isNamed(dockerName, name))) {
      return blind(result) ?? unavailable(`there is no container "${name}", and docker remembers none`);
    }
    if (parts["odd"] !== undefined) return unavailable(`the compose labels of "${name}" are not understood`);
    if (project === "") return { compose: null };
    const [version = "", program = ""] = (parts["program"] ?? "").split("\n");
    if (program !== "docker compose" && program !== "docker-compose") {
      return unavailable(
        "this host has no compose plugin and no docker-compose, so its compose file cannot be checked",
      );
    }
    const said = parts["config"] ?? "";
    if (parts["exit"] === undefined) return unavailable("the answer of compose ended early");
    const valid = parts["exit"] === "0";
    if (!valid && /permission denied|^sudo: |a password is required/im.test(said)) return unavailable(brief(said));
    return {
      compose: {
        project,
        service,
        folder,
        files: listOf(files, folder),
        envFiles: listOf(environment, folder),
        oneOff: oneOff.toLowerCase() === "true",
        gone,
        containers: (parts["siblings"] ?? "").split("\n").filter((id) => id !== "").length,
        image: valid && said !== "" ? brief(said) : null,
        hold: hold === "true",
        ...(parts["unseen"] === undefined ? {} : { unseen: true as const }),
        program,
        version,
        valid,
        why: valid ? undefined : complaintOf(said),
      },
    };
  },
});

/** Of an environment compose quotes what it does not understand, and of its file all that follows: secrets among it. */
function complaintOf(said: string): string {
  if (!/interpolation|variable name|\.env\b|environment/i.test(said)) return brief(said);
  const unquoted = said.replaceAll(/"(?:[^"\\]|\\.)*(?:"|$)/gs, '"…"');
  return brief(unquoted.replace(/(with another \$\.?).*/s, "$1"));
}

function listOf(paths: string, folder: string): string[] {
  const all = paths.split(",").filter((path) => path !== "");
  return all.map((path) => (path.startsWith("/") ? path : `${folder}/${path}`));
}

/** What `composeCommand` may be made of: labels come from whoever made the container. */
const wellFormed = /^\/[^\p{C}\p{Zl}\p{Zp},]*$/u;

/** Why nothing can be done through compose for this container; undefined when it can. */
export function composeObjection(name: string, { compose }: ComposeConfig): string | undefined {
  if (compose === null) return `"${name}" was not made by compose`;
  const { project, service, folder, files, envFiles, valid, why } = compose;
  if (compose.hold) return `"${name}" has the label medic.hold=true`;
  if (compose.oneOff) return `"${name}" was made by "compose run" for once`;
  if (compose.containers > 1) {
    return `its service "${service}" has ${compose.containers} containers, and compose would treat them as one`;
  }
  const isNamedWell = [project, service].every((word) => /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(word));
  if (!isNamedWell || files.length === 0 || ![folder, ...files, ...envFiles].every((path) => wellFormed.test(path))) {
    return `the compose labels of "${name}" are not understood`;
  }
  return valid ? undefined : `compose does not take its files: ${why ?? "it does not say why"}`;
}

/** What a person has to see before compose runs files that an image may have named; undefined when none did. */
export function composeDoubt({ unseen, files }: Compose): string | undefined {
  if (unseen === undefined) return undefined;
  return `its image is not on the host, so its labels, which name ${files.join(", ")}, may have come with that image`;
}

/** A command of compose on the project of a container that `composeObjection` has nothing against. */
export function composeCommand(compose: Compose, ...args: string[]): Command {
  const { program, folder, project, files, envFiles } = compose;
  return [
    "root",
    ...program.split(" "),
    "--project-directory",
    folder,
    "--project-name",
    project,
    ...files.flatMap((file) => ["--file", file]),
    ...envFiles.flatMap((file) => ["--env-file", file]),
    ...args,
  ];
}

/** The same for a person to type. */
export function composeLine(compose: Compose, ...args: string[]): string {
  const [, ...words] = composeCommand(compose, ...args);
  return `sudo ${words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ")}`;
}

/** Brings up one service: what is missing is made, what is stopped is started; nothing that is there is made anew. */
export function composeUp(compose: Compose): Command {
  return composeCommand(compose, "up", "-d", "--no-deps", "--no-recreate", "--no-build", compose.service);
}
