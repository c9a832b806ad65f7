// YAML text → plain values, with the position of every setting. Fills in `${NAME}` on the way, because only here it is
// known which text stood in the file. Refuses what a settings file has no use for: custom tags, several documents,
// bombs of aliases, endless depth. Knows nothing of what the settings mean.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import type { Filled } from "./environment.ts";
import { pathText, quoted, type PathKey, type Position, type Problem } from "./problem.ts";

export const textBytesMax = 256 * 1024;
const depthMax = 32;
// Far above any homelab; reached by aliases of aliases only. An alias counts more, because finding its anchor costs more.
const valuesMax = 20_000;
const aliasCost = 100;

/** What the file says. `filled` has the paths whose text came from the environment. */
export type Tree = {
  value: unknown;
  problems: Problem[];
  filled: ReadonlySet<string>;
  /** Where a setting stands; for one that is not there, where the mapping around it does. */
  locate(path: string, what?: "key" | "value"): Position;
};

/** Never throws; what cannot be read is in `problems`. */
export function readTree(text: string, fill: (text: string) => Filled): Tree {
  const lines = new LineCounter();
  const parsed = parse(text, lines);
  if ("problems" in parsed) return emptyTree(parsed.problems);
  return new Reader(parsed.document, lines, fill).read();
}

function parse(text: string, lines: LineCounter): { document: Document.Parsed } | { problems: Problem[] } {
  if (Buffer.byteLength(text) > textBytesMax) return { problems: [whole(`is larger than ${textBytesMax / 1024} KiB`)] };
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: false });
  } catch (error) {
    // The parser is recursive: absurdly deep nesting ends its stack.
    if (error instanceof RangeError) return { problems: [whole("is nested too deeply")] };
    return { problems: [whole(`is not YAML: ${error instanceof Error ? error.message : String(error)}`)] };
  }
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    path: "",
    message: yamlMessage(error),
    ...position(lines, error.pos[0]),
  }));
  if (problems.length > 0) return { problems };
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return { problems: [whole("is empty: it needs at least a host below hosts")] };
  }
  return { document };
}

function yamlMessage(error: YAMLError): string {
  switch (error.code) {
    case "TAB_AS_INDENT":
      return "a tab indents this line: YAML wants spaces";
    case "DUPLICATE_KEY":
      return "this key stands twice in the same mapping: keep one";
    case "MULTIPLE_DOCS":
      return 'a second document begins here: remove the "---"';
    default:
      return `not YAML: ${error.message.split("\n")[0]}`;
  }
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #fill: (text: string) => Filled;
  readonly #places = new Map<string, { key: Position; value: Position }>();
  readonly #problems: Problem[] = [];
  readonly #filled = new Set<string>();
  #values = 0;

  constructor(document: Document.Parsed, lines: LineCounter, fill: (text: string) => Filled) {
    this.#document = document;
    this.#lines = lines;
    this.#fill = fill;
  }

  read(): Tree {
    const value = this.#value(this.#document.contents, []);
    const tooMany = this.#values > valuesMax;
    return {
      value,
      problems: tooMany ? [whole("has too many values or aliases: write out what they stand for")] : this.#problems,
      filled: this.#filled,
      locate: (path, what = "value") => locate(this.#places, path, what),
    };
  }

  #value(node: Node | null, path: readonly PathKey[], key?: Position): unknown {
    const text = pathText(path);
    const here = this.#positionOf(node) ?? key ?? { line: 1, column: 1 };
    this.#places.set(text, { key: key ?? here, value: here });
    if (++this.#values > valuesMax) return undefined;
    if (path.length > depthMax) return this.#complain(path, here, `is nested deeper than ${depthMax} levels`);
    if (node === null) return null;
    if (isAlias(node)) {
      this.#values += aliasCost;
      const target = node.resolve(this.#document);
      if (target === undefined) return this.#complain(path, here, `the alias "*${node.source}" has no anchor`);
      return this.#value(target, path, key ?? here);
    }
    if (isMap(node)) return this.#mapping(node, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#value(item as Node | null, [...path, index]));
    return this.#scalar(isScalar(node) ? node.value : undefined, path, here);
  }

  #mapping(map: YAMLMap, path: readonly PathKey[]): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const pair of map.items) {
      const keyNode = pair.key as Node | null;
      const at = this.#positionOf(keyNode) ?? this.#positionOf(map) ?? { line: 1, column: 1 };
      const key = keyText(keyNode);
      if (key === undefined || key === "" || key in Object.prototype) {
        this.#complain(path, at, `${key === undefined ? "this" : quoted(key)} cannot be a key: write a plain name`);
      } else if (Object.hasOwn(result, key)) {
        this.#complain([...path, key], at, "this key stands twice in the same mapping: keep one");
      } else {
        result[key] = this.#value(pair.value as Node | null, [...path, key], at);
      }
    }
    return result;
  }

  #scalar(value: unknown, path: readonly PathKey[], here: Position): unknown {
    if (typeof value === "string") {
      const filled = this.#fill(value);
      if ("problem" in filled) return this.#complain(path, here, filled.problem, value);
      if (filled.filled) this.#filled.add(pathText(path));
      return filled.text;
    }
    if (value === null || typeof value === "number" || typeof value === "boolean") return value;
    return this.#complain(
      path,
      here,
      "is a kind of value that settings do not have: write text, a number or true/false",
    );
  }

  #complain(path: readonly PathKey[], at: Position, message: string, value?: unknown): unknown {
    this.#problems.push({ path: pathText(path), ...at, message });
    return value;
  }

  #positionOf(node: Node | null): Position | undefined {
    const range = node?.range;
    return range ? position(this.#lines, range[0]) : undefined;
  }
}

/** A key as text; YAML reads `1:` and `true:` as other things. */
function keyText(node: Node | null): string | undefined {
  if (!isScalar(node)) return undefined;
  const { value } = node;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? `${value}` : undefined;
}

function locate(places: Map<string, { key: Position; value: Position }>, path: string, what: "key" | "value") {
  for (let known = path; ; known = known.slice(0, Math.max(known.lastIndexOf("."), known.lastIndexOf("["), 0))) {
    const place = places.get(known);
    // What is not there is looked for at the key of the mapping where it should be.
    if (place !== undefined) return known === path ? place[what] : place.key;
    if (known === "") return { line: 1, column: 1 };
  }
}

function emptyTree(problems: Problem[]): Tree {
  return { value: undefined, problems, filled: new Set(), locate: () => ({ line: 0, column: 0 }) };
}

function whole(message: string): Problem {
  return { path: "", line: 0, column: 0, message };
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
