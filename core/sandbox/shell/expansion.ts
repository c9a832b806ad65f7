// Turns a parsed word into fields: parameters, substitutions, arithmetic, splitting by IFS, names of files, in the
// order POSIX gives. Holds no state: everything it needs to know is asked of the shell through `Scope`.
import type { Files } from "../files.ts";
import { arithmetic } from "./arithmetic.ts";
import { escapePattern, glob, hasWildcard, patternSource } from "./pattern.ts";
import type { Command, Part, Word } from "./syntax.ts";

export type Scope = {
  files: Files;
  folder: string;
  positional: readonly string[];
  /** Any parameter but `@` and `*`; undefined when unset. */
  parameter(name: string): string | undefined;
  assign(name: string, value: string): void;
  substitute(body: Command): Promise<string>;
  /** Ends the shell with a message, e.g. for `${x:?why}` or an unset name under `set -u`. */
  fail(message: string): never;
  readonly refusesUnset: boolean;
};

/** `pattern` is the text with quoted characters escaped, so that only unquoted wildcards are wildcards. */
type Field = { text: string; pattern: string; started: boolean };

/** Fields of a word, split and globbed. */
export async function expandFields(word: Word, scope: Scope): Promise<string[]> {
  const fields = await expand(word, scope, true);
  return fields.flatMap((field) => {
    if (!hasWildcard(field.pattern)) return [field.text];
    const found = glob(scope.files, field.pattern, scope.folder);
    return found.length === 0 ? [field.text] : found;
  });
}

/** One text, never split: for assignments, redirections, `case`. */
export async function expandText(word: Word, scope: Scope): Promise<string> {
  return (await expand(word, scope, false)).map((field) => field.text).join(" ");
}

/** One shell pattern. */
export async function expandPattern(word: Word, scope: Scope): Promise<string> {
  return (await expand(word, scope, false)).map((field) => field.pattern).join(" ");
}

async function expand(word: Word, scope: Scope, split: boolean): Promise<Field[]> {
  const fields = new Fields(scope.parameter("IFS") ?? " \t\n");
  for (const [index, part] of word.entries()) {
    if (part.is === "text") fields.add(index === 0 ? withHome(part, word, scope) : part.text, part.quoted);
    else if (part.is === "parameter" && (part.name === "@" || part.name === "*") && part.operator === "") {
      addPositional(fields, part, scope, split);
    } else {
      for (const value of await valuesOf(part, scope, split)) {
        if (!split || value.quoted) fields.add(value.text, value.quoted);
        else fields.addSplit(value.text);
      }
    }
  }
  return fields.finished();
}

class Fields {
  readonly #separators: string;
  readonly #done: Field[] = [];
  #current: Field = { text: "", pattern: "", started: false };
  #endedBySpace = false;

  constructor(separators: string) {
    this.#separators = separators;
  }

  add(text: string, quoted: boolean): void {
    this.#current.text += text;
    this.#current.pattern += quoted ? escapePattern(text) : text;
    this.#current.started ||= quoted || text !== "";
  }

