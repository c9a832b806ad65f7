// What a tool makes of hostile input. Runs in conformance, on every tool of every plugin: a name may never become a flag,
// and a script's text may never be built from values.
import * as v from "valibot";
import type { Command, Diagnostic, Fix, Refusal } from "./contract.ts";

const metacharacters =
  "x; reboot|$(reboot)|`reboot`|x && reboot|x > /tmp/x|a'b|a\"b|x y|*|[a-z]|../../etc/shadow|${IFS}|x\\y|~root|x#y|{a,b}|x&";
const shell = [...metacharacters.split("|"), "x | sh"];
const options = "- -- -f --help --follow --output=/etc/passwd".split(" ");
const controls = ["x\nreboot", "x\0y", "x\ry", "\u001b[2J", "x\u2028y", "\u202ex"];
const TEXT_LENGTH = 20_000;
const probe = "zq7probe";
const hostileValues = [...shell, ...options, ...controls, "x".repeat(TEXT_LENGTH), probe];

/** A flag, or what can forge a line: not even as an argument of its own. */
function mustNotReach(value: string): boolean {
  return value.startsWith("-") || /[\p{C}\p{Zl}\p{Zp}]/u.test(value);
}

/** Makes the commands of a tool for an input its schema took; a refusal is as good as an invalid input. */
export type Commands = (input: object) => readonly Command[] | Refusal;

/** What hostile values in each string of an input reach, one sentence each; empty when nothing. Values may be given. */
export function hostileProblems(
  tool: Diagnostic | Fix,
  input: object,
  commands: Commands,
  values: readonly string[] = hostileValues,
): string[] {
  const problems: string[] = [];
  if (v.safeParse(tool.input, { ...input, host: "nexus" }).success) problems.push('takes an unknown key "host"');
  const usual = commands(v.parse(tool.input, input));
  for (const path of stringPaths(input)) {
    const at = path.join(".");
    for (const value of values) {
      const parsed = v.safeParse(tool.input, replaced(input, path, value));
      if (!parsed.success) continue;
      if (value.length === TEXT_LENGTH) problems.push(`${at} takes ${TEXT_LENGTH} characters: give it a maxLength`);
      const made = commands(parsed.output);
      if ("refused" in made || "refused" in usual) continue;
      problems.push(...reached(value, made, usual).map((where) => `${at} takes ${JSON.stringify(value)}, ${where}`));
    }
  }
  return problems;
}

function reached(value: string, made: readonly Command[], usual: readonly Command[]): string[] {
  return made.flatMap((command, index) => {
    const before = usual[index] ?? [];
    const text = scriptText(command);
    if (text !== scriptText(before) && (text ?? "").includes(value)) return ["which becomes part of a script's text"];
    const own = command.filter((argument, place) => argument !== text && argument !== before[place]);
    const inside = own.filter((argument) => argument.includes(value));
    if (inside.length === 0) return [];
    if (mustNotReach(value)) return ["which reaches the command"];
    // A whole argument is quoted as one; a part of one can still be read by the program (`--since=…`, `user@…`).
    return value !== probe && inside.some((argument) => argument !== value)
      ? ["which becomes part of an argument"]
      : [];
  });
}

function scriptText(command: readonly string[]): string | undefined {
  return command[0] === "sh" && command[1] === "-c" ? command[2] : undefined;
}

function stringPaths(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value === "string") return [path];
  if (Array.isArray(value)) return value.flatMap((item, index) => stringPaths(item, [...path, index]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => stringPaths(item, [...path, key]));
}

function replaced(input: object, path: readonly (string | number)[], value: string): object {
  const copy = structuredClone(input);
  let place = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) place = place[key] as Record<string | number, unknown>;
  place[path.at(-1) as string | number] = value;
  return copy;
}
