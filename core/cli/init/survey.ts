// What `medic init` asks a host once it is let in: who it is there, and what runs that a shipped plugin heals. One script, so
// one round trip; it only looks. Knows no hosts.yaml.
import { type Command, type Result, script, sections } from "../../plugin/contract.ts";

/** What was found. `docker`: how the user reaches it. */
export type Survey = {
  isRoot: boolean;
  hasSudo: boolean;
  docker: "direct" | "sudo" | "denied" | undefined;
  containers: number;
  systemd: boolean;
  /** Units that somebody wrote on this host and that run. */
  units: readonly string[];
  scrypted: { container: string } | "unit" | undefined;
};

const unitsMax = 20;
const text = `echo "uid $(id -u)"
if sudo -n true 2>/dev/null; then echo "sudo yes"; fi
if command -v docker >/dev/null 2>&1; then
  format='{{.Image}} {{.Names}}'
  if list=$(docker ps -a --format "$format" 2>/dev/null); then echo "docker direct"
  elif list=$(sudo -n docker ps -a --format "$format" 2>/dev/null); then echo "docker sudo"
  else echo "docker denied"; fi
fi
if [ -d /run/systemd/system ]; then
  echo "systemd yes"
  for file in /etc/systemd/system/*.service; do
    unit=\${file##*/}
    if [ -f "$file" ] && [ ! -L "$file" ] && systemctl is-active --quiet "$unit"; then echo "unit $unit"; fi
  done
  if systemctl cat scrypted.service >/dev/null 2>&1; then echo "scrypted unit"; fi
fi
echo "--medic:containers"
printf '%s\\n' "$list"`;

export const surveyCommand: Command = script(text);

/** Undefined when the host did not answer as a Unix host does. */
export function surveyOf({ stdout }: Pick<Result, "stdout">): Survey | undefined {
  const { "": facts = "", containers: list = "" } = sections(stdout);
  const lines = facts.split("\n").map((line) => line.trim());
  const values = (word: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  const uid = values("uid")[0] ?? "";
  if (!/^\d+$/.test(uid)) return undefined;
  const containers = list.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim().split(" ")]));
  const scryptedNames = containers.find(([image = ""]) => /(^|\/)scrypted(:|@|$)/.test(image))?.[1];
  // Docker names one that others link to in their words too: "nginx/scrypted,scrypted".
  const scrypted = scryptedNames?.split(",").find((name) => !name.includes("/"));
  const docker = values("docker")[0];
  return {
    isRoot: uid === "0",
    hasSudo: values("sudo").length > 0,
    docker: docker === "direct" || docker === "sudo" || docker === "denied" ? docker : undefined,
    containers: containers.length,
    systemd: values("systemd").length > 0,
    units: values("unit").slice(0, unitsMax),
    scrypted: scrypted !== undefined ? { container: scrypted } : values("scrypted").length > 0 ? "unit" : undefined,
  };
}
