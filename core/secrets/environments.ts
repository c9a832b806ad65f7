// Environments: every value in one is taken for a secret, whatever its name, since that is where services get theirs.
// `"Env": […]` of docker inspect (nested in strings or not), systemd's `Environment=`, compose's `environment:`.
import { REMOVED } from "./values.ts";

/** Replaces the values, and leaves the names. */
export function redactEnvironments(text: string): string {
  if (!/env/i.test(text)) return text;
  return redactBlocks(redactUnitLines(redactGoLists(redactJson(text))));
}

/** Whether everything below a key of this name is an environment. */
export function isEnvironment(name: string): boolean {
  return /^env(?:ironment)?(?:_?vars?|variables)?$/i.test(name);
}

/** `NAME=value` → `NAME=[removed]`; what is no pair may be a value of its own. */
export function redactPair(pair: string): string {
  const at = pair.indexOf("=");
  if (at === -1) return pair;
  return at === pair.length - 1 ? pair : pair.slice(0, at + 1) + REMOVED;
}

const JSON_OPENER = /\\{0,8}"env(?:ironment)?\\{0,8}"\s{0,8}:\s{0,8}([[{])/gi;

function redactJson(text: string): string {
  let out = "";
  let done = 0;
  for (let match = JSON_OPENER.exec(text); match !== null; match = JSON_OPENER.exec(text)) {
    const from = match.index + match[0].length;
    const isList = match[1] === "[";
    const { text: inside, end } = insideOf(text, from, isList);
    out += text.slice(done, from) + inside;
    done = end;
    JSON_OPENER.lastIndex = end;
  }
  return out + text.slice(done);
}

/** Strings from here to the closing bracket; in an object every second one is a value. */
function insideOf(text: string, from: number, isList: boolean): { text: string; end: number } {
  const piece = /(\\{0,8})"((?:(?!\1")[^\n])*?)\1"|[^"\\\]}]+|[\]}]|\\/y;
  let out = "";
  let at = from;
  let isValue = false;
  for (;;) {
    piece.lastIndex = at;
    const match = piece.exec(text);
    if (match === null) return { text: out, end: at };
    const [whole, slashes, inner] = match;
    if (whole === "]" || whole === "}") return { text: out, end: at };
    at = piece.lastIndex;
    if (inner === undefined) {
      if (whole.includes(":")) isValue = true;
      if (whole.includes(",")) isValue = false;
      out += isValue && !isList ? whole.replace(/[^\s:,][^\s,]*/, REMOVED) : whole;
      continue;
    }
    const shown = isList ? redactPair(inner) : isValue ? REMOVED : inner;
    out += `${slashes ?? ""}"${shown}${slashes ?? ""}"`;
  }
}

/** As Go prints a list: `Env:[A=b C=d]`. */
function redactGoLists(text: string): string {
  return text.replace(
    /\b(Env(?:ironment)?[:=]\[)((?:[^\]\n"[]|\[removed\])*)/g,
    (_, opener: string, inside: string) => {
      return opener + inside.replace(/\S+/g, redactPair);
    },
  );
}

/** systemd's line, in a unit file or as `systemctl show` prints it. */
function redactUnitLines(text: string): string {
  return text.replace(/^([ \t]{0,20}Environment=)([^\n]*)/gm, (_, opener: string, rest: string) => {
    return opener + rest.replace(/"(?:[^"\\]|\\.)*"|'[^']*'|\S+/g, redactWord);
  });
}

function redactWord(word: string): string {
  const quote = /^["']/.exec(word)?.[0] ?? "";
  if (quote === "" || !word.endsWith(quote)) return redactPair(word);
  return `${quote}${redactPair(word.slice(1, -1))}${quote}`;
}

/** YAML: the deeper lines below `environment:` or `env:`, as a list of pairs or as a mapping. */
function redactBlocks(text: string): string {
  if (!/^[ \t-]*env(?:ironment)?:[ \t]*$/im.test(text)) return text;
  let depth: number | undefined;
  const lines = text.split("\n").map((line) => {
    const indent = /^[ \t]*/.exec(line)?.[0].length ?? 0;
    if (depth !== undefined && line.trim() !== "" && (indent < depth || (indent === depth && line[indent] !== "-"))) {
      depth = undefined;
    }
    if (depth === undefined) {
      if (/^[ \t]*(?:- )?env(?:ironment)?:[ \t]*\r?$/i.test(line)) depth = indent;
      return line;
    }
    return redactBlockLine(line);
  });
  return lines.join("\n");
}

function redactBlockLine(line: string): string {
  const listed = /^(\s*- ["']?)([^=\s:]+=)(.*?)(["']?)(\r?)$/.exec(line);
  if (listed !== null) return `${listed[1]}${listed[2]}${listed[3] === "" ? "" : REMOVED}${listed[4]}${listed[5]}`;
  const mapped = /^(\s*(?:- )?["']?[\w.-]+["']?:[ \t]+)(?:\S.*)$/.exec(line);
  if (mapped === null)
    return /^\s*(?:#.*|- ?[\w.-]*|["']?[\w.-]+["']?:\s*)?$/.test(line)
      ? line
      : `${/^\s*/.exec(line)?.[0] ?? ""}${REMOVED}`;
  // Kubernetes' form: the name is not a value.
  if (/^\s*(?:- )?name:/.test(line)) return line;
  return `${mapped[1]}${REMOVED}`;
}
