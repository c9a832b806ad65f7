// `grep` over simulated files and standard input; basic and extended expressions become JavaScript's.
import type { Context } from "../program.ts";
import { fail } from "../program.ts";
import { classes } from "../shell/pattern.ts";
import { eachInput, linesOf } from "./input.ts";
import { readOptions } from "./options.ts";

export function grep(args: readonly string[], context: Context): number {
  const options = readOptions(args, ["e", "m", "A", "B", "C"]);
  const operands = [...options.operands];
  const patterns = options.has("e") ? options.values("e") : [operands.shift() ?? ""];
  let matcher: RegExp;
  try {
    matcher = expression(
      patterns.flatMap((one) => one.split("\n")),
      options,
    );
  } catch {
    return fail(context, "grep: Invalid regular expression", 2);
  }
  let selected = 0;
  const read = eachInput(
    "grep",
    operands,
    { ...context, stderr: options.has("s") ? silent : context.stderr },
    (text, name) => {
      const prefix = operands.length > 1 && !options.has("h") && name !== undefined ? `${name}:` : "";
      const kept = selectLines(linesOf(text), matcher, options.has("v"), Number(options.value("m") ?? Infinity));
      selected += kept.length;
      if (options.has("q")) return;
      if (options.has("l")) context.stdout.write(kept.length > 0 ? `${name ?? "(standard input)"}\n` : "");
      else if (options.has("c")) context.stdout.write(`${prefix}${kept.length}\n`);
      else context.stdout.write(shown(kept, matcher, prefix, options));
    },
  );
  if (read !== 0 && !(options.has("q") && selected > 0)) return 2;
  return selected > 0 ? 0 : 1;
}

const silent = { write: () => undefined };

type Numbered = { line: string; number: number };

function selectLines(lines: readonly string[], matcher: RegExp, inverted: boolean, countMax: number): Numbered[] {
  return lines
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => matcher.test(line) !== inverted)
    .slice(0, countMax);
}

function shown(
  kept: readonly Numbered[],
  matcher: RegExp,
  prefix: string,
  options: { has(name: string): boolean },
): string {
  const all = new RegExp(matcher.source, `${matcher.flags}g`);
  return kept
    .flatMap(({ line, number }) => {
      const pieces = options.has("o") ? (line.match(all) ?? []).filter((piece) => piece !== "") : [line];
      return pieces.map((piece) => `${prefix}${options.has("n") ? `${number}:` : ""}${piece}\n`);
    })
    .join("");
}

function expression(patterns: readonly string[], options: { has(name: string): boolean }): RegExp {
  const sources = patterns.map((pattern) => {
    if (options.has("F")) return pattern.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    return translated(options.has("E") ? pattern : basicToExtended(pattern));
  });
  const joined = sources.map((source) => `(?:${source})`).join("|");
  const word = options.has("w") ? `(?<!\\w)(?:${joined})(?!\\w)` : joined;
  return new RegExp(options.has("x") ? `^(?:${word})$` : word, options.has("i") ? "i" : "");
}

/** In basic expressions `\(`, `\|`, `\{`, `\+`, `\?` are the operators and the bare ones are text. */
function basicToExtended(pattern: string): string {
  return pattern.replace(
    /\[[!^]?\]?(?:\[:\w+:\]|[^\]])*\]|\\(.)|[(){}|+?]|^\*/g,
    (whole, escaped: string | undefined) => {
      if (whole.startsWith("[")) return whole;
      if (escaped !== undefined) return "(){}|+?".includes(escaped) ? escaped : whole;
      return `\\${whole}`;
    },
  );
}

/** Bracket expressions with their named classes; the rest of an extended expression is JavaScript's already. */
function translated(pattern: string): string {
  return pattern.replace(
    /\\.|\[([!^]?)(\]?(?:\[:\w+:\]|[^\]])*)\]/g,
    (whole, not: string | undefined, inside: string) => {
      if (whole.startsWith("\\")) return whole === "\\<" ? "\\b(?=\\w)" : whole === "\\>" ? "\\b(?<=\\w)" : whole;
      return `[${not === "" ? "" : "^"}${classes(inside.replaceAll("\\", "\\\\"))}]`;
    },
  );
}
