// Reading `systemctl show`: properties as text, and the few types they come in. Knows no tool.
import { unavailable } from "medic/plugin";
import type { Result, Unavailable } from "medic/plugin";

/** The properties of one unit, by name. */
export type Properties = ReadonlyMap<string, string>;

/** Properties of each unit shown; systemctl parts them with an empty line. */
export function unitsOf(text: string | undefined): Properties[] {
  return (text ?? "")
    .split(/\n\n+/)
    .map(propertiesOf)
    .filter((properties) => properties.has("Id"));
}

/** `Name=value`, one a line. */
export function propertiesOf(text: string): Properties {
  const pairs = text.split("\n").flatMap((line) => {
    const at = line.indexOf("=");
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  return new Map(pairs);
}

/** Names in a list such as `Requires=a.service b.service`. */
export function namesOf(properties: Properties, ...keys: string[]): string[] {
  const names = keys.flatMap((key) => (properties.get(key) ?? "").split(" ").filter((name) => name !== ""));
  return [...new Set(names)];
}

/** A whole number; undefined for "[not set]", "infinity" and what is too big to be one. */
export function numberOf(properties: Properties, key: string): number | undefined {
  const text = properties.get(key) ?? "";
  const number = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(number) ? number : undefined;
}

const secondsPer: Readonly<Record<string, number>> = {
  us: 1e-6,
  ms: 1e-3,
  s: 1,
  min: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

/** "1min 30s" → 90; undefined for "infinity". */
export function spanSeconds(text: string | undefined): number | undefined {
  const parts = (text ?? "").split(" ").map((part) => /^([\d.]+)(us|ms|s|min|h|d|w)$/.exec(part));
  let seconds = 0;
  for (const part of parts) {
    if (part === null) return undefined;
    seconds += Number(part[1]) * (secondsPer[part[2] ?? ""] ?? 0);
  }
  return seconds;
}

/**
 * The host let nobody look: no systemd, no bus (255 and newer name its scope and transport). Parts of an output are no
 * substitute: what was cut off may be the very line that decides.
 */
export function blind(result: Result): Unavailable | undefined {
  if (result.cutBytes > 0)
    return unavailable(`its answer is too long: the first ${result.cutBytes} bytes of it are lost`);
  const line = result.stderr
    .split("\n")
    .find((text) =>
      /^sudo: |not been booted with systemd|Failed to connect to (?:the |\w+ scope )?bus|(?:systemctl|journalctl): (?:command )?not found/i.test(
        text,
      ),
    );
  return line === undefined ? undefined : unavailable(line.trim());
}

/** A line of a host's log, bounded: one endless line must not push out all others. */
export function bounded(line: string, charactersMax = 1000): string {
  return line.length <= charactersMax ? line : `${line.slice(0, charactersMax)}… (${line.length} characters)`;
}
