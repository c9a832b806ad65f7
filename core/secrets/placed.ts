// Credentials by their place in a request or on a command line: the headers that authenticate, and the options of
// well-known programs that take a password.
import { bareEnd, isRemovedAt, lineEnd, quotedAt, replaceAfter, type Span } from "./values.ts";

const SCHEMES = "Bearer|Basic|Digest|Token|Negotiate|NTLM|ApiKey|MediaBrowser|AWS4-HMAC-SHA256";
const HEADER = /\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-registry-auth)\\{0,8}["']?[ \t]{0,4}[:=][ \t]{0,4}/gi;
const SCHEME = new RegExp(String.raw`(?<![A-Za-z[])(?:${SCHEMES})[ \t]{1,4}`, "gi");
const SCHEME_HERE = new RegExp(`(?:${SCHEMES})[ \\t]{1,4}`, "iy");

/** Replaces what follows `Authorization:`, `Cookie:` and the names of schemes. */
export function redactHeaders(text: string): string {
  const headers = replaceAfter(text, HEADER, (from, match) => headerSpan(text, from, match));
  return replaceAfter(headers, SCHEME, (from) => {
    const end = bareEnd(headers, from);
    return isRemovedAt(headers, from) || !isCredential(headers.slice(from, end)) ? undefined : { start: from, end };
  });
}

function headerSpan(text: string, from: number, match: RegExpExecArray): Span | undefined {
  const before = text[match.index - 1] ?? "";
  const quoted = quotedAt(text, from);
  const begin = quoted?.start ?? from;
  SCHEME_HERE.lastIndex = begin;
  const start = SCHEME_HERE.test(text) ? SCHEME_HERE.lastIndex : begin;
  const tells = /cookie/i.test(match[0])
    ? /^[^\n=]{0,200}=/.test(text.slice(begin, begin + 201))
    : start > begin || isCredential(text.slice(begin, Math.min(bareEnd(text, begin), begin + 200)));
  // Where the line ends is looked for only when it is taken: each look would be as long as the line.
  if (!tells || isRemovedAt(text, start)) return undefined;
  if (quoted !== undefined) return { start, end: quoted.end };
  const closing = before === '"' || before === "'" ? text.slice(from, from + 8000).indexOf(before) : -1;
  return { start, end: closing === -1 ? lineEnd(text, start) : from + closing };
}

/** "Basic authentication" is prose; "Basic YWRtaW4=" is not. */
function isCredential(value: string): boolean {
  return /^\S{6,}$/.test(value) && /[\d=]|[a-z][A-Z]|[A-Z]{2}/.test(value);
}

const NAMES =
  "password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|auth[_-]?key|client[_-]?secret|psk|pass|credentials?";
const ARGUMENT = new RegExp(
  String.raw`(?<![\w-])--?[a-z0-9_-]{0,40}?(?:${NAMES})(?:[ \t]{1,4}|["'],[ \t]{0,4}(?=["']))`,
  "gi",
);
const PROGRAMS: readonly RegExp[] = [
  /\b(?:mysql|mysqldump|mysqladmin|mysqlcheck|mariadb(?:-[a-z]{1,10})?|sshpass|mosquitto_[a-z]{3})\b[^\n|;]{0,200}?[ \t]-[pP] ?/g,
  /\b(?:curl|wget|https?)\b[^\n|;]{0,200}?[ \t](?:-u|-U|--user|--proxy-user)[ =]{0,2}["']?[^\s:"']{1,100}:/g,
  /\b(?:docker|podman|helm)[ \t]+login\b[^\n|;]{0,200}?[ \t]-p ?/g,
  /\bredis-cli\b[^\n|;]{0,200}?[ \t]-a ?/g,
  /\bldap[a-z]{3,8}\b[^\n|;]{0,200}?[ \t]-w ?/g,
  /\bsmb[a-z]{3,8}\b[^\n|;]{0,200}?[ \t]-U ?[^\s%]{1,100}%/g,
];
const ENVIRONMENT = /(?<!\S)(?:-e|--env|--build-arg)[ =]["']?[A-Z_][A-Z0-9_]{0,80}=/g;

/** Replaces passwords given as options, and all values given to `docker run -e`. */
export function redactOptions(text: string): string {
  const argued = replaceAfter(text, ARGUMENT, (from) => (text[from] === "-" ? undefined : optionSpan(text, from)));
  return [...PROGRAMS, ENVIRONMENT].reduce(
    (rest, pattern) => replaceAfter(rest, pattern, (from, match) => optionSpan(rest, from, match)),
    argued,
  );
}

function optionSpan(text: string, from: number, match?: RegExpExecArray): Span | undefined {
  if (isRemovedAt(text, from)) return undefined;
  // `-e "NAME=two words"`: the quote opened before the name.
  const opened = /["'](?=[^"']*$)/.exec(match?.[0].slice(-120) ?? "")?.[0];
  const closing = opened === undefined ? -1 : text.slice(from, from + 4000).indexOf(opened);
  if (closing !== -1) return { start: from, end: from + closing };
  return quotedAt(text, from) ?? { start: from, end: bareEnd(text, from) };
}
