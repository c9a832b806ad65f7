// The simple commands in a script's text: enough of POSIX sh to see which programs it runs, with what words, and which
// files it writes. For the conformance kit, which looks for mistakes; it is no interpreter and guards nothing.

/** One simple command, without what stands before its program (`if`, `!`, `NAME=value`, `root`, `exec`). */
export type SimpleCommand = { words: string[]; writes: string[] };

const before = new Set("if then else elif do while until ! { time root exec command env nohup nice sudo".split(" "));

/** Every simple command, those in `$(…)` and backticks included. */
export function simpleCommands(text: string): SimpleCommand[] {
  const found: SimpleCommand[] = [];
  let words: string[] = [];
  let writes: string[] = [];
  let word: string | undefined;
  let isTarget = false;
  const endWord = (): void => {
    if (word === undefined) return;
    if (isTarget) writes.push(word);
    else words.push(word);
    isTarget = false;
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    isTarget = false;
    while (words[0] !== undefined && (before.has(words[0]) || /^[A-Za-z_]\w*=/.test(words[0]))) words.shift();
    if (words.length > 0 || writes.length > 0) found.push({ words, writes });
    [words, writes] = [[], []];
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? "";
    const substituted = substitutionAt(text, at);
    if (substituted !== undefined) {
      found.push(...simpleCommands(substituted.inner));
      word = `${word ?? ""}$()`;
      at = substituted.end;
    } else if (letter === "\\") {
      word = (word ?? "") + (text[++at] ?? "");
    } else if (letter === "'") {
      const end = closing(text, at + 1, "'");
      word = (word ?? "") + text.slice(at + 1, end);
      at = end;
    } else if (letter === '"') {
      const end = quoteEnd(text, at + 1);
      const inner = text.slice(at + 1, end);
      for (let place = 0; place < inner.length; place++) {
        if (inner[place] === "\\") place++;
        const nested = substitutionAt(inner, place);
        if (nested === undefined) continue;
        found.push(...simpleCommands(nested.inner));
        place = nested.end;
      }
      word = (word ?? "") + inner;
      at = end;
    } else if (letter === "#" && word === undefined) {
      at = closing(text, at, "\n") - 1;
    } else if (letter === ">") {
      // The number before it names a stream, it is no word.
      if (/^\d+$/.test(word ?? "")) word = undefined;
      endWord();
      while (/[>|]/.test(text[at + 1] ?? "")) at++;
      isTarget = true;
      if (text[at + 1] === "&") {
        word = "&";
        at++;
      }
    } else if (letter === "<") {
      endWord();
    } else if (/[;&|\n()]/.test(letter)) {
      endCommand();
    } else if (/\s/.test(letter)) {
      endWord();
    } else {
      word = (word ?? "") + letter;
    }
  }
  endCommand();
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
