// The kinds of setting that hosts.yaml has, each as a valibot schema with a description (for the JSON Schema editors
// use) and an English complaint. A complaint that begins "expected" gets what was written appended by load.ts, which
// knows whether that may be shown. Knows no single setting.
import * as v from "valibot";
import { didYouMean } from "../suggestion.ts";

type Complain = (issue: v.BaseIssue<unknown>) => string;

/** A mapping with fixed keys; an unknown one is named, with the nearest known. */
export function mapping<const E extends v.ObjectEntries>(description: string, entries: E) {
  const says: Complain = (issue) => {
    if (issue.expected === "never") return `unknown key${didYouMean(String(issue.input), Object.keys(entries))}`;
    if (issue.expected?.startsWith('"')) return `is missing: ${descriptionOf(entries, issue.expected.slice(1, -1))}`;
    return "expected a mapping";
  };
  return v.pipe(v.strictObject(entries, says), v.description(description));
}

function descriptionOf(entries: v.ObjectEntries, key: string): string {
  const schema = entries[key];
  return (schema === undefined ? undefined : v.getDescription(schema)) ?? key;
}

/** Text of 1 to 1000 characters on one line. */
export function text(description: string) {
  return v.pipe(
    v.string("expected text"),
    v.regex(/^[^\p{Cc}]{1,1000}$/u, "expected text on one line, 1000 characters at most"),
    v.description(description),
  );
}

/** Text of a given form; `expected` says which in words. */
export function shaped(description: string, pattern: RegExp, expected: string) {
  return v.pipe(v.string(`expected ${expected}`), v.regex(pattern, `expected ${expected}`), v.description(description));
}

export function choice<const O extends readonly string[]>(description: string, options: O) {
  return v.pipe(v.picklist(options, `expected ${options.join(" or ")}`), v.description(description));
}

export function flag(description: string) {
  return v.pipe(v.boolean("expected true or false"), v.description(description));
}

export function wholeNumber(description: string, minimum: number, maximum: number) {
  const expected = `expected a whole number from ${minimum} to ${maximum}`;
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(minimum, expected),
    v.maxValue(maximum, expected),
    v.description(description),
  );
}

export function list<S extends v.GenericSchema>(description: string, item: S, atLeast = 0) {
  return v.pipe(
    v.array(item, "expected a list"),
    v.minLength(atLeast, `expected a list of at least ${atLeast}`),
    v.maxLength(1000, "expected a list of at most 1000"),
    v.description(description),
  );
}

/** A name pattern; `*` and `?` are its only wildcards. */
export function glob(description: string) {
  return shaped(
    description,
    /^[^\s[\]{}!,|\p{Cc}]{1,200}$/u,
    "a name, with * and ? as the only wildcards and no blanks",
  );
}

/** A path; `~/` and what it is relative to are load.ts's business. */
export function path(description: string) {
  return shaped(description, /^(?!~[^/])[^\p{Cc}]{1,1000}$/u, "a path (of homes only your own: ~/…)");
}

// Node's timers end at 2^31 ms, a little below 25 days; beyond that they fire at once.
const LONGEST = "24d";
const secondsIn: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * `5m`, `30s`, `500ms`, `2h`, `1d`; out come seconds. `zero` says what 0 means, where it means something; `atMost` is for
 * what no timer waits for.
 */
export function duration(description: string, limits: { atLeast?: string; atMost?: string; zero?: string } = {}) {
  const least = limits.atLeast === undefined ? 0.001 : secondsOf(limits.atLeast);
  const { atMost = LONGEST } = limits;
  const range = limits.atLeast === undefined ? "" : `, ${limits.atLeast} at least`;
  const zero = limits.zero === undefined ? "" : `, or 0 (${limits.zero})`;
  const expected = `expected a duration with its unit, like 500ms, 30s, 5m, 2h or 1d${range} and ${atMost} at most${zero}`;
  const written = v.pipe(
    v.string(expected),
    v.regex(/^\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)$/, expected),
    v.description(description),
    v.transform(secondsOf),
    v.check((seconds) => seconds >= least && seconds <= secondsOf(atMost), expected),
  );
  // Without a meaning of its own 0 is refused like any other bare number.
  const schema: v.GenericSchema<string | 0, number> =
    limits.zero === undefined
      ? written
      : v.pipe(v.union([written, v.literal(0, expected)], expected), v.description(description + zero));
  return schema;
}

function secondsOf(written: string): number {
  const [, amount = "0", unit = "s"] = /^([\d.]+)([a-z]+)$/.exec(written) ?? [];
  return Number((Number(amount) * (secondsIn[unit] ?? 1)).toFixed(3));
}

const bytesIn: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2 };

/** `64KiB`, `1MiB`, or a number of bytes; out come bytes. */
export function byteSize(description: string, atLeast: number, atMost: number) {
  const expected = `expected a size like 64KiB or 1MiB, from ${sizeText(atLeast)} to ${sizeText(atMost)}`;
  const written = v.pipe(
    v.string(expected),
    v.regex(/^\d{1,9}(B|KiB|MiB)$/, expected),
    v.transform((size) => Number.parseInt(size, 10) * (bytesIn[size.replace(/^\d+/, "")] ?? 1)),
  );
  const bare = v.pipe(v.number(expected), v.integer(expected));
  return v.pipe(
    v.union([written, bare], expected),
    v.check((bytes) => bytes >= atLeast && bytes <= atMost, expected),
    v.description(description),
  );
}

function sizeText(bytes: number): string {
  return bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2}MiB` : `${bytes / 1024}KiB`;
}
