// Values whose name says that they are secret: `DB_PASSWORD=…`, `"apiKey": "…"`, `psk: …`, `<token>…</token>`, in
// whatever notation, nested in strings or not. It refuses to know where the text comes from.
import { bareEnd, isRemovedAt, leadOf, lineEnd, quotedAt, replaceAfter, type Span } from "./values.ts";

const KEYS =
  "(?:api|access|secret|private|pre[_-]?shared|shared|encryption|signing|master|app|license|storage|session|auth|integration|webhook)[ _-]?key";
/** Anywhere in a name: `dbPassword`, `MYSQL_ROOT_PASSWORD`. */
const ANYWHERE = `password|passwd|passphrase|passcode|secret(?:[_-]?id)?|token|credentials?|connection[_-]?string|${KEYS}`;
/** Only as a whole word of a name: not "bypass", not "author". */
const WORDS =
  "pass|pwd|psk|pw|auth|jwt|cookie|sessionid|sess|userpass|dbpass|adminpass|phpsessid|jsessionid|connect\\.sid";
/** What may follow, as in `SECRET_KEY_BASE`, `token_2`; not "token_type", "tokens", "password_file". */
const ENDING = String.raw`(?:[_.-]?(?:value|hash|base64|b64|string|key(?:[_-]?base)?|old|new|current|prod|live|test|dev|admin|root|plain|\d{1,3})){0,2}`;
const NAME = `(?:(?:${ANYWHERE})|(?<![A-Za-z])(?:${WORDS}))${ENDING}`;

const OPENER = new RegExp(String.raw`${NAME}(?:\\{0,8}["'${"`"}])?[ \t]{0,8}(?:=>|:=|[=:])[ \t]{0,8}`, "gi");
const ELEMENT = new RegExp(String.raw`<[\w:.-]{0,40}?(?:${ANYWHERE})(?:\s[^<>]{0,100})?>`, "gi");
/** `password 'x'`, `IDENTIFIED BY "x"`; netrc's `password x`, interfaces' `wpa-psk x`. */
const SAID = /\b(?:(?:pass(?:word|phrase|code)|secret|token)(?: is| was)?|identified by)[ \t](?=["'`])/gi;
const BARE = /\blogin[ \t]{1,4}\S{1,100}[ \t]{1,4}password[ \t]{1,4}|\bwpa-(?:psk|passphrase)[ \t]{1,4}/gi;

const WHOLE_NAME = new RegExp(`${NAME}$`, "i");

/** Whether a key, a variable or an option of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return WHOLE_NAME.test(name.slice(-100));
}

/** Replaces the values that stand behind such names. */
export function redactNamed(text: string): string {
  const named = replaceAfter(text, OPENER, (from, match) => spanOf(text, from, match));
  const said = replaceAfter(named, SAID, (from) => quotedAt(named, from));
  const bare = replaceAfter(said, BARE, (from) => unlessRemoved(said, { start: from, end: bareEnd(said, from) }));
  return replaceAfter(bare, ELEMENT, (from) => {
    const end = bare.slice(from, from + 1000).indexOf("<");
    return unlessRemoved(bare, { start: from, end: end === -1 ? from : from + end });
  });
}

function spanOf(text: string, from: number, match: RegExpExecArray): Span | undefined {
  if (isRemovedAt(text, from)) return undefined;
  const quoted = quotedAt(text, from);
  if (quoted !== undefined) {
    return isHarmless(text.slice(quoted.start, quoted.end), match[0]) ? undefined : unlessRemoved(text, quoted);
  }
  const lead = leadOf(text, match.index);
  const block = lead === undefined ? undefined : blockOf(text, from, lead);
  if (block !== undefined) return block;
  const end = lead !== undefined && isLineOfItsOwn(text, from, lead) ? lineEnd(text, from) : bareEnd(text, from);
  const value = text.slice(from, end);
  if (isHarmless(value, match[0]) || (lead !== undefined && isProse(lead, match[0], value))) return undefined;
  return { start: from, end };
}

function unlessRemoved(text: string, span: Span): Span | undefined {
  return isRemovedAt(text, span.start) ? undefined : span;
}

/** Nothing but the name before it, and no further pair behind it: the value is all of the line, blanks and all. */
function isLineOfItsOwn(text: string, from: number, lead: string): boolean {
  if (!/^[ \t]*(?:(?:- |export |set |ENV |ARG )[ \t]*)?[\w.-]*$/.test(lead)) return false;
  return !/[ \t,;&][\w.-]{1,40}=/.test(text.slice(from, Math.min(lineEnd(text, from), from + 400)));
}

/** YAML's `|` and `>`: the deeper lines that follow. */
function blockOf(text: string, from: number, lead: string): Span | undefined {
  if (!/^[|>][+-]?\d?[ \t]*\r?(?:\n|$)/.test(text.slice(from, from + 20))) return undefined;
  const depth = /^[ \t]*/.exec(lead)?.[0].length ?? 0;
  let end = lineEnd(text, from);
  const line = /\r?\n([ \t]*)([^\n]*)/y;
  for (;;) {
    line.lastIndex = end;
    const match = line.exec(text);
    if (match === null) break;
    const [whole, indent = "", rest = ""] = match;
    if (rest.trim() !== "" && indent.length <= depth) break;
    end += whole.length;
  }
  return { start: from, end };
}

/** What is no secret whatever its name: nothing, a switch, a count, a reference, a file that holds it. */
function isHarmless(value: string, name: string): boolean {
  const text = value.trim();
  if (
    /^(?:true|false|null|none|nil|undefined|yes|no|on|off|\*+|x{3,}|<\w+>|\(?hidden\)?|\(none\))?[,;.)\]}]*$/i.test(
      text,
    )
  )
    return true;
  if (/^(?:\$\w{1,64}|\$\{\w{1,64}\}|\{\{[^{}]{1,64}\}\}|[[{(])$/.test(text)) return true;
  if (/^pass\W/i.test(name) && /^\d{1,3}$/.test(text)) return true;
  if (/pass/i.test(name)) return /^\/(?:run|etc)\/[\w./-]{1,200}$/.test(text);
  if (/^\d{1,3}$/.test(text)) return true;
  if (/^\\{0,8}["']?(?:auth|cookie|pw)\b/i.test(name)) return !/[\dA-Z=]/.test(text) || text.length < 6;
  return /^\/[\w.-]{1,100}(?:\/[\w.-]{1,100}){1,20}$/.test(text);
}

/** "invalid token: expired" tells why; `token: abcdef` gives one away. */
function isProse(lead: string, name: string, value: string): boolean {
  return !/^pass/i.test(name) && /[a-z]{2,} $/i.test(lead) && name.endsWith(": ") && /^[a-z]{1,16}[.,;]?$/.test(value);
}
