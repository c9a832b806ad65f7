// What can be wrong with hosts.yaml, as a list a person can work through: where, which setting, why, what to write.
// Knows neither YAML nor the schema.

/** Where something stands in the file; both count from 1. Line 0: the file as a whole. */
export type Position = { line: number; column: number };

/** One thing that is wrong. `path` is the setting, as `hosts.nexus.trust` or `server.tokens[0].sha256`. */
export type Problem = Position & { path: string; message: string };

/** A mapping's key or a list's index. */
export type PathKey = string | number;

const problemsShownMax = 50;

/** hosts.yaml cannot be used. `problems` has everything that was found, in the order of the file. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super(problemLines(file, problems).join("\n"));
    this.name = "ConfigError";
    this.file = file;
    this.problems = problems;
  }
}

/** One line a problem: `hosts.yaml:12:5 hosts.nexus.trsut: unknown key, did you mean "trust"?`. */
export function problemLines(file: string, problems: readonly Problem[]): string[] {
  const lines = problems.slice(0, problemsShownMax).map((problem) => problemLine(file, problem));
  if (problems.length > problemsShownMax) lines.push(`${file}: and ${problems.length - problemsShownMax} more`);
  return lines;
}

function problemLine(file: string, { line, column, path, message }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return path === "" ? `${place}: ${message}` : `${place} ${path}: ${message}`;
}

/** In the order of the file, and only the first one of each setting: the others follow from it. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .filter(({ path }) => path === "" || (!seen.has(path) && seen.add(path)))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** `["hosts", "nexus", "protect", 0]` → `hosts.nexus.protect[0]`; odd keys are quoted. */
export function pathText(keys: readonly PathKey[]): string {
  return keys.reduce<string>((path, key) => {
    if (typeof key === "number") return `${path}[${key}]`;
    if (!/^[\w-]+$/.test(key)) return `${path}[${quoted(key)}]`;
    return path === "" ? key : `${path}.${key}`;
  }, "");
}

/** A value for an error text: quoted, on one line, bounded. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}
