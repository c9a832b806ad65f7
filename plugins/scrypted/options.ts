// What hosts.yaml may say about Scrypted. How it is installed is found out on the host; an option only breaks ties.
import { composeFolder, containerName } from "medic/plugins/docker";
import * as v from "valibot";

const unitName = v.pipe(
  v.string(),
  v.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.@:-]{0,199}\.service$/, "a unit's name that ends in .service"),
);
const address = v.pipe(
  v.string(),
  v.regex(
    /^https?:\/\/(?:[a-zA-Z0-9][a-zA-Z0-9.-]{0,252}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?$/,
    "scheme, host and port only, such as https://localhost:10443",
  ),
);
const folder = v.pipe(
  v.string(),
  // oxlint-disable-next-line no-control-regex -- a path with a control character is a mistake or an attack
  v.regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\u0000-\u001f\u007f]{1,500}$/, "an absolute path without '..'"),
);

export const scryptedOptions = v.strictObject({
  container: v.pipe(v.optional(containerName, "scrypted"), v.description("Its container.")),
  watchtower: v.pipe(
    v.optional(containerName, "scrypted-watchtower"),
    v.description("The container that updates it; only looked at."),
  ),
  unit: v.pipe(v.optional(unitName, "scrypted.service"), v.description("Its unit, where systemd runs it.")),
  url: v.pipe(
    v.optional(address, "https://localhost:10443"),
    v.description("Where it answers, as seen from its own host. The probe runs there."),
  ),
  volume: v.pipe(
    v.optional(folder),
    v.description("Its volume on the host; found through docker when absent, so only a systemd install needs it."),
  ),
  backupFolder: v.pipe(
    v.optional(folder),
    v.description("Where its backups are kept on its host; ~/scrypted-backups of Medic's user there when absent."),
  ),
  composeFolder: v.pipe(
    v.optional(composeFolder),
    v.description("The folder of its compose file: medic doctor --sudoers prints lines for it."),
  ),
  startAllowanceSeconds: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(3600)), 600),
    v.description("How long it may take to start. Within it, silence is no reason for a restart."),
  ),
  onStopped: v.pipe(
    v.optional(v.picklist(["start", "ask"]), "start"),
    v.description("When a person stopped it and an alert misses it: start it, or ask first."),
  ),
});
export type ScryptedOptions = v.InferOutput<typeof scryptedOptions>;

/** The host part of the url, as `ss` prints addresses: "127.0.0.1", "::1", a name. */
export function hostOf(options: ScryptedOptions): string {
  return new URL(options.url).hostname.replaceAll(/[[\]]/g, "");
}

/** The port of the url. */
export function securePort(options: ScryptedOptions): number {
  const { port, protocol } = new URL(options.url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}
