// A container that is not there: what became of it, and whether its image still is. Docker's events are the only memory;
// a restart of its daemon forgets them. Knows no policy.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";
import { blind, jsonLines, notUnderstood, timeOf, tooLong } from "./answers.ts";
import { byName } from "./inputs.ts";

const happened = v.object({ time: v.number(), what: v.string(), name: v.string(), image: v.string() });
const tagged = v.object({ image: v.string() });
export type Gone = {
  exists: boolean;
  /** The newest first-hand trace of it: created, destroyed, renamed. Null when docker remembers nothing. */
  last: { what: string; at: string; image: string } | null;
  /** Whether the image it had is on the host; null when nobody knows which it was. */
  hasImage: boolean | null;
};

export const dockerGone = diagnostic({
  name: "docker_gone",
  description:
    "For a container that is not there: when it was removed, from which image it was, and whether that image is on the host.",
  input: byName,
  command: ({ name }) =>
    script(
      `root docker container ls --all --no-trunc --format '{{.Names}}' || exit
echo --medic:events
now=$(date +%s)
root docker events --since "$(( $now - 86400 ))" --until "$(( $now + 1 ))" --filter type=container --filter event=create --filter event=destroy --filter event=rename --filter "container=$1" --format '{"time":{{json .TimeNano}},"what":{{json .Action}},"name":{{json (index .Actor.Attributes "name")}},"image":{{json (index .Actor.Attributes "image")}}}'
echo --medic:images
root docker image ls --no-trunc --format '{"image":"{{.Repository}}:{{.Tag}}"}'
echo --medic:end`,
      name,
    ),
  parse(result, { name }): Gone | Unavailable {
    const parts = sections(result.stdout);
    if (parts["end"] === undefined) return blind(result) ?? unavailable(result);
    const lost = tooLong(result);
    if (lost !== undefined) return lost;
    const events = jsonLines(parts["events"] ?? "", happened);
    const images = jsonLines(parts["images"] ?? "", tagged);
    if (events === undefined || images === undefined) return notUnderstood(result);
    // `--filter container=` takes prefixes too.
    const last = events.findLast((event) => event.name === name);
    const exists = (parts[""] ?? "").split("\n").some((names) => names.split(",").includes(name));
    if (last === undefined) return { exists, last: null, hasImage: null };
    const { image: wanted } = last;
    return {
      exists,
      last: { what: last.what, at: timeOf(last.time / 1e6), image: last.image },
      // A bare id names no repository, and the list of tags has no digests: neither can be looked up there.
      hasImage: /^(?:sha256:)?[0-9a-f]{12,64}$|@/.test(wanted)
        ? null
        : images.some(({ image }) => fullReference(image) === fullReference(wanted)),
    };
  },
});

/** As docker's list has it: a person may write Docker's own registry in full, or leave out the newest tag. */
function fullReference(image: string): string {
  const short = image.replace(/^(?:index\.)?docker\.io\//, "").replace(/^library\//, "");
  return /:[^/]+$/.test(short) ? short : `${short}:latest`;
}

/** What is known of a container that is not there, and what a person has to run; `makes`: what would make it again. */
export function goneText(name: string, gone: Gone | Unavailable, makes?: string): string {
  const none = `there is no container "${name}" on this host`;
  if ("unavailable" in gone || gone.last === null) return none;
  const { what, at, image } = gone.last;
  const happenedThen =
    what === "destroy" ? `it was removed at ${at}` : `docker's last word of it is "${what}" at ${at}`;
  const again = makes ?? "start it anew from its compose file (docker compose up -d) or with docker run";
  if (gone.hasImage === null) return `${none}: ${happenedThen}. Its image was "${image}": ${again}`;
  if (gone.hasImage) return `${none}: ${happenedThen}. Its image "${image}" is there: ${again}`;
  return `${none}: ${happenedThen}, and its image "${image}" is not on the host either. Run: docker pull ${image}, then ${again}`;
}
