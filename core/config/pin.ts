// A host's key written into the text of hosts.yaml, and nothing else in it changed: comments, order and form stay what
// the person made them. The YAML parser says where things stand; the text is edited there. Pure.
import { isDeepStrictEqual } from "node:util";
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from "yaml";

/** The new text; or why a person has to write the line. */
export type Pinned = { text: string } | { cannot: string };

/** Best beside what it belongs to; any other setting's place will do. */
const neighbours = ["identity", "address", "user"];

/** Sets `hosts.<host>.hostKey`. `fingerprint`: `SHA256:…`. */
export function pinHostKey(text: string, host: string, fingerprint: string): Pinned {
  const document = parseDocument(text);
  const settings = document.getIn(["hosts", host], true);
  if (document.errors.length > 0 || !isMap(settings)) return { cannot: "its settings are not written out there" };
  const edited = edit(text, settings, fingerprint);
  if (edited === undefined) return { cannot: "its settings are written in a way that only a person should change" };
  if ("cannot" in edited) return edited;
  // Anchors, merges or odd forms may make one line mean more than it seems.
  const [wanted, found] = [meaning(text), meaning(edited.text)];
  Object.assign(wanted.hosts[host] ?? {}, { hostKey: fingerprint });
  if (!isDeepStrictEqual(found, wanted)) return { cannot: "the line would change more than this host's key" };
  return edited;
}

type Meaning = { hosts: Record<string, object> };

/** Through JSON, so that what an alias stands for is a value of its own. */
function meaning(text: string): Meaning {
  return JSON.parse(JSON.stringify(parseDocument(text).toJS())) as Meaning;
}

function edit(text: string, settings: YAMLMap, fingerprint: string): Pinned | undefined {
  const present = pairOf(settings, "hostKey");
  if (present !== undefined) {
    const range = rangeOf(present.value);
    if (range === undefined || range.start === range.end) return undefined;
    const { start, end } = range;
    if (text.slice(start, end).includes("${"))
      return { cannot: "its hostKey comes from the environment: change it there" };
    return { text: text.slice(0, start) + fingerprint + text.slice(end) };
  }
  const beside = neighbours.map((name) => pairOf(settings, name)).find((pair) => pair !== undefined);
  const key = rangeOf(beside?.key);
  const value = rangeOf(beside?.value);
  if (key === undefined || value === undefined) return undefined;
  if (settings.flow === true)
    return { text: `${text.slice(0, value.end)}, hostKey: ${fingerprint}${text.slice(value.end)}` };
  const indent = text.slice(text.lastIndexOf("\n", key.start) + 1, key.start);
  if (indent.trim() !== "") return undefined;
  const end = text.indexOf("\n", value.end);
  const line = `${indent}hostKey: ${fingerprint}`;
  if (end === -1) return { text: `${text}\n${line}\n` };
  const ending = text[end - 1] === "\r" ? "\r\n" : "\n";
  return { text: `${text.slice(0, end + 1)}${line}${ending}${text.slice(end + 1)}` };
}

function pairOf(map: YAMLMap, name: string): Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && key.value === name);
}

function rangeOf(node: unknown): { start: number; end: number } | undefined {
  if (!isScalar(node) || !node.range) return undefined;
  const [start, end] = node.range;
  return { start, end };
}
