// Answers that are no answers: what a parser has to survive. Some are fixed, the rest are real answers of the plugin's
// cases, broken at random from a seed of their own, so that every run finds the same.
import { isDeepStrictEqual } from "node:util";
import type { Diagnostic, Result } from "./contract.ts";

/** What a finding of a case may hold, as JSON: a model reads many of them, each with every turn. */
const FINDING_BYTES_MAX = 16 * 1024;
const ROUNDS = 100;

/** Answers of a tool on garbage, one sentence for each that is neither a finding nor Unavailable. */
export function parseProblems(tool: Diagnostic, input: object, settings: object, answers: readonly Result[]): string[] {
  return [...garbage(), ...answers.flatMap(damaged)].flatMap((result) => {
    const said = JSON.stringify(result).slice(0, 200);
    try {
      const problem = findingProblem(tool.parse(result, input, settings));
      return problem === undefined ? [] : [`parse makes ${problem} of ${said}, which is no finding`];
    } catch (error) {
      return [`parse throws on ${said}: ${String(error)}`];
    }
  });
}

/** Findings that are too large to be read by a person or a model, of answers as they are: one sentence each. */
export function sizeProblems(tool: Diagnostic, input: object, settings: object, answers: readonly Result[]): string[] {
  return answers.flatMap((answer) => {
    const bytes = Buffer.byteLength(JSON.stringify(tool.parse(answer, input, settings)));
    if (bytes <= FINDING_BYTES_MAX) return [];
    const said = Buffer.byteLength(answer.stdout);
    return [`a finding has ${bytes} bytes, of an answer of ${said}: at most ${FINDING_BYTES_MAX}, keep what decides`];
  });
}

function findingProblem(finding: unknown): string | undefined {
  if (typeof finding !== "object" || finding === null || Array.isArray(finding)) return JSON.stringify(finding);
  // Kept as JSON: NaN would become null there, a Date a text, a function nothing.
  const kept: unknown = JSON.parse(JSON.stringify(finding));
  return isDeepStrictEqual(kept, withoutUndefined(finding)) ? undefined : "what JSON cannot keep (NaN, a Map, a Date)";
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => (item === undefined ? null : withoutUndefined(item)));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutUndefined(item)]));
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
  const random = randomFrom(answer.stdout.length);
  for (let round = 0; round < ROUNDS; round++) texts.push(broken(answer.stdout, random));
  return texts.map((stdout, index) => ({ ...answer, stdout, exit: index % 5 === 4 ? 1 : answer.exit }));
}

/** One text with one thing wrong: lines lost, doubled or swapped, a figure or a word replaced, bytes in between. */
function broken(text: string, random: (below: number) => number): string {
  const lines = text.split("\n");
  const at = random(lines.length);
  const line = lines[at] ?? "";
  const odd = ["", "-1", "NaN", "null", "n/a", "99999999999999999999", "\0", "é\u2028", "{", '"', "=", ":", "\t"];
  const instead = odd[random(odd.length)] ?? "";
  switch (random(6)) {
    case 0:
      return lines.toSpliced(at, 1 + random(3)).join("\n");
    case 1:
      return lines.toSpliced(at, 0, line).join("\n");
    case 2:
      return lines.toSpliced(at, 1, instead).join("\n");
    case 3:
      return lines.with(at, line.replace(/[\d.]+/, instead)).join("\n");
    case 4:
      return lines.with(at, line.replace(/[^\s=:"',]+(?=\W*$)/, instead)).join("\n");
    default: {
      const place = random(text.length + 1);
      return text.slice(0, place) + instead + text.slice(place + random(4));
    }
  }
}

/** Numbers below a bound, the same ones for the same seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
