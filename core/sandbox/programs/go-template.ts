// The part of Go's text/template that `docker --format` needs: fields, `json`, `index`, `len`, `join`, comparisons,
// `if`, `range`, `with`. Pure.

type Action =
  | { is: "text"; text: string }
  | { is: "value"; pipeline: string }
  | { is: "if" | "range" | "with"; pipeline: string; body: Action[]; otherwise: Action[] };

/** The text with its actions filled in from `data`; throws an Error in docker's words for a bad template. */
export function fillTemplate(template: string, data: unknown): string {
  const pieces = template.split(/\{\{-?\s*((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^}])*?)\s*-?\}\}/);
  const position = { at: 0 };
  const actions = parse(pieces, position);
  if (position.at < pieces.length) throw new Error(`template parsing error: template: :1: unexpected {{end}}`);
  return actions.map((action) => run(action, data)).join("");
}

function parse(pieces: readonly string[], position: { at: number }): Action[] {
  const actions: Action[] = [];
  while (position.at < pieces.length) {
    const piece = pieces[position.at] ?? "";
    if (position.at % 2 === 0) {
      if (piece !== "") actions.push({ is: "text", text: piece });
      position.at += 1;
      continue;
    }
    if (piece === "end" || piece === "else") return actions;
    position.at += 1;
    const block = /^(if|range|with)\s+([^]*)$/.exec(piece);
    if (block === null) {
      actions.push({ is: "value", pipeline: piece });
      continue;
    }
    const body = parse(pieces, position);
    let otherwise: Action[] = [];
    if (pieces[position.at] === "else") {
      position.at += 1;
      otherwise = parse(pieces, position);
    }
    if (pieces[position.at] !== "end") throw new Error("template parsing error: template: :1: unexpected EOF");
    position.at += 1;
    actions.push({ is: block[1] as "if" | "range" | "with", pipeline: block[2] ?? "", body, otherwise });
  }
  return actions;
}

function run(action: Action, data: unknown): string {
  if (action.is === "text") return action.text;
  const value = evaluate(action.pipeline, data);
  if (action.is === "value") return printed(value);
  const runAll = (actions: readonly Action[], item: unknown) => actions.map((one) => run(one, item)).join("");
  if (!isTrue(value)) return runAll(action.otherwise, data);
  if (action.is === "if") return runAll(action.body, data);
  if (action.is === "with") return runAll(action.body, value);
  const items = Array.isArray(value) ? (value as unknown[]) : Object.values(value as object);
  return items.map((item) => runAll(action.body, item)).join("");
}

/** `a | f x` hands the value of `a` to `f` as its last argument. */
function evaluate(pipeline: string, data: unknown): unknown {
  const tokens = pipeline.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|\||[()]|[^\s()|"`]+/g) ?? [];
  const position = { at: 0 };
  const value = evaluateUntil(tokens, position, data);
  if (position.at < tokens.length) throw new Error(`template parsing error: unexpected "${tokens[position.at] ?? ""}"`);
  return value;
}

function evaluateUntil(tokens: readonly string[], position: { at: number }, data: unknown): unknown {
  let piped: unknown[] = [];
  for (;;) {
    const words: unknown[] = [];
    let called: string | undefined;
    while (position.at < tokens.length && tokens[position.at] !== ")" && tokens[position.at] !== "|") {
      const token = tokens[position.at] ?? "";
      position.at += 1;
      if (token === "(") {
        words.push(evaluateUntil(tokens, position, data));
        position.at += 1;
        const field = tokens[position.at];
        if (field?.startsWith(".") === true && field.length > 1) {
          words.push(fieldOf(words.pop(), field));
          position.at += 1;
        }
      } else if (
        words.length === 0 &&
        called === undefined &&
        /^[a-z]\w*$/.test(token) &&
        !/^(?:true|false|nil)$/.test(token)
      )
        called = token;
      else words.push(operand(token, data));
    }
    const all = [...words, ...piped];
    const first = all[0];
    const value =
      called === undefined
        ? typeof first === "function"
          ? (first as (...given: unknown[]) => unknown)(...all.slice(1))
          : first
        : call(called, all);
    if (tokens[position.at] !== "|") return value;
    position.at += 1;
    piped = [value];
  }
}

function operand(token: string, data: unknown): unknown {
  if (token.startsWith('"')) return JSON.parse(token) as string;
  if (token.startsWith("`")) return token.slice(1, -1);
  if (/^-?\d/.test(token)) return Number(token);
  if (token === "true" || token === "false") return token === "true";
  if (token === "nil") return null;
  if (token.startsWith(".")) return fieldOf(data, token);
  throw new Error(`template parsing error: template: :1: unexpected "${token}"`);
}

function fieldOf(data: unknown, path: string): unknown {
  let value = data;
  for (const name of path.split(".").filter((part) => part !== "")) {
    const fields = value as Record<string, unknown> | null | undefined;
    if (fields === null || fields === undefined || typeof fields !== "object") {
      throw new Error(`template: :1:2: executing "" at <${path}>: nil pointer evaluating interface {}.${name}`);
    }
    if (!(name in fields)) {
      throw new Error(`template: :1:2: executing "" at <${path}>: map has no entry for key "${name}"`);
    }
    value = fields[name];
  }
  return value;
}

function call(name: string, args: readonly unknown[]): unknown {
  const [first, second] = args;
  switch (name) {
    case "json":
      return asJson(first);
    case "index":
      return args.slice(1).reduce<unknown>((value, key) => entryOf(value, key), first);
    case "len":
      return typeof first === "string" || Array.isArray(first) ? first.length : Object.keys(first as object).length;
    case "join":
      return (first as string[]).join(second as string);
    case "split":
      return (first as string).split(second as string);
    case "lower":
      return (first as string).toLowerCase();
    case "upper":
      return (first as string).toUpperCase();
    case "eq":
      return args.slice(1).includes(first);
    case "ne":
      return first !== second;
    case "not":
      return !isTrue(first);
    case "and":
      return args.find((arg) => !isTrue(arg)) ?? args.at(-1);
    case "or":
      return args.find(isTrue) ?? args.at(-1);
    case "println":
      return `${args.map(printed).join(" ")}\n`;
    case "print":
      return args.map(printed).join("");
    default:
      throw new Error(`template parsing error: template: :1: function "${name}" not defined`);
  }
}

/** A missing entry of a map of texts is the empty text, as in Go. */
function entryOf(value: unknown, key: unknown): unknown {
  if (value === null || value === undefined) return "";
  return (value as Record<string, unknown>)[String(key)] ?? "";
}

function isTrue(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "" || value === 0) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/** Go's JSON escapes `<`, `>` and `&`; whole numbers too large for a number arrive as bigint. */
function asJson(value: unknown): string {
  const numbers: string[] = [];
  const text = JSON.stringify(value, (_key, field: unknown) => {
    if (typeof field === "function") return undefined;
    return typeof field === "bigint" ? `\u0001${numbers.push(String(field)) - 1}\u0001` : field;
  });
  return (text ?? "null")
    .replace(/"\\u0001(\d+)\\u0001"/g, (_whole, index: string) => numbers[Number(index)] ?? "0")
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e")
    .replaceAll("&", "\\u0026");
}

function printed(value: unknown): string {
  if (value === null || value === undefined) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(printed).join(" ")}]`;
  if (typeof value !== "object")
    return typeof value === "bigint" ? value.toString() : `${value as string | number | boolean}`;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `map[${entries.map(([key, item]) => `${key}:${printed(item)}`).join(" ")}]`;
}
