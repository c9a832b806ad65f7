// scrypted_recordings: where Scrypted's recordings can lie. What no volume takes is written to the container's own layer,
// on docker's disk, and goes with the container. Sizes come from docker; nothing is opened.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import { blind, disksOf, isMissing, jsonLines, notUnderstood } from "medic/plugins/docker";
import type { Disk } from "medic/plugins/docker";
import * as v from "valibot";
import type { ScryptedOptions } from "./options.ts";

const sized = v.object({
  layer: v.number(),
  mounts: v.array(v.object({ Source: v.optional(v.string(), ""), Destination: v.string() })),
});
export type Recordings = {
  /** What the container has written outside of its volumes. */
  layerBytes: number;
  root: Disk | null;
  mounts: { source: string; inside: string; isOnRoot: boolean; isRecordings: boolean }[];
};

export const scryptedRecordings = diagnostic({
  name: "scrypted_recordings",
  description:
    "Where Scrypted's recordings can lie: the size of its container's own layer, and which of its volumes are on the root disk.",
  input: v.strictObject({}),
  timeoutSeconds: 40,
  command: (_input, options: ScryptedOptions) =>
    script(
      `root docker container inspect --size --format '{"layer":{{json .SizeRw}},"mounts":{{json .Mounts}}}' -- "$1" || exit
echo --medic:space
df -Pk 2>/dev/null
exit 0`,
      options.container,
    ),
  parse(result, _input, options: ScryptedOptions): Recordings | Unavailable {
    if (isMissing(result.stderr)) return unavailable(`there is no container "${options.container}"`);
    const parts = sections(result.stdout);
    if (result.exit !== 0 || parts["space"] === undefined) return blind(result) ?? unavailable(result);
    const container = jsonLines(parts[""] ?? "", sized)?.[0];
    if (container === undefined) return notUnderstood(result);
    const disks = disksOf(parts["space"]);
    return {
      layerBytes: container.layer,
      root: disks.find(({ mount }) => mount === "/") ?? null,
      mounts: container.mounts.map(({ Source: source, Destination: inside }) => ({
        source,
        inside,
        isOnRoot: !disks.some(({ mount }) => mount !== "/" && `${source}/`.startsWith(`${mount}/`)),
        isRecordings: /(?:^|\/)(?:nvr|recordings?)/i.test(inside),
      })),
    };
  },
});
