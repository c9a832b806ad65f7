// Shell patterns (`*`, `?`, `[a-z]`, backslash for a literal) as regular expressions, for `case`, `${x#…}` and names of
// files. Pure.
import type { Files } from "../files.ts";

/** Matches what the pattern matches; not anchored, so that trimming can anchor it as it needs. */
export function patternSource(pattern: string, wildcard = "[^]"): string {
  let source = "";
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? "";
    const set = character === "[" ? /^\[([!^]?)(\]?(?:\\.|[^\]])*)\]/.exec(pattern.slice(at)) : null;
    if (character === "\\") source += literal(pattern[++at] ?? "\\");
    else if (character === "*") source += `${wildcard}*`;
    else if (character === "?") source += wildcard;
    else if (set !== null) {
      source += `[${set[1] === "" ? "" : "^"}${classes(set[2] ?? "")}]`;
      at += set[0].length - 1;
    } else source += literal(character);
  }
  return source;
}

export function matchesPattern(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${patternSource(pattern)})$`).test(text);
}

/** A literal text as a pattern that matches only itself. */
export function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, "\\$&");
}

export function hasWildcard(pattern: string): boolean {
  return /[*?[]/.test(pattern.replace(/\\./g, ""));
}

/** Paths that match, sorted; hidden names only where the pattern says so. */
export function glob(files: Files, pattern: string, folder: string): string[] {
  const parts = pattern.split("/");
  let found = pattern.startsWith("/") ? ["/"] : [""];
  for (const part of parts.filter((name) => name !== "")) {
    found = found.flatMap((base) => matchesIn(files, base, part, folder));
  }
  return found.sort();
}

function matchesIn(files: Files, base: string, part: string, folder: string): string[] {
  const join = (name: string) => (base === "" || base === "/" ? `${base}${name}` : `${base}/${name}`);
  const absolute = (path: string) => (path.startsWith("/") ? path : `${folder}/${path}`);
  if (!hasWildcard(part)) {
    const path = join(part.replace(/\\(.)/g, "$1"));
    return files.node(absolute(path)) === undefined ? [] : [path];
  }
  const matcher = new RegExp(`^${patternSource(part, "[^/]")}$`);
  return files
    .list(absolute(base === "" ? "." : base))
    .filter((name) => matcher.test(name) && (!name.startsWith(".") || part.startsWith(".")))
    .map(join);
}

function literal(character: string): string {
  return character.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

const NAMED: Record<string, string> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "A-Fa-f0-9",
};

/** What stands between the brackets of a set, with `[:digit:]` and the like spelled out. */
export function classes(inside: string): string {
  return inside
    .replace(/\[:(\w+):\]/g, (_whole, name: string) => `\u0000${name}\u0000`)
    .replace(/[[\]^]/g, "\\$&")
    .replace(/\u0000(\w+)\u0000/g, (_whole, name: string) => NAMED[name] ?? "");
}
