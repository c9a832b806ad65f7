// Where a value ends that begins at a known place of a text: in quotes, escaped quotes (JSON inside JSON), bare in the
// middle of a line, or to its end. It refuses to know what the value is. Every scan moves forward or is bounded.

export const REMOVED = "[removed]";

/** A quoted value may go on over lines for so long; one that never ends is over with its line. */
const MULTILINE_CHARACTERS_MAX = 1000;
const LEAD_CHARACTERS_MAX = 120;

export type Span = { start: number; end: number };

/** Replaces the span that `spanOf` finds behind each match of `opener`; undefined leaves the match as it is. */
export function replaceAfter(
  text: string,
  opener: RegExp,
  spanOf: (from: number, match: RegExpExecArray) => Span | undefined,
): string {
  const pattern = new RegExp(opener, opener.flags.includes("g") ? opener.flags : `${opener.flags}g`);
  let done = 0;
  let out = "";
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const from = match.index + match[0].length;
    const span = spanOf(from, match);
    if (span === undefined || span.end <= span.start) continue;
    out += text.slice(done, span.start) + REMOVED;
    done = span.end;
    pattern.lastIndex = Math.max(done, match.index + 1);
  }
  return done === 0 && out === "" ? text : out + text.slice(done);
}

/** Whether something was removed here before. */
export function isRemovedAt(text: string, at: number): boolean {
  return /^\[[a-z0-9 ]{0,24}removed\]/.test(text.slice(at, at + 40));
}

/** The inside of a value in quotes, escaped or not; undefined where no quote opens. */
export function quotedAt(text: string, at: number): Span | undefined {
  let slashes = 0;
  while (text[at + slashes] === "\\" && slashes < 8) slashes++;
  const quote = text[at + slashes];
  if (quote !== '"' && quote !== "'" && quote !== "`") return undefined;
  const start = at + slashes + 1;
  if (slashes === 0 && text.startsWith(quote.repeat(2), start)) return tripleQuoted(text, start + 2, quote);
  // It closes something that opened before the value's name.
  if (text[start] === "\n" || start >= text.length) return { start, end: start };
  return { start, end: closingQuote(text, start, quote, slashes) };
}

/** To the end of the line. */
export function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  const stop = end === -1 ? text.length : end;
  return text[stop - 1] === "\r" && stop > at ? stop - 1 : stop;
}

/** A bare value in the middle of a line: to the next blank or quote, or to what separates it from the next pair. */
export function bareEnd(text: string, at: number): number {
  const chunk = /[^\s"'`,;&|<>]+/y;
  let end = at;
  for (;;) {
    chunk.lastIndex = end;
    if (chunk.test(text)) end = chunk.lastIndex;
    const next = text.slice(end, end + 60);
    if (!/^[,;&|]+[^\s"'`,;&|<>]/.test(next) || /^[,;&|]+[\w.-]{1,40}\\?["']?[=:]/.test(next)) break;
    end += /^[,;&|]+/.exec(next)?.[0].length ?? 1;
  }
  while (end > at && ")]}\\.".includes(text[end - 1] ?? "")) end--;
  return end;
}

/** What stands before a place on its line; undefined when the line is longer than a name with its lead. */
export function leadOf(text: string, at: number): string | undefined {
  const from = Math.max(0, at - LEAD_CHARACTERS_MAX);
  const before = text.slice(from, at);
  const newline = before.lastIndexOf("\n");
  return newline === -1 && from > 0 ? undefined : before.slice(newline + 1);
}

function tripleQuoted(text: string, start: number, quote: string): Span {
  const end = text.slice(start, start + MULTILINE_CHARACTERS_MAX * 4).indexOf(quote.repeat(3));
  return { start, end: end === -1 ? lineEnd(text, start) : start + end };
}

// A quote at depth k is written with 2^k - 1 backslashes before it, and each backslash of its text with 2^k.
function closingQuote(text: string, start: number, quote: string, slashes: number): number {
  let endOfLine: number | undefined;
  let run = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === "\\") {
      run++;
      continue;
    }
    if (character === "\n") {
      // Escaped quotes stand in JSON, which has no line breaks of its own.
      if (slashes > 0) return at;
      endOfLine ??= at;
    }
    if (endOfLine !== undefined && at - start > MULTILINE_CHARACTERS_MAX) return endOfLine;
    // An outer quote ends what is nested in it.
    if (run < slashes && (character === quote || character === '"')) return at - run;
    if (character === quote && run % (slashes + 1) === slashes && Math.floor(run / (slashes + 1)) % 2 === 0) {
      return at - slashes;
    }
    run = 0;
  }
  return endOfLine ?? text.length;
}
