// The sudoers lines of this plugin: what its diagnostics read, and what its fixes change. A `*` in sudoers also matches
// blanks, and with them a second name, so everything that changes is a regular expression (sudo 1.9.10 and newer).
import type { DockerOptions } from "./inputs.ts";

const docker = "/usr/bin/docker";
const oneName = "[a-zA-Z0-9][a-zA-Z0-9_.-]*";
const oneId = "[0-9a-f]{64}";
const image = "[a-zA-Z0-9][a-zA-Z0-9._/:@-]*";

/**
 * For docker_recreate, whose script looks and goes back by itself, not below a time limit. With a pull and the name of an image
 * whoever has these lines chooses what a listed project runs, so they come with its folders.
 */
const recreatingLines = [
  `${docker} container inspect *`,
  `${docker} image inspect *`,
  `${docker} ^image tag sha256:${oneId} ${image}$`,
];

/** Enough for every diagnostic; a host with `trust: observe` needs no more. */
export function readingLines({ composeFolders }: Pick<DockerOptions, "composeFolders">): string[] {
  const reads = [
    "container ls *",
    "container inspect *",
    "image inspect *",
    "image ls *",
    "logs *",
    "top *",
    "stats *",
    "events *",
    "info *",
    "version *",
    "system df *",
    "network ls *",
  ];
  return [...reads.map((line) => `${docker} ${line}`), "/usr/bin/ss -H -ltunp", ...composeReadingLines(composeFolders)];
}

/** One line per kind of change. */
export function fixingLines({ composeFolders }: DockerOptions): string[] {
  return [
    `${docker} ^start -- ${oneName}$`,
    `${docker} ^unpause -- ${oneName}$`,
    `${docker} ^restart -t [0-9]+ -- ${oneName}$`,
    `${docker} ^network connect (--alias ${oneName} )?-- ${oneName} ${oneId}$`,
    `${docker} ^network disconnect --force -- ${oneName} ${oneId}$`,
    `${docker} ^pull --quiet -- ${image}$`,
    `${docker} image prune --force`,
    `${docker} builder prune --force`,
    ...(composeFolders.length > 0 ? recreatingLines : []),
    ...composeFixingLines(composeFolders),
  ];
}

/** Where the login may not read the files itself. */
function composeReadingLines(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => composeLines(folder, "config"));
}

export function composeFixingLines(folders: readonly string[]): string[] {
  const up = `up -d --no-deps --(no|force)-recreate --no-build ${oneName}`;
  return folders.flatMap((folder) => composeLines(folder, up));
}

/**
 * Compose is root's as soon as somebody may choose its files, so a line names a folder that the owner listed, and files that
 * lie right in it.
 */
function composeLines(folder: string, what: string): string[] {
  const literal = folder.replace(/[.+]/g, String.raw`\$&`);
  const file = `${literal}/[a-zA-Z0-9_-][a-zA-Z0-9_.-]*`;
  const words = `--project-directory ${literal} --project-name ${oneName}( --file ${file})+( --env-file ${file})* ${what}`;
  return [`${docker} ^compose ${words}$`, `/usr/bin/docker-compose ^${words}$`];
}
