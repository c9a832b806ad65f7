// What a tool makes of hostile input and of answers that are no answers. Runs in conformance, on every tool of every
// plugin: a name may never become a flag, a script's text may never be built from values, a parser may never break.
import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import type { Command, Diagnostic, Fix, Refusal, Result } from "./contract.ts";

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

/** Answers of a tool on garbage, one sentence for each that is neither a finding nor Unavailable. */
export function parseProblems(tool: Diagnostic, input: object, settings: object, answers: readonly Result[]): string[] {
  return [...garbage(), ...answers.flatMap(damaged)].flatMap((result) => {
    const said = JSON.stringify(result).slice(0, 200);
    try {
      const finding: unknown = tool.parse(result, input, settings);
      if (typeof finding === "object" && finding !== null && !Array.isArray(finding)) return [];
      return [`parse makes ${JSON.stringify(finding)} of ${said}, which is no finding`];
    } catch (error) {
      return [`parse throws on ${said}: ${String(error)}`];
    }
  });
}

function garbage(): Result[] {
  const texts = [
    "",
    "\n\n\n",
    "null",
    "[]",
    "{}",
    "[null]",
    '{"a":',
    "\0\u0001\uFFFD;{[<",
    "0",
    "true false",
    "a\tb\tc",
    "===",
  ];
  const stdouts = texts.map((stdout) => ({ exit: 0, stdout, stderr: "", cutBytes: 0 }));
  return [
    ...stdouts,
    { exit: 1, stdout: "", stderr: "", cutBytes: 0 },
    { exit: 127, stdout: "", stderr: "sh: 1: x: not found\n", cutBytes: 0 },
    { exit: 137, stdout: "Killed", stderr: "", cutBytes: 4096 },
  ];
}

/** A real answer, cut and stirred: what a killed command or a cut output leaves. */
function damaged(answer: Result): Result[] {
  const lines = answer.stdout.split("\n");
  const half = Math.floor(answer.stdout.length / 2);
  const texts = [answer.stdout.slice(0, half), answer.stdout.slice(half), lines.toReversed().join("\n")];
  return texts.map((stdout) => ({ ...answer, stdout }));
}

/** Commands that would never end, or say more than they can be read: one sentence each. */
export function endlessProblems(command: Command): string[] {
  const text = scriptText(command) ?? command.join(" ");
  const problems: string[] = [];
  if (/\b(journalctl|tail|logs)\b[^|;&\n]*\s(-[a-z]*f|-F|--follow)(\s|$)/.test(text)) {
    problems.push("follows a log (-f), so it never ends");
  }
  if (/\bdocker events\b/.test(text) && !text.includes("--until")) problems.push("reads docker events without --until");
  if (/\bping\b/.test(text) && !/\bping6?\b[^|;&\n]*\s-c/.test(text))
    problems.push("pings without -c, so it never ends");
  return problems;
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

/** Whether a tool gives the same command for the same input, whatever was asked before. */
export function isDeterministic(make: () => unknown): boolean {
  return isDeepStrictEqual(make(), make());
}
