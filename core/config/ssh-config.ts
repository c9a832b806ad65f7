// ~/.ssh/config → sections, and what they say of one host: the first value of each keyword counts, as in ssh. Reads Host
// with its patterns and Include; runs nothing, so Match and what ssh would execute are left out and told of. Knows no
// hosts.yaml.

/** The text of the files an Include names; relative patterns begin in ~/.ssh. None is no error, as in ssh. */
export type ReadInclude = (pattern: string) => readonly string[];

export type SshConfig = {
  /** The names of Host lines that are no patterns, in their order. */
  aliases: readonly string[];
  /** What was left out, in words. */
  notes: readonly string[];
  /** The first value of every keyword (in small letters) for a name; undefined when no Host line is for it. */
  valuesOf(name: string): ReadonlyMap<string, string> | undefined;
};

/** `patterns` undefined: for every host, as what stands above the first Host. `[]`: for none. */
type Section = { patterns: readonly string[] | undefined; values: [keyword: string, value: string][] };

const includeDepthMax = 16;

export function parseSshConfig(text: string, readInclude: ReadInclude): SshConfig {
  const sections: Section[] = [];
  const notes = new Set<string>();
  read(text, undefined, 0);

  function read(lines: string, patterns: Section["patterns"], depth: number): void {
    let section = begin(patterns);
    for (const line of lines.split(/\r?\n/)) {
      const [, keyword = "", rest = ""] = /^\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$/.exec(line) ?? [];
      if (keyword === "" || rest === "") continue;
      switch (keyword.toLowerCase()) {
        case "host":
          section = begin(words(rest));
          break;
        case "match":
          notes.add(`"Match ${rest}" is left out with all it says`);
          section = begin([]);
          break;
        case "include":
          if (depth >= includeDepthMax) notes.add(`"Include ${rest}" is left out: it is nested too deeply`);
          else
            for (const one of words(rest))
              for (const inner of readInclude(one)) read(inner, section.patterns, depth + 1);
          section = begin(section.patterns);
          break;
        default:
          section.values.push([keyword.toLowerCase(), words(rest)[0] ?? rest]);
      }
    }
  }

  function begin(patterns: Section["patterns"]): Section {
    const section: Section = { patterns, values: [] };
    sections.push(section);
    return section;
  }

  const named = sections.flatMap(({ patterns = [] }) => patterns).filter((pattern) => !/[*?!]/.test(pattern));
  return {
    aliases: [...new Set(named)],
    notes: [...notes],
    valuesOf(name) {
      const isMeant = sections.some(
        ({ patterns }) => patterns !== undefined && isFor(patterns, name) && !isForAll(patterns),
      );
      if (!isMeant) return undefined;
      const values = new Map<string, string>();
      for (const section of sections) {
        if (section.patterns !== undefined && !isFor(section.patterns, name)) continue;
        for (const [keyword, value] of section.values) if (!values.has(keyword)) values.set(keyword, value);
      }
      return values;
    },
  };
}

function words(text: string): string[] {
  return Array.from(text.matchAll(/"([^"]*)"|(#.*$)|(\S+)/g), ([, quoted, comment, plain]) =>
    comment === undefined ? (quoted ?? plain ?? "") : "",
  ).filter((word) => word !== "");
}

function isFor(patterns: readonly string[], name: string): boolean {
  const matches = (pattern: string): boolean => {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(name);
  };
  if (patterns.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && matches(pattern));
}

function isForAll(patterns: readonly string[]): boolean {
  return patterns.includes("*");
}
