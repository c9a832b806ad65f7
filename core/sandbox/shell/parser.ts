// Parses POSIX shell text: lists, pipes, `if`, loops, `case`, functions, groups, redirections, here-documents. Pure:
// text in, tree out, or a ShellSyntaxError in dash's words.
import type { Assignment, Command, Redirection, Redirections, Word } from "./syntax.ts";
import { Reader, readQuotedText, readWord } from "./words.ts";

const RESERVED = "if then elif else fi while until for do done case esac in { } !".split(" ");

/** Reserved words that can only end a list that waits for them. */
const CLOSING = "then elif else fi do done esac in }".split(" ");

/** The tree of a whole text. */
export function parseShell(text: string): Command {
  const parser = new Parser(new Reader(text));
  const list = parser.list([]);
  parser.expectEnd();
  return list;
}

type PendingHere = { delimiter: string; stripTabs: boolean; quoted: boolean; fill: (body: Word) => void };

class Parser {
  readonly #reader: Reader;
  #pending: PendingHere[] = [];
  /** The reserved word that ended the last body. */
  #lastStop = "";

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  list(stops: readonly string[]): Command {
    const items: Command[] = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#reader.ended || this.#standsAt(stops)) break;
      if (CLOSING.includes(this.#reservedHere() ?? "")) this.#unexpected(stops[0]);
      const command = this.#andOr();
      this.#skipBlanks();
      if (this.#reader.peek("&") && this.#reader.take("&")) items.push({ is: "background", body: command });
      else {
        items.push(command);
        if (this.#reader.peek(";;")) break;
        if (!this.#reader.take(";") && !this.#newline()) break;
      }
    }
    return { is: "list", items };
  }

  expectEnd(): void {
    this.#skipNewlines();
    if (!this.#reader.ended) this.#unexpected();
  }

  #andOr(): Command {
    const first = this.#pipeline();
    const rest: { operator: "&&" | "||"; command: Command }[] = [];
    for (;;) {
      this.#skipBlanks();
      const operator = this.#reader.peek("&&") ? "&&" : this.#reader.peek("||") ? "||" : undefined;
      if (operator === undefined) break;
      this.#reader.at += 2;
      this.#skipNewlines();
      rest.push({ operator, command: this.#pipeline() });
    }
    return rest.length === 0 ? first : { is: "and-or", first, rest };
  }

  #pipeline(): Command {
    this.#skipBlanks();
    let negated = false;
    while (this.#takeReserved("!")) {
      negated = !negated;
      this.#skipBlanks();
    }
    const stages = [this.#command()];
    for (;;) {
      this.#skipBlanks();
      if (this.#reader.peek("||") || !this.#reader.take("|")) break;
      this.#skipNewlines();
      stages.push(this.#command());
    }
    const [only] = stages;
    return stages.length === 1 && !negated && only !== undefined ? only : { is: "pipeline", negated, stages };
  }

  #command(): Command {
    this.#skipBlanks();
    const reader = this.#reader;
    if (reader.take("(")) {
      const body = this.list([")"]);
      if (!reader.take(")")) this.#unexpected(")");
      return { is: "subshell", body, redirections: this.#redirections() };
    }
    if (this.#takeReserved("{")) {
      const body = this.#bodyUntil("}");
      return { is: "group", body, redirections: this.#redirections() };
    }
    if (this.#takeReserved("if")) return this.#if();
    if (this.#takeReserved("while")) return this.#loop(false);
    if (this.#takeReserved("until")) return this.#loop(true);
    if (this.#takeReserved("for")) return this.#for();
    if (this.#takeReserved("case")) return this.#case();
    const declared = reader.match(/[A-Za-z_][A-Za-z0-9_]*[ \t]*\([ \t]*\)/);
    if (declared !== undefined) {
      reader.at += declared.length;
      this.#skipNewlines();
      return { is: "function", name: declared.replace(/[ \t()]+$/, ""), body: this.#command() };
    }
    if (this.#reservedHere() !== undefined) this.#unexpected();
    return this.#simple();
  }

  #if(): Command {
    const branches = [];
    do {
      const condition = this.#bodyUntil("then");
      branches.push({ condition, body: this.#bodyUntil("fi", "elif", "else") });
    } while (this.#lastStop === "elif");
    const otherwise = this.#lastStop === "else" ? this.#bodyUntil("fi") : undefined;
    return { is: "if", branches, otherwise, redirections: this.#redirections() };
  }

  #loop(until: boolean): Command {
    const condition = this.#bodyUntil("do");
    const body = this.#bodyUntil("done");
    return { is: "loop", until, condition, body, redirections: this.#redirections() };
  }

  #for(): Command {
    this.#skipBlanks();
    const variable = this.#reader.match(/[A-Za-z_][A-Za-z0-9_]*/) ?? this.#reader.fail("Bad for loop variable");
    this.#reader.at += variable.length;
    this.#skipNewlines();
    let words: Word[] | undefined;
    if (this.#takeReserved("in")) {
      words = [];
      for (let word = this.#word(); word !== undefined; word = this.#word()) words.push(word);
    }
    if (!this.#reader.take(";")) this.#newline();
    this.#skipNewlines();
    if (!this.#takeReserved("do")) this.#unexpected("do");
    const body = this.#bodyUntil("done");
    return { is: "for", variable, words, body, redirections: this.#redirections() };
  }

  #case(): Command {
    const word = this.#word() ?? this.#unexpected("word");
    this.#skipNewlines();
    if (!this.#takeReserved("in")) this.#unexpected("in");
    const clauses = [];
    for (;;) {
      this.#skipNewlines();
      if (this.#takeReserved("esac")) break;
      this.#reader.take("(");
      const patterns: Word[] = [];
      do patterns.push(this.#word() ?? this.#unexpected("word"));
      while ((this.#skipBlanks(), this.#reader.take("|")));
      if (!this.#reader.take(")")) this.#unexpected(")");
      clauses.push({ patterns, body: this.list([";;", "esac"]) });
      this.#skipNewlines();
      if (!this.#reader.take(";;") && this.#reservedHere() !== "esac") this.#unexpected(";;");
    }
    return { is: "case", word, clauses, redirections: this.#redirections() };
  }

  #simple(): Command {
    const line = this.#reader.line;
    const assignments: Assignment[] = [];
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (;;) {
      this.#skipBlanks();
      const redirection = this.#redirection();
      if (redirection !== undefined) {
        redirections.push(redirection);
        continue;
      }
      const assigned = words.length === 0 ? this.#reader.match(/[A-Za-z_][A-Za-z0-9_]*=/) : undefined;
      if (assigned !== undefined) {
        this.#reader.at += assigned.length;
        assignments.push({ name: assigned.slice(0, -1), value: readWord(this.#reader, substituted) ?? [] });
        continue;
      }
      const word = this.#word();
      if (word === undefined) break;
      words.push(word);
    }
    if (words.length + assignments.length + redirections.length === 0) this.#unexpected();
    return { is: "simple", assignments, words, redirections, line };
  }

  #redirections(): Redirections {
    const all: Redirection[] = [];
    for (;;) {
      this.#skipBlanks();
      const one = this.#redirection();
      if (one === undefined) return all;
      all.push(one);
    }
  }

  #redirection(): Redirection | undefined {
    const found = this.#reader.match(/[0-9]*(?:<<-?|<&|<|>>|>&|>\||>)/);
    if (found === undefined) return undefined;
    this.#reader.at += found.length;
    const operator = found.replace(/^[0-9]*/, "");
    const number = found.slice(0, found.length - operator.length);
    const descriptor = number !== "" ? Number(number) : operator.startsWith("<") ? 0 : 1;
    this.#skipBlanks();
    if (operator.startsWith("<<")) return this.#here(descriptor, operator === "<<-");
    const target = readWord(this.#reader, substituted) ?? this.#unexpected("word");
    const kinds = { "<": "read", ">": "write", ">>": "append", ">|": "clobber", "<&": "duplicate", ">&": "duplicate" };
    const is = kinds[operator as keyof typeof kinds] as "read" | "write" | "append" | "clobber" | "duplicate";
    return { descriptor, is, target };
  }

  #here(descriptor: number, stripTabs: boolean): Redirection {
    const word = readWord(this.#reader, substituted) ?? this.#unexpected("word");
    const delimiter = word.map((part) => (part.is === "text" ? part.text : "")).join("");
    const redirection: Redirection = { descriptor, is: "here", body: [] };
    const quoted = word.some((part) => part.quoted);
    this.#pending.push({ delimiter, stripTabs, quoted, fill: (body) => void (redirection.body = body) });
    return redirection;
  }

  #readPendingHeres(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const { delimiter, stripTabs, quoted, fill } of pending) {
      let body = "";
      while (!this.#reader.ended) {
        const raw = this.#reader.match(/[^\n]*/) ?? "";
        this.#reader.at += raw.length + 1;
        const line = stripTabs ? raw.replace(/^\t+/, "") : raw;
        if (line === delimiter) break;
        body += `${line}\n`;
      }
      fill(quoted ? [{ is: "text", text: body, quoted: true }] : readQuotedText(body, substituted));
    }
  }

  /** A list that has to end with one of the words, which is taken and remembered. */
  #bodyUntil(...stops: string[]): Command {
    const body = this.list(stops);
    const stop = this.#reservedHere();
    if (stop === undefined || !stops.includes(stop)) this.#unexpected(stops[0]);
    this.#reader.at += stop.length;
    this.#lastStop = stop;
    return body;
  }

  #word(): Word | undefined {
    this.#skipBlanks();
    return readWord(this.#reader, substituted);
  }

  #reservedHere(): string | undefined {
    const found = this.#reader.match(/(?:[a-z]+|[{}!])(?=[\s;&|<>()]|$)/);
    return found !== undefined && RESERVED.includes(found) ? found : undefined;
  }

  #takeReserved(word: string): boolean {
    if (this.#reservedHere() !== word) return false;
    this.#reader.at += word.length;
    return true;
  }

  #standsAt(stops: readonly string[]): boolean {
    if (this.#reader.peek(")")) return stops.includes(")");
    if (this.#reader.peek(";;")) return stops.includes(";;");
    const reserved = this.#reservedHere();
    return reserved !== undefined && stops.includes(reserved);
  }

  #skipBlanks(): void {
    this.#reader.at += (this.#reader.match(/(?:[ \t]|\\\n)*/) ?? "").length;
    this.#reader.at += (this.#reader.match(/#[^\n]*/) ?? "").length;
  }

  #skipNewlines(): void {
    do this.#skipBlanks();
    while (this.#newline());
  }

  #newline(): boolean {
    if (!this.#reader.take("\n")) return false;
    this.#readPendingHeres();
    return true;
  }

  #unexpected(expecting?: string): never {
    const seen = this.#reader.match(/\n|;;|&&|\|\||[;&|()<>]|[^\s;&|()<>]+/);
    const named = seen === undefined ? "end of file" : seen === "\n" ? "newline" : `"${seen}"`;
    this.#reader.fail(`${named} unexpected${expecting === undefined ? "" : ` (expecting "${expecting}")`}`);
  }
}

function substituted(reader: Reader): Command {
  return new Parser(reader).list([")"]);
}
