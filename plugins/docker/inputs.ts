// What a person or a model may say to the docker tools. Every rule starts with an alphanumeric, so `--flag` is no name.
import * as v from "valibot";

export const containerName = v.pipe(
  v.string(),
  v.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/, "a container's name: letters, digits, '_', '.', '-', at most 128"),
  v.description("Exact name of the container."),
);

export const since = v.pipe(
  v.string(),
  v.regex(
    /^(?:[1-9]\d{0,3}[smh]|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z)$/,
    "how far back: 90s, 15m, 2h, or a UTC time such as 2026-01-31T08:00:00Z",
  ),
  v.description("How far back: 90s, 15m, 2h, or a UTC time. Default: the start of the container's latest run."),
);

export const lines = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.maxValue(500),
  v.description("How many lines, the newest."),
);

export const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));

export const byName = v.strictObject({ name: containerName });

const glob = v.pipe(
  v.string(),
  v.regex(/^[a-zA-Z0-9*?][a-zA-Z0-9_.*?-]{0,127}$/, "a container's name or a glob of names"),
);

export const composeFolder = v.pipe(
  v.string(),
  v.regex(
    /^(?:\/(?!\.{1,2}(?:\/|$))[a-zA-Z0-9_.+-]{1,100}){1,20}$/,
    "an absolute path of letters, digits, '_', '.', '+', '-'",
  ),
  v.maxLength(300),
);

export const dockerOptions = v.strictObject({
  heals: v.pipe(v.optional(v.array(glob), ["*"]), v.description("Containers whose alerts this plugin answers; globs.")),
  onStopped: v.pipe(
    v.optional(v.picklist(["start", "ask"]), "start"),
    v.description(
      "A container that a person stopped, paused or removed, and that an alert misses: start it, or ask first.",
    ),
  ),
  composeFolders: v.pipe(
    v.optional(v.array(composeFolder), []),
    v.description("Folders of compose projects: medic doctor --sudoers prints lines for these, and for no other."),
  ),
});
export type DockerOptions = v.InferOutput<typeof dockerOptions>;
