// The simple commands in a script's text: enough of POSIX sh to see which programs it runs, with what words, and which
// files it writes. For the conformance kit, which looks for mistakes; it is no interpreter and guards nothing.

/** One simple command, without what stands before its program (`if`, `!`, `NAME=value`, `root`, `exec`). */
export type SimpleCommand = { readonly words: string[]; readonly writes: string[] };

const before = new Set("if then else elif do while until ! { time root exec command env nohup nice sudo".split(" "));

/** Every simple command, those in `$(…)` and backticks included. */
export function simpleCommands(text: string): SimpleCommand[] {
  const reader = new Reader();
  for (let at = 0; at < text.length; at++) at = reader.take(text, at);
  return reader.end();
}

/** What has been read so far: whole commands, and the word and command that are not over yet. */
class Reader {
  readonly #found: SimpleCommand[] = [];
  #command: SimpleCommand = { words: [], writes: [] };
  #word: string | undefined;
  #isTarget = false;

  /** Reads what begins here; answers with the place of its last letter. */
  take(text: string, at: number): number {
    const letter = text[at] ?? "";
    const substituted = substitutionAt(text, at);
    if (substituted !== undefined) {
      this.#found.push(...simpleCommands(substituted.inner));
      this.#add("$()");
      return substituted.end;
    }
    if (letter === "\\") return this.#add(text[at + 1] ?? "", at + 1);
    if (letter === "'" || letter === '"') return this.#takeQuoted(text, at, letter);
    if (letter === "#" && this.#word === undefined) return closing(text, at, "\n") - 1;
    if (letter === ">") return this.#takeTarget(text, at);
    if (/[;&|\n()]/.test(letter)) this.#endCommand();
    else if (/[\s<]/.test(letter)) this.#endWord();
    else this.#add(letter);
    return at;
  }

  end(): SimpleCommand[] {
    this.#endCommand();
    return this.#found;
  }

  #takeQuoted(text: string, at: number, quote: string): number {
    const end = quote === "'" ? closing(text, at + 1, "'") : quoteEnd(text, at + 1);
    const inner = text.slice(at + 1, end);
    if (quote === '"') this.#found.push(...substitutedIn(inner));
    return this.#add(inner, end);
  }

  /** `>`, `>>`, `2>`, `>&1`: the word that follows is a file or a stream. */
  #takeTarget(text: string, at: number): number {
    // The number before it names a stream, it is no word.
    if (/^\d+$/.test(this.#word ?? "")) this.#word = undefined;
    this.#endWord();
    this.#isTarget = true;
    let last = at;
    while (/[>|]/.test(text[last + 1] ?? "")) last++;
    return text[last + 1] === "&" ? this.#add("&", last + 1) : last;
  }

  #add(text: string, at = 0): number {
    this.#word = (this.#word ?? "") + text;
    return at;
  }

  #endWord(): void {
    if (this.#word === undefined) return;
    (this.#isTarget ? this.#command.writes : this.#command.words).push(this.#word);
    this.#isTarget = false;
    this.#word = undefined;
  }

  #endCommand(): void {
    this.#endWord();
    this.#isTarget = false;
    const { words, writes } = this.#command;
    while (words[0] !== undefined && (before.has(words[0]) || /^[A-Za-z_]\w*=/.test(words[0]))) words.shift();
    if (words.length > 0 || writes.length > 0) this.#found.push(this.#command);
    this.#command = { words: [], writes: [] };
  }
}

/** The commands of every substitution within double quotes. */
function substitutedIn(text: string): SimpleCommand[] {
  const found: SimpleCommand[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") at++;
    const nested = substitutionAt(text, at);
    if (nested === undefined) continue;
    found.push(...simpleCommands(nested.inner));
    at = nested.end;
  }
  return found;
}

/** A `$(…)` or backtick substitution that begins here: its text, and where it ends. */
function substitutionAt(text: string, at: number): { inner: string; end: number } | undefined {
  if (text[at] === "`") {
    const end = closing(text, at + 1, "`");
    return { inner: text.slice(at + 1, end), end };
  }
  if (!text.startsWith("$(", at)) return undefined;
  let depth = 1;
  let end = at + 2;
  for (; end < text.length && depth > 0; end++) {
    const letter = text[end];
    if (letter === "\\") end++;
    else if (letter === "'") end = closing(text, end + 1, "'");
    else if (letter === '"') end = quoteEnd(text, end + 1);
    else if (letter === "(") depth++;
    else if (letter === ")") depth--;
  }
  return { inner: text.slice(at + 2, end - 1), end: end - 1 };
}

/** Where the double quote ends that is open here; one within a substitution does not end it. */
function quoteEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
    else at = substitutionAt(text, at)?.end ?? at;
  }
  return text.length;
}

function closing(text: string, from: number, mark: string): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? text.length : at;
}
