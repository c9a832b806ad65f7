// Keys and secrets that systemd hands over (LoadCredential= of a unit): a file of the same name in $CREDENTIALS_DIRECTORY
// counts in place of the one that hosts.yaml names. So the file itself may stay root's alone, and one hosts.yaml is right for
// the service and for root at the command line.
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Environment } from "./environment.ts";

/** Where the secret is that hosts.yaml has at `path`. */
export function handedOver(path: string, env: Environment): string {
  const folder = env["CREDENTIALS_DIRECTORY"] ?? "";
  if (folder === "") return path;
  const file = join(resolve(folder), basename(path));
  return existsSync(file) ? file : path;
}

/** Whether systemd guards the file: its mode may show a group that an access list stands behind. */
export function isHandedOver(path: string, env: Environment): boolean {
  const folder = env["CREDENTIALS_DIRECTORY"] ?? "";
  return folder !== "" && dirname(path) === resolve(folder);
}
