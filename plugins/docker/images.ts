// Images: pulling the one that is missing, and throwing away those that nobody can name any more. Updating is no healing:
// an image that is there is not pulled again. Volumes and tagged images are out of reach: no input leads to them.
import { call, diagnostic, fix, refuse, script, sections, unavailable } from "medic/plugin";
import type { Inquiry, Plan, Refusal, Unavailable } from "medic/plugin";
import * as v from "valibot";
import { blind, bytesOf, jsonLines, notUnderstood, tooLong } from "./answers.ts";
import { dockerGone } from "./gone.ts";
import { byName } from "./inputs.ts";
import type { DockerOptions } from "./inputs.ts";

/** repository:tag, repository@digest; no flag, nothing that forges a line. */
const reference = /^[a-zA-Z0-9][a-zA-Z0-9._:/@-]{0,254}$/;

export const dockerPull = fix({
  name: "docker_pull",
  description:
    "Pull the image of a container that was removed lately, by the container's exact name, when that image is not on the host. No update: refused for an image that is there.",
  risk: "reversible",
  input: byName,
  watch: ({ name }) => ({ gone: call(dockerGone, { name }) }),
  // oxlint-disable-next-line require-yield -- what it watches is all it needs
  *plan({ name }, _options: DockerOptions, { gone }): Inquiry<Plan | Refusal> {
    if (gone.exists) {
      return refuse(
        `"${name}" is there and keeps its image; a newer one is its owner's decision: docker pull, then docker_recreate`,
      );
    }
    if (gone.last === null) return refuse(`docker remembers no container "${name}", so nobody knows its image`);
    const { image } = gone.last;
    if (gone.hasImage === true) return refuse(`its image "${image}" is on the host`);
    if (!reference.test(image) || (gone.hasImage === null && !image.includes("@"))) {
      return refuse(`its image "${image}" names no repository, so it cannot be pulled`);
    }
    if (gone.hasImage === null) {
      return refuse(
        `docker's list does not tell whether "${image}" is there; docker_compose_up pulls it where it is not`,
      );
    }
    return { steps: [["root", "docker", "pull", "--quiet", "--", image]], touches: [name] };
  },
  marker: ({ gone }) => (gone.hasImage === true ? gone.last?.image : undefined),
  healthy: ({ gone }) => gone.hasImage === true,
  withinSeconds: 30,
  stableSeconds: 0,
  timeoutSeconds: 900,
});

const dangling = v.object({ id: v.string(), size: v.string() });
const cache = v.object({ kind: v.string(), free: v.string() });
export type Dangling = {
  /** Images without a name that no container was made from. */
  images: number;
  /** At most so much: layers that others use as well are counted, and stay. */
  imageBytes: number;
  cacheBytes: number;
};

export const dockerDangling = diagnostic({
  name: "docker_dangling",
  description: "Images without a name that no container uses, and build cache: how many, and how many bytes at most.",
  input: v.strictObject({}),
  timeoutSeconds: 40,
  command: () =>
    script(`root docker image ls --filter dangling=true --no-trunc --format '{"id":{{json .ID}},"size":{{json .Size}}}' || exit
echo --medic:used
root docker container inspect --format '{{.Image}}' -- $(root docker container ls --all --quiet --no-trunc)
echo --medic:cache
root docker system df --format '{"kind":{{json .Type}},"free":{{json .Reclaimable}}}'
echo --medic:end
exit 0`),
  parse(result): Dangling | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const lost = tooLong(result);
    if (lost !== undefined) return lost;
    const parts = sections(result.stdout);
    const listed = jsonLines(parts[""] ?? "", dangling);
    const kinds = jsonLines(parts["cache"] ?? "", cache);
    if (parts["end"] === undefined || listed === undefined || kinds === undefined) return notUnderstood(result);
    const used = new Set((parts["used"] ?? "").split("\n"));
    const images = listed.filter(({ id }) => !used.has(id));
    const built = kinds.find(({ kind }) => /build cache/i.test(kind));
    return {
      images: images.length,
      imageBytes: images.reduce((sum, { size }) => sum + (bytesOf(size) ?? 0), 0),
      cacheBytes: bytesOf(built?.free.replace(/\s*\(.*$/, "") ?? "") ?? 0,
    };
  },
});

/** Whose things a prune removes. */
export const leftovers = "docker-leftovers";

export const dockerPruneDangling = fix({
  name: "docker_prune_dangling",
  description:
    "Remove images without a name that no container uses, and unused build cache. Never volumes, never an image that has a name. A person has to agree.",
  risk: "destructive",
  input: v.strictObject({}),
  watch: () => ({ dangling: call(dockerDangling, {}) }),
  // oxlint-disable-next-line require-yield -- what it watches is all it needs
  *plan(_input, _options: DockerOptions, { dangling: found }): Inquiry<Plan | Refusal> {
    if (bytesOfAll(found) === 0) return refuse("docker keeps no image without a name and no build cache");
    return {
      steps: [
        ...(found.images > 0 ? [["root", "docker", "image", "prune", "--force"] as const] : []),
        ...(found.cacheBytes > 0 ? [["root", "docker", "builder", "prune", "--force"] as const] : []),
      ],
      touches: [leftovers],
      approval: danglingText(found),
    };
  },
  marker: ({ dangling: found }) => `${found.images} ${found.imageBytes} ${found.cacheBytes}`,
  healthy: ({ dangling: found }, before) => bytesOfAll(found) < bytesOfAll(before.dangling),
  withinSeconds: 60,
  stableSeconds: 0,
  timeoutSeconds: 300,
});

export function bytesOfAll({ imageBytes, cacheBytes }: Dangling): number {
  return imageBytes + cacheBytes;
}

/** What would be removed, for a person to judge. */
export function danglingText({ images, imageBytes, cacheBytes }: Dangling): string {
  const parts = [
    ...(images > 0 ? [`${images} images without a name (${mebibytes(imageBytes)} MiB at most)`] : []),
    ...(cacheBytes > 0 ? [`${mebibytes(cacheBytes)} MiB of build cache`] : []),
  ];
  return `removes ${parts.join(" and ")}; nothing of it is in use, and none of it comes back`;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 1024 / 1024);
}
