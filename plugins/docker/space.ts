// docker_space: where one container writes, and how full that is. Looks at the host's side, so a stopped container can be
// asked about as well. Knows no policy.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";
import { blind, isMissing, isNamed, jsonLines, notUnderstood } from "./answers.ts";
import { byName } from "./inputs.ts";
import { disksOf } from "./surroundings.ts";

const written = v.object({
  name: v.string(),
  mounts: v.array(v.object({ Source: v.optional(v.string(), ""), Destination: v.string(), RW: v.boolean() })),
});
export type Space = { inside: string; onHost: string; usedPercent: number; freeBytes: number };

export const dockerSpace = diagnostic({
  name: "docker_space",
  description: "The disks one container writes to (its own layer, each mount), and how full each is.",
  input: byName,
  command: ({ name }) =>
    script(
      `root docker container inspect --format '{"name":{{json .Name}},"mounts":{{json .Mounts}}}' -- "$1" || exit
echo --medic:root
root docker info --format '{{.DockerRootDir}}'
echo --medic:space
df -Pk 2>/dev/null
exit 0`,
      name,
    ),
  parse(result, { name }): { exists: false } | { exists: true; spaces: Space[] } | Unavailable {
    if (isMissing(result.stderr)) return { exists: false };
    const parts = sections(result.stdout);
    if (parts["space"] === undefined) return blind(result) ?? unavailable(result);
    const container = jsonLines(parts[""] ?? "", written)?.[0];
    const disks = disksOf(parts["space"]);
    if (container === undefined || disks.length === 0) return notUnderstood(result);
    if (!isNamed(container.name, name)) return { exists: false };
    const places = [
      { Destination: "/", Source: (parts["root"] ?? "").trim() || "/var/lib/docker" },
      ...container.mounts.filter(({ RW, Source }) => RW && Source.startsWith("/")),
    ];
    const spaces = places.flatMap(({ Destination, Source }) => {
      const holds = disks.filter(({ mount }) => mount === "/" || `${Source}/`.startsWith(`${mount}/`));
      const disk = holds.toSorted((one, other) => other.mount.length - one.mount.length)[0];
      if (disk === undefined) return [];
      return { inside: Destination, onHost: Source, usedPercent: disk.usedPercent, freeBytes: disk.freeBytes };
    });
    return { exists: true, spaces };
  },
});
