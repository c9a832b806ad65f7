// `printf` formats and the backslashes of `echo`. Pure.

const SIMPLE: Record<string, string> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
};

/** dash's `echo`: `\c` ends all output. */
export function unescapeEcho(text: string): { text: string; stops: boolean } {
  const cut = /(?<!\\)(?:\\\\)*\\c/.exec(text);
  const kept = cut === null ? text : text.slice(0, cut.index + cut[0].length - 2);
  const unescaped = kept.replace(/\\(0[0-7]{0,3}|[abfnrtv\\])/g, (_whole, code: string) => simpleOrOctal(code));
  return { text: unescaped, stops: cut !== null };
}

/** Uses the format again while values are left. */
export function formatPrintf(format: string, values: readonly string[]): { text: string; problem?: string } {
  let rest = values;
  let text = "";
  let problem: string | undefined;
  do {
    const round = formatOnce(format, rest);
    text += round.text;
    problem ??= round.problem;
    if (round.stops || round.used === 0) break;
    rest = rest.slice(round.used);
  } while (rest.length > 0);
  return problem === undefined ? { text } : { text, problem };
}

type Round = { text: string; used: number; stops: boolean; problem: string | undefined };

function formatOnce(format: string, values: readonly string[]): Round {
  const round: Round = { text: "", used: 0, stops: false, problem: undefined };
  const pieces = format.match(/\\(?:[0-7]{1,3}|[^])|%%|%[-+ 0#]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[a-zA-Z]|[^]/g) ?? [];
  for (const piece of pieces) {
    if (piece === "%%") round.text += "%";
    else if (piece === "\\c") return { ...round, stops: true };
    else if (piece.startsWith("\\") && piece.length > 1) round.text += simpleOrOctal(piece.slice(1));
    else if (piece.startsWith("%") && piece.length > 1) {
      const next = () => values[round.used++] ?? "";
      if (!convert(piece, next, round)) return { ...round, stops: true };
    } else round.text += piece;
  }
  return round;
}

/** False when `%b` met a `\c`. */
function convert(piece: string, next: () => string, round: Round): boolean {
  const [, flags = "", width = "", precision, kind = ""] =
    /^%([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+))?([a-zA-Z])$/.exec(piece) ?? [];
  const minimum = Number(width === "*" ? next() : width);
  const digits = precision === undefined ? undefined : Number(precision === "*" ? next() : precision);
  const value = next();
  let body: string;
  let goesOn = true;
  if (kind === "s") body = digits === undefined ? value : value.slice(0, digits);
  else if (kind === "b") {
    const { text, stops } = unescapeEcho(value);
    body = text;
    goesOn = !stops;
  } else if (kind === "c") body = value.slice(0, 1);
  else if ("diouxX".includes(kind)) body = integer(value, kind, flags, digits, round);
  else if ("feEgG".includes(kind)) body = Number(value).toFixed(digits ?? 6);
  else {
    round.problem = `${piece}: invalid directive`;
    return false;
  }
  const padsZero = flags.includes("0") && !flags.includes("-") && kind !== "s" && digits === undefined;
  if (flags.includes("-")) round.text += body.padEnd(minimum);
  else if (padsZero && /^[-+]/.test(body)) round.text += body.slice(0, 1) + body.slice(1).padStart(minimum - 1, "0");
  else round.text += body.padStart(minimum, padsZero ? "0" : " ");
  return goesOn;
}

function integer(value: string, kind: string, flags: string, digits: number | undefined, round: Round): string {
  const character = /^["']([^])/.exec(value)?.[1];
  const isNumber = /^\s*[-+]?(?:0[xX][0-9a-fA-F]+|\d+)\s*$/.test(value);
  if (character === undefined && value !== "" && !isNumber) round.problem = `${value}: expected numeric value`;
  const number = character === undefined ? leadingInteger(value) : (character.codePointAt(0) ?? 0);
  const base = kind === "o" ? 8 : kind === "x" || kind === "X" ? 16 : 10;
  const text = Math.abs(number)
    .toString(base)
    .padStart(digits ?? 1, "0");
  const sign = number < 0 ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  return sign + (kind === "X" ? text.toUpperCase() : text);
}

function leadingInteger(value: string): number {
  const found = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|\d+)/.exec(value);
  if (found === null) return 0;
  const digits = found[2] ?? "0";
  const number = Number.parseInt(digits, /^0[xX]/.test(digits) ? 16 : /^0\d/.test(digits) ? 8 : 10);
  return found[1] === "-" ? -number : number;
}

function simpleOrOctal(code: string): string {
  if (/^[0-7]+$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 255);
  return SIMPLE[code] ?? `\\${code}`;
}
