// What only a person does to Scrypted, as the commands to run: made anew, back to an older image, logs turned on, its
// database restored. Each loses something that Medic cannot give back, so there is no tool; the text knows the paths.
import { composeLine } from "medic/plugins/docker";
import type { Compose, Container } from "medic/plugins/docker";
import type { Backups } from "./backup.ts";
import type { ScryptedStatus } from "./status.ts";

/** Makes the container anew from its files as they are now. */
export function recreateByHand(name: string, compose: Compose | null): string {
  if (compose === null) return `docker stop ${name}; docker rename ${name} ${name}-old; then your own docker run`;
  return composeLine(compose, "up", "-d", "--no-deps", "--force-recreate", compose.service);
}

/** Scrypted's default is to log nowhere; another driver means a new container. */
export function logsByHand({ name, image }: Container, compose: Compose | null): string {
  if (compose === null) return `run it once in the foreground with the same volume: docker run --rm ${image}`;
  const file = compose.files[0] ?? `${compose.folder}/docker-compose.yml`;
  return (
    `set "logging: { driver: local, options: { max-size: 10m } }" for ${compose.service} in ${file}, then run: ` +
    `${recreateByHand(name, compose)}, and docker logs ${name}`
  );
}

/** For one that dies since an update. The digest that runs is told, so that there is a way forward again. */
export function olderImageByHand(
  { name, image }: Container,
  { runs, watchtower, compose }: { runs: string | null; watchtower: string; compose: Compose | null },
): string {
  const repository = image.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
  return (
    `If it dies since an update${runs === null ? "" : ` (it runs ${runs})`}: docker image ls --digests ${repository} shows which older ` +
    `one is there; docker image tag <its id> ${image}; docker stop ${watchtower}; ${recreateByHand(name, compose)}`
  );
}

/** The broken database is kept; plugins are fetched again from what the backup names. */
export function restoreByHand({ container, unit }: ScryptedStatus, database: string, backups: Backups | null): string {
  const [stop, start] =
    container === null
      ? [`sudo systemctl stop ${unit?.name ?? "scrypted"}`, `sudo systemctl start ${unit?.name ?? "scrypted"}`]
      : [`docker stop ${container.name}`, `docker start ${container.name}`];
  const newest = backups?.newest?.isZip === true ? backups.newest : null;
  const which =
    newest === null ? "No backup of Medic's is there; with one of yours" : `With the backup of ${newest.at}`;
  const aside = `cd ${database.replace(/\/[^/]*$/, "")}; sudo mv scrypted.db scrypted.db.broken; sudo mv plugins plugins.old`;
  return `${which}: ${stop}; ${aside}; sudo unzip ${newest?.path ?? "BACKUP"} -d scrypted.db; ${start}`;
}
