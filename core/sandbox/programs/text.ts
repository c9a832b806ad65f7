// The text programs that scripts pipe through: `cat`, `head`, `tail`, `wc`, `sort`, `uniq`, `cut`, `tr`, `seq`, …
import { posix } from "node:path";

import type { Programs } from "../program.ts";
import { classes } from "../shell/pattern.ts";
import { grep } from "./grep.ts";
import { eachInput, linesOf } from "./input.ts";
import { readOptions } from "./options.ts";

export const textPrograms: Programs = {
  grep,
  egrep: (args, context) => grep(["-E", ...args], context),
  fgrep: (args, context) => grep(["-F", ...args], context),

  cat: (args, context) => {
    const { operands } = readOptions(args);
    return eachInput("cat", operands, context, (text) => context.stdout.write(text));
  },

  tac: (args, context) =>
    eachInput("tac", args, context, (text) => context.stdout.write(joinLines(linesOf(text).reverse()))),

  head: (args, context) => {
    const options = readOptions(oldStyleCount(args), ["n", "c", "lines", "bytes"]);
    const bytes = options.value("c", "bytes");
    const count = Number(bytes ?? options.value("n", "lines") ?? 10);
    return eachInput("head", options.operands, context, (text) =>
      context.stdout.write(
        bytes === undefined ? joinLines(headOf(linesOf(text), count), text) : headBytes(text, count),
      ),
    );
  },

  tail: (args, context) => {
    const options = readOptions(oldStyleCount(args), ["n", "c", "lines", "bytes"]);
    const bytes = options.value("c", "bytes");
    const count = bytes ?? options.value("n", "lines") ?? "10";
    return eachInput("tail", options.operands, context, (text) =>
      context.stdout.write(
        bytes === undefined ? joinLines(tailOf(linesOf(text), count), text) : tailBytes(text, count),
      ),
    );
  },

  wc: (args, context) => {
    const options = readOptions(args);
    const counts = (text: string) => {
      const all = {
        l: text.split("\n").length - 1,
        w: text.split(/\s+/).filter((word) => word !== "").length,
        c: Buffer.byteLength(text),
      };
      const wanted = (["l", "w", "c"] as const).filter((flag) => options.has(flag));
      return (wanted.length === 0 ? (["l", "w", "c"] as const) : wanted).map((flag) => all[flag]);
    };
    return eachInput("wc", options.operands, context, (text, name) => {
      const numbers = counts(text);
      const isPlain = numbers.length === 1 || name !== undefined;
      const shown = numbers.map((number) => (isPlain ? String(number) : String(number).padStart(7))).join(" ");
      context.stdout.write(`${shown}${name === undefined ? "" : ` ${name}`}\n`);
    });
  },

  sort: (args, context) => {
    const options = readOptions(args, ["k", "t"]);
    const lines: string[] = [];
    const exit = eachInput("sort", options.operands, context, (text) => lines.push(...linesOf(text)));
    lines.sort(comparison(options.value("k"), options.value("t"), options.has("n"), options.has("h")));
    if (options.has("r")) lines.reverse();
    context.stdout.write(joinLines(options.has("u") ? [...new Set(lines)] : lines));
    return exit;
  },

  uniq: (args, context) => {
    const options = readOptions(args);
    return eachInput("uniq", options.operands, context, (text) => {
      const runs: { line: string; count: number }[] = [];
      for (const line of linesOf(text)) {
        const last = runs.at(-1);
        if (last?.line === line) last.count += 1;
        else runs.push({ line, count: 1 });
      }
      const kept = runs.filter((run) => (!options.has("d") || run.count > 1) && (!options.has("u") || run.count === 1));
      const shown = kept.map((run) => (options.has("c") ? `${String(run.count).padStart(7)} ${run.line}` : run.line));
      context.stdout.write(joinLines(shown));
    });
  },

  cut: (args, context) => {
    const options = readOptions(args, ["d", "f", "c", "b"]);
    const delimiter = options.value("d") ?? "\t";
    const fields = options.value("f");
    const picked = ranges(fields ?? options.value("c", "b") ?? "1-");
    const cutLine = (line: string): string | undefined => {
      if (fields === undefined)
        return line
          .split("")
          .filter((_, index) => picked(index + 1))
          .join("");
      const pieces = line.split(delimiter);
      if (pieces.length === 1) return options.has("s") ? undefined : line;
      return pieces.filter((_, index) => picked(index + 1)).join(delimiter);
    };
    return eachInput("cut", options.operands, context, (text) =>
      context.stdout.write(joinLines(linesOf(text).flatMap((line) => cutLine(line) ?? []))),
    );
  },

  tr: (args, context) => {
    const options = readOptions(args);
    const [from = "", to = ""] = options.operands;
    const source = characters(from);
    const target = characters(to);
    const isIn = (character: string) => source.includes(character) !== (options.has("c") || options.has("C"));
    let written = "";
    for (const character of context.stdin.rest()) {
      if (options.has("d") && isIn(character)) continue;
      const mapped = to === "" || options.has("d") ? character : translate(character, isIn, source, target);
      const squeezed =
        options.has("s") && written.at(-1) === mapped && (to === "" ? isIn(mapped) : target.includes(mapped));
      if (!squeezed) written += mapped;
    }
    context.stdout.write(written);
    return 0;
  },

  seq: (args, context) => {
    const numbers = args.map(Number);
    const [first, step, last] =
      numbers.length === 1 ? [1, 1, numbers[0]] : numbers.length === 2 ? [numbers[0], 1, numbers[1]] : numbers;
    const lines: string[] = [];
    for (let at = first ?? 1; at <= (last ?? 0); at += step ?? 1) lines.push(String(at));
    context.stdout.write(joinLines(lines));
    return 0;
  },

  tee: (args, context) => {
    const text = context.stdin.rest();
    context.stdout.write(text);
    for (const path of readOptions(args).operands) context.files.write(posix.resolve(context.folder, path), text);
    return 0;
  },

  base64: (args, context) =>
    eachInput("base64", readOptions(args, ["w"]).operands, context, (text) =>
      context.stdout.write(
        args.includes("-d") ? Buffer.from(text, "base64").toString() : `${Buffer.from(text).toString("base64")}\n`,
      ),
    ),
};

