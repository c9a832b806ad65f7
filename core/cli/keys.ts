// Whether the keys that a verb will need can be read, before it begins: a key that cannot is a fault of the
// configuration, told in one line, and not an alert that nobody can heal an hour later.
import { isHandedOver } from "../config/credentials.ts";
import type { HostConfig } from "../config/schema.ts";
import { inspectKey, type KeyFile } from "../transport/identity.ts";
import { type Environment, UsageError } from "./context.ts";
import { commandText } from "../incident/shown.ts";

/** Throws UsageError for the first key that cannot be used; `doctor` tells of all of them. */
export async function requireKeys(hosts: readonly HostConfig[], env: Environment): Promise<void> {
  const withKey = hosts.filter((host) => host.transport === "ssh" && host.identity !== undefined);
  const seen = await Promise.all(withKey.map(({ identity = "", passphrase }) => inspectKey(identity, passphrase)));
  for (const [index, host] of withKey.entries()) {
    const key = seen[index];
    if (key?.is === "exposed" && isHandedOver(host.identity ?? "", env)) continue;
    const why = faultOf(key, host);
    if (why === undefined) continue;
    throw new UsageError(
      `Cannot use the key "${host.identity}" of host "${host.name}": ${why}. medic doctor ${host.name} says what mends it`,
    );
  }
}

function faultOf(key: KeyFile | undefined, { name: host, identity = "" }: HostConfig): string | undefined {
  switch (key?.is) {
    case "missing":
      return "there is no such file";
    case "unreadable":
    case "no-key":
      return key.why;
    case "locked":
      return `it is encrypted, and hosts.${host} has no passphrase`;
    case "wrong-passphrase":
      return `the passphrase of hosts.${host} does not open it`;
    case "public":
      return "it is the public half: the identity is the file without .pub";
    case "exposed":
      return `others can read it (mode ${key.mode}): run ${commandText(["chmod", "600", identity])}`;
    default:
      return undefined;
  }
}