  addSplit(text: string): void {
    this.#endedBySpace = false;
    for (const character of text) {
      if (!this.#separators.includes(character)) {
        this.add(character, false);
        this.#endedBySpace = false;
      } else if (/\s/.test(character)) {
        if (!this.#current.started) continue;
        this.next();
        this.#endedBySpace = true;
      } else {
        if (!this.#endedBySpace) this.#current.started = true;
        if (this.#current.started) this.next();
        this.#endedBySpace = false;
      }
    }
  }

  next(): void {
    if (this.#current.started) this.#done.push(this.#current);
    this.#current = { text: "", pattern: "", started: false };
  }

  finished(): Field[] {
    this.next();
    return this.#done;
  }
}

function addPositional(fields: Fields, part: Extract<Part, { is: "parameter" }>, scope: Scope, split: boolean): void {
  if (part.quoted && (part.name === "*" || !split)) {
    const separator = part.name === "@" ? " " : (scope.parameter("IFS") ?? " ").slice(0, 1);
    fields.add(scope.positional.join(separator), true);
    return;
  }
  for (const [index, value] of scope.positional.entries()) {
    if (index > 0) {
      if (split) fields.next();
      else fields.add(" ", true);
    }
    if (part.quoted || !split) fields.add(value, part.quoted);
    else fields.addSplit(value);
  }
}

type Value = { text: string; quoted: boolean };

async function valuesOf(part: Exclude<Part, { is: "text" }>, scope: Scope, split: boolean): Promise<Value[]> {
  switch (part.is) {
    case "substitution":
      return [{ text: (await scope.substitute(part.body)).replace(/\n+$/, ""), quoted: part.quoted }];
    case "arithmetic": {
      const expression = await expandText(part.expression, scope);
      return [{ text: String(evaluated(expression, scope)), quoted: part.quoted }];
    }
    default:
      return await parameterValues(part, scope, split);
  }
}

function evaluated(expression: string, scope: Scope): number {
  try {
    return arithmetic(expression, {
      get: (name) => scope.parameter(name),
      set: (name, value) => scope.assign(name, value),
    });
  } catch (error) {
    return scope.fail(error instanceof Error ? error.message : String(error));
  }
}

async function parameterValues(
  part: Extract<Part, { is: "parameter" }>,
  scope: Scope,
  split: boolean,
): Promise<Value[]> {
  const { name, operator, quoted } = part;
  const word = part.word ?? [];
  const isAll = name === "@" || name === "*";
  const value = isAll
    ? scope.positional.length === 0
      ? undefined
      : scope.positional.join(" ")
    : scope.parameter(name);
  const kind = operator.replace(":", "");
  const isMissing = value === undefined || (operator.startsWith(":") && value === "");
  if ("-=?".includes(kind) && kind !== "") {
    if (!isMissing) return [{ text: value, quoted }];
    if (kind === "=") {
      const assigned = await expandText(word, scope);
      scope.assign(name, assigned);
      return [{ text: assigned, quoted }];
    }
    if (kind === "?") return scope.fail(`${name}: ${(await expandText(word, scope)) || "parameter not set"}`);
    return await alternative(word, scope, split, quoted);
  }
  if (kind === "+") return isMissing ? [{ text: "", quoted }] : await alternative(word, scope, split, quoted);
  if (value === undefined && scope.refusesUnset && !isAll) return scope.fail(`${name}: parameter not set`);
  const text = value ?? "";
  if (kind === "length") return [{ text: String(isAll ? scope.positional.length : text.length), quoted }];
  if (kind === "") return [{ text, quoted }];
  return [{ text: trimmed(text, kind, await expandPattern(word, scope)), quoted }];
}

/** The word of `${x:-word}`: its own quotes still count, so each piece says whether it was quoted. */
async function alternative(word: Word, scope: Scope, split: boolean, quoted: boolean): Promise<Value[]> {
  if (quoted || !split) return [{ text: await expandText(word, scope), quoted }];
  const values: Value[] = [];
  for (const part of word) {
    if (part.is === "text") values.push({ text: part.text, quoted: part.quoted });
    else values.push({ text: await expandText([part], scope), quoted: part.quoted });
  }
  return values;
}

function trimmed(text: string, operator: string, pattern: string): string {
  const source = patternSource(pattern);
  const lengths = Array.from({ length: text.length + 1 }, (_, length) => length);
  if (operator === "##" || operator === "%%") lengths.reverse();
  const matcher = new RegExp(`^(?:${source})$`);
  for (const length of lengths) {
    if (operator.startsWith("#") && matcher.test(text.slice(0, length))) return text.slice(length);
    if (operator.startsWith("%") && matcher.test(text.slice(text.length - length)))
      return text.slice(0, text.length - length);
  }
  return text;
}

function withHome(part: Extract<Part, { is: "text" }>, word: Word, scope: Scope): string {
  if (part.quoted || !/^~(?:\/|$)/.test(part.text) || (part.text === "~" && word.length > 1)) return part.text;
  return `${scope.parameter("HOME") ?? "~"}${part.text.slice(1)}`;
}
