// The lines that let one user run this plugin's fixes and nothing else. A `*` in a sudoers line also matches blanks, so
// "lab-*.service" would let `restart -- lab-x.service ssh.service` through: a glob becomes a regular expression that
// stays within one unit's name (sudo 1.9.10 and newer).
const verbs = ["start", "restart", "reload", "reset-failed", "stop", "enable", "disable"];
const vacuum = "/usr/bin/journalctl ^--vacuum-size=[0-9]+M$";
const program = "/usr/bin/systemctl";

/** Command patterns of sudoers for the listed units. */
export function sudoersFor(units: readonly string[]): string[] {
  if (units.length === 0) return [];
  return [...units.flatMap((unit) => verbs.map((verb) => line(verb, unit))), `${program} daemon-reload`, vacuum];
}

function line(verb: string, unit: string): string {
  if (!/[*?]/.test(unit)) return `${program} ${verb} -- ${unit.replace(/[:=\\,]/g, String.raw`\$&`)}`;
  const name = unit
    .replace(/[.\\]/g, String.raw`\$&`)
    .replaceAll("*", "[a-zA-Z0-9:_.@-]*")
    .replaceAll("?", "[a-zA-Z0-9:_.@-]");
  return `${program} ^${verb} -- ${name}$`;
}
