// Reading what docker printed: JSON lines, figures, and the answers that mean "could not look".
// Knows no tool. An answer that is not what docker prints is undefined here, and "unavailable" in the tool: never empty.
import { unavailable } from "medic/plugin";
import type { Result, Unavailable } from "medic/plugin";
import * as v from "valibot";

/**
 * Each line that is a JSON object, as the schema says; other lines are docker's own remarks. Undefined when one object
 * is not understood: a list that misses somebody is worse than none.
 */
export function jsonLines<S extends v.GenericSchema>(text: string, schema: S): v.InferOutput<S>[] | undefined {
  const objects = text.split("\n").filter((line) => line.startsWith("{"));
  const parsed = objects.map((line) => v.safeParse(json, line));
  const read = parsed.map((line) => (line.success ? v.safeParse(schema, line.output) : line));
  return read.every((line) => line.success) ? read.map((line) => line.output) : undefined;
}
const json = v.pipe(v.string(), v.parseJson());

/** For a tool whose answer `jsonLines` could not read. */
export function notUnderstood(result: Result): Unavailable {
  return unavailable(`docker's answer is not understood: ${brief(result.stdout, 120)}`);
}

/** A time of docker's as ISO 8601 UTC with milliseconds; its own words when they are no time. */
export function timeOf(text: string | number): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? String(text) : time.toISOString();
}

/** The host let nobody look: no docker, no daemon, no permission. A part of the output is no substitute. */
export function blind(result: Result): Unavailable | undefined {
  const line = result.stderr
    .split("\n")
    .find(
      (text) =>
        /^sudo: |permission denied while trying to connect|docker: (?:command )?not found|a password is required/i.test(
          text,
        ) || isDaemonDown(text),
    );
  return line === undefined ? undefined : unavailable(line.trim());
}

/** The newest of what it printed is kept: a list whose beginning is lost misses somebody, and nobody knows whom. */
export function tooLong({ cutBytes }: Result): Unavailable | undefined {
  return cutBytes > 0 ? unavailable(`its answer is too long: the first ${cutBytes} bytes of it are lost`) : undefined;
}

/** The client's words for a daemon that does not answer: up to docker 28, and since 29. */
export function isDaemonDown(text: string): boolean {
  return /Cannot connect to the Docker daemon|failed to connect to the docker API/i.test(text);
}

/** Docker's own words for "there is none", in all versions. */
export function isMissing(text: string): boolean {
  return /No such (?:container|object)/i.test(text);
}

/** `docker inspect` also takes prefixes of ids: only the exact name is the container that was asked for. */
export function isNamed(dockerName: string, name: string): boolean {
  return dockerName === `/${name}`;
}

/** "1.5GiB", "12kB", "0B" → bytes; undefined for docker's "--". */
export function bytesOf(text: string): number | undefined {
  const parts = /^([\d.]+)\s*([kKMGTP]?)(i?)B$/.exec(text.trim());
  if (parts === null) return undefined;
  const power = "KMGTP".indexOf((parts[2] ?? "").toUpperCase()) + 1;
  return Math.round(Number(parts[1]) * (parts[3] === "i" ? 1024 : 1000) ** (parts[2] === "" ? 0 : power));
}

/** Text of a host, one line, bounded. */
export function brief(text: string, charactersMax = 300): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= charactersMax ? line : `${line.slice(0, charactersMax)}…`;
}
