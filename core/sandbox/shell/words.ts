// Reads one word of shell text: quotes, `$name`, `${name:-word}`, `$(…)`, backquotes, `$((…))`. Knows nothing of
// commands; the parser hands in how to read the list inside a substitution.
import type { Command, Part, Word } from "./syntax.ts";
import { ShellSyntaxError } from "./syntax.ts";

const DELIMITERS = " \t\n;&|<>()";

/** A position in a text, shared by the word reader and the parser. */
export class Reader {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get ended(): boolean {
    return this.at >= this.text.length;
  }

  get line(): number {
    return this.text.slice(0, this.at).split("\n").length;
  }

  peek(expected: string): boolean {
    return this.text.startsWith(expected, this.at);
  }

  take(expected: string): boolean {
    if (!this.peek(expected)) return false;
    this.at += expected.length;
    return true;
  }

  match(pattern: RegExp): string | undefined {
    const sticky = new RegExp(pattern.source, "y");
    sticky.lastIndex = this.at;
    return sticky.exec(this.text)?.[0];
  }

  fail(message: string): never {
    throw new ShellSyntaxError(message, this.line);
  }
}

export type ReadList = (reader: Reader) => Command;

/** A word, or undefined when a delimiter stands here. */
export function readWord(reader: Reader, readList: ReadList): Word | undefined {
  const parts: Part[] = [];
  while (!reader.ended && !DELIMITERS.includes(reader.text[reader.at] ?? ""))
    parts.push(...readPiece(reader, readList));
  return parts.length === 0 ? undefined : joinText(parts);
}

/** The rest of a text with the rules of double quotes, as in an unquoted here-document. */
export function readQuotedText(text: string, readList: ReadList): Word {
  return joinText(readQuoted(new Reader(text), readList, undefined));
}

function readPiece(reader: Reader, readList: ReadList): Part[] {
  if (reader.take("'")) return [{ is: "text", text: readUntil(reader, "'"), quoted: true }];
  if (reader.take('"')) {
    const inside = readQuoted(reader, readList, '"');
    return inside.length === 0 ? [{ is: "text", text: "", quoted: true }] : inside;
  }
  if (reader.take("\\\n")) return [];
  if (reader.take("\\")) return [{ is: "text", text: reader.text[reader.at++] ?? "\\", quoted: true }];
  if (reader.peek("$") || reader.peek("`")) return [readExpansion(reader, readList, false)];
  return [{ is: "text", text: reader.text[reader.at++] ?? "", quoted: false }];
}

function readQuoted(reader: Reader, readList: ReadList, end: string | undefined): Part[] {
  const parts: Part[] = [];
  for (;;) {
    if (end !== undefined && reader.take(end)) break;
    if (reader.ended) {
      if (end === undefined) break;
      reader.fail(end === '"' ? "Unterminated quoted string" : "Missing '}'");
    }
    if (reader.take("\\\n")) continue;
    const escaped = reader.match(/\\[$`"\\}]/);
    if (escaped !== undefined && (escaped[1] !== "}" || end === "}") && (escaped[1] !== '"' || end !== undefined)) {
      reader.at += 2;
      parts.push({ is: "text", text: escaped[1] ?? "", quoted: true });
    } else if (reader.peek("$") || reader.peek("`")) {
      parts.push(readExpansion(reader, readList, true));
    } else if (end === "}" && reader.take('"')) {
      parts.push(...readQuoted(reader, readList, '"'));
    } else {
      parts.push({ is: "text", text: reader.text[reader.at++] ?? "", quoted: true });
    }
  }
  return joinText(parts);
}

function readUntil(reader: Reader, end: string): string {
  const from = reader.at;
  const found = reader.text.indexOf(end, from);
  if (found === -1) reader.fail("Unterminated quoted string");
  reader.at = found + end.length;
  return reader.text.slice(from, found);
}

function readExpansion(reader: Reader, readList: ReadList, quoted: boolean): Part {
  if (reader.take("`")) return { is: "substitution", body: readBackquoted(reader, readList), quoted };
  if (reader.take("$((")) return { is: "arithmetic", expression: readArithmetic(reader, readList), quoted };
  if (reader.take("$(")) {
    const body = readList(reader);
    if (!reader.take(")")) reader.fail('end of file unexpected (expecting ")")');
    return { is: "substitution", body, quoted };
  }
  if (reader.take("${")) return readBraced(reader, readList, quoted);
  reader.at += 1;
  const name = reader.match(/[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]/);
  if (name === undefined) return { is: "text", text: "$", quoted };
  reader.at += name.length;
  return { is: "parameter", name, operator: "", word: undefined, quoted };
}

function readBraced(reader: Reader, readList: ReadList, quoted: boolean): Part {
  const length = reader.match(/#(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*?$!])(?=\})/);
  if (length !== undefined) {
    reader.at += length.length + 1;
    return { is: "parameter", name: length.slice(1), operator: "length", word: undefined, quoted };
  }
  const name = reader.match(/[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]/) ?? reader.fail("Bad substitution");
  reader.at += name.length;
  const operator = reader.match(/:[-=+?]|[-=+?]|##?|%%?/) ?? "";
  reader.at += operator.length;
  if (operator === "") {
    if (!reader.take("}")) reader.fail("Bad substitution");
    return { is: "parameter", name, operator, word: undefined, quoted };
  }
  const isTrim = operator.startsWith("#") || operator.startsWith("%");
  const word = quoted && !isTrim ? readQuoted(reader, readList, "}") : readBracedWord(reader, readList);
  return { is: "parameter", name, operator, word, quoted };
}

function readBracedWord(reader: Reader, readList: ReadList): Word {
  const parts: Part[] = [];
  while (!reader.take("}")) {
    if (reader.ended) reader.fail("Missing '}'");
    parts.push(...readPiece(reader, readList));
  }
  return joinText(parts);
}

function readArithmetic(reader: Reader, readList: ReadList): Word {
  const parts: Part[] = [];
  let depth = 0;
  while (depth > 0 || !reader.take("))")) {
    if (reader.ended) reader.fail("Missing '))'");
    if (reader.peek("$") || reader.peek("`")) {
      parts.push(readExpansion(reader, readList, true));
      continue;
    }
    const character = reader.text[reader.at++] ?? "";
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    parts.push({ is: "text", text: character, quoted: true });
  }
  return joinText(parts);
}

function readBackquoted(reader: Reader, readList: ReadList): Command {
  let inner = "";
  while (!reader.take("`")) {
    if (reader.ended) reader.fail("EOF in backquote substitution");
    const escaped = reader.match(/\\[$`\\]/);
    inner += escaped === undefined ? (reader.text[reader.at] ?? "") : escaped.slice(1);
    reader.at += escaped === undefined ? 1 : 2;
  }
  return readList(new Reader(inner));
}

function joinText(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (part.is === "text" && last?.is === "text" && last.quoted === part.quoted) {
      joined[joined.length - 1] = { ...last, text: last.text + part.text };
    } else joined.push(part);
  }
  return joined;
}