/** Lines with a newline each; the last one without, when it had none in `original`. */
function joinLines(lines: readonly string[], original?: string): string {
  if (lines.length === 0) return "";
  const endsOpen = original !== undefined && !original.endsWith("\n") && lines.at(-1) === linesOf(original).at(-1);
  return lines.join("\n") + (endsOpen ? "" : "\n");
}

function oldStyleCount(args: readonly string[]): string[] {
  return args.flatMap((argument, index) =>
    /^-\d+$/.test(argument) && !/^-[nc]$/.test(args[index - 1] ?? "") ? ["-n", argument.slice(1)] : [argument],
  );
}

function headOf(lines: readonly string[], count: number): readonly string[] {
  return count < 0 ? lines.slice(0, Math.max(lines.length + count, 0)) : lines.slice(0, count);
}

function tailOf(lines: readonly string[], count: string): readonly string[] {
  if (count.startsWith("+")) return lines.slice(Number(count) - 1);
  const wanted = Math.abs(Number(count));
  return wanted === 0 ? [] : lines.slice(-wanted);
}

function headBytes(text: string, count: number): string {
  return Buffer.from(text).subarray(0, count).toString();
}

function tailBytes(text: string, count: string): string {
  const bytes = Buffer.from(text);
  if (count.startsWith("+")) return bytes.subarray(Number(count) - 1).toString();
  return bytes.subarray(Math.max(bytes.length - Math.abs(Number(count)), 0)).toString();
}

function comparison(key: string | undefined, separator: string | undefined, numeric: boolean, human: boolean) {
  const found = /^(\d+)[\d.]*([a-zA-Z]*)/.exec(key ?? "");
  const field = (line: string) => {
    if (found === null) return line;
    const fields = separator === undefined ? line.trim().split(/\s+/) : line.split(separator);
    return fields.slice(Number(found[1]) - 1).join(separator ?? " ");
  };
  const isNumeric = numeric || human || /[nh]/.test(found?.[2] ?? "");
  const isReversed = /r/.test(found?.[2] ?? "");
  return (left: string, right: string): number => {
    const [first, second] = [field(left), field(right)];
    const order = isNumeric ? numberOf(first) - numberOf(second) : 0;
    const decided = order !== 0 ? order : first < second ? -1 : first > second ? 1 : 0;
    return isReversed ? -decided : decided;
  };
}

function numberOf(text: string): number {
  const found = /^\s*(-?\d+(?:\.\d+)?)([KMGT]?)/.exec(text);
  if (found === null) return 0;
  return Number(found[1]) * 1024 ** " KMGT".indexOf(found[2] || " ");
}

function ranges(list: string): (position: number) => boolean {
  const spans = list.split(",").map((span) => {
    const [from = "", to] = span.split("-");
    return { from: Number(from || 1), to: to === undefined ? Number(from) : to === "" ? Infinity : Number(to) };
  });
  return (position) => spans.some(({ from, to }) => position >= from && position <= to);
}

/** The characters a set of `tr` stands for, in order. */
function characters(set: string): string {
  const escaped = set.replace(/\\([abfnrtv\\]|[0-7]{1,3})/g, (_whole, code: string) => {
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8));
    return { a: "\u0007", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" }[code] ?? code;
  });
  const named = escaped.replace(/\[:(\w+):\]/g, (whole) => {
    if (whole === "[:space:]") return " \t\n\v\f\r";
    return classes(whole).replaceAll("\\s", " ").replaceAll("\\t", "\t");
  });
  return named.replace(/([^])-([^])/g, (_whole, from: string, to: string) => {
    let span = "";
    for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code += 1) span += String.fromCharCode(code);
    return span;
  });
}

function translate(character: string, isIn: (one: string) => boolean, source: string, target: string): string {
  if (!isIn(character)) return character;
  const index = source.indexOf(character);
  return (index === -1 ? target.at(-1) : (target[index] ?? target.at(-1))) ?? character;
}
