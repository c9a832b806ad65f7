// Takes out of a text or a value what looks like a secret: a credential by its place (a name, a header, an option, a URL)
// and a credential by its form (a key's own prefix). Pure, idempotent, and linear in the text: whoever writes the text
// must not be able to choose how long reading it takes. It refuses to know whose text it is and who is going to read it.
import { isEnvironment, redactEnvironments, redactPair } from "./environments.ts";
import { redactForms, redactUrls } from "./forms.ts";
import { isSecretName, redactNamed } from "./named.ts";
import { redactHeaders, redactOptions } from "./placed.ts";
import { closesKey, isKeyLine, KEY_REMOVED, opensKey, redactPrivateKeys } from "./private-keys.ts";
import { REMOVED } from "./values.ts";

const DEPTH_MAX = 32;
/** Lines of one text that look like JSON and are not; what throws is slow, and the text's writer chooses how many there are. */
const MISSES_MAX = 200;

// By place first: a form may be only the beginning of the value that stands there.
const STEPS = [
  redactPrivateKeys,
  redactUrls,
  redactHeaders,
  redactEnvironments,
  redactOptions,
  redactNamed,
  redactForms,
] as const;

/** The same text with `[removed]` for each secret. What is no secret by place or form stays as it is. */
export function redactText(text: string): string {
  return redactNested(text, 0);
}

/** The same value, its texts redacted, and what its keys name as secret. */
export function redactValue(value: unknown): unknown {
  return redactDeep(value, 0);
}

/** JSON in a text is read as what it is, so that its names count however often it was quoted. */
function redactNested(text: string, depth: number): string {
  const patience = { misses: MISSES_MAX };
  const read =
    redactJson(text, depth, patience) ??
    text.replace(/^[ \t]*[[{].*$/gm, (line) => redactJson(line, depth, patience) ?? line);
  return STEPS.reduce((rest, step) => step(rest), read);
}

/** Undefined where it is no JSON, or has nothing to hide: then it stays byte for byte. */
function redactJson(text: string, depth: number, patience: { misses: number }): string | undefined {
  if (patience.misses === 0 || !/^\s*[[{]/.test(text) || !/[\]}]\s{0,100}$/.test(text.slice(-101))) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const before = JSON.stringify(value);
    const after = JSON.stringify(redactDeep(value, depth));
    return before === after ? undefined : after;
  } catch {
    patience.misses--;
    return undefined;
  }
}

function redactDeep(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactNested(value, depth + 1);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return "[nested too deep]";
  if (Array.isArray(value)) return redactList(value, depth);
  const entries: [string, unknown][] = Object.entries(value);
  // As Kubernetes and some monitors write a variable: { "name": "DB_PASSWORD", "value": "…" }.
  const names = entries.some(
    ([key, item]) => /^(?:name|key)$/i.test(key) && typeof item === "string" && isSecretName(item),
  );
  return Object.fromEntries(
    entries.map(([key, item]) => {
      const secret = isSecretName(key) || (names && /^value$/i.test(key));
      const shown = secret
        ? withoutTexts(item)
        : isEnvironment(key)
          ? withoutValues(item)
          : redactDeep(item, depth + 1);
      return [redactText(key), shown];
    }),
  );
}

/** Items in their order: a key in its armour lies over many lines, and an option's value is the next argument. */
function redactList(list: readonly unknown[], depth: number): unknown[] {
  const shown: unknown[] = [];
  let isInsideKey = false;
  let isOptionsValue = false;
  for (const item of list) {
    if (typeof item !== "string") {
      isOptionsValue = false;
      shown.push(redactDeep(item, depth + 1));
      continue;
    }
    const isEnd = closesKey(item);
    if (isEnd && !isInsideKey) removeKeyLines(shown);
    const isHidden = isInsideKey || (isOptionsValue && !item.startsWith("-"));
    shown.push(isHidden ? (isInsideKey ? KEY_REMOVED : REMOVED) : redactNested(item, depth + 1));
    isInsideKey = opensKey(item) || (isInsideKey && !isEnd);
    isOptionsValue = /^--?[\w-]{1,60}$/.test(item) && isSecretName(item);
  }
  return shown;
}

/** The beginning of the key was cut off, so its end tells what the lines before it were. */
function removeKeyLines(shown: unknown[]): void {
  for (let at = shown.length - 1; at >= 0; at--) {
    const line = shown[at];
    if (typeof line !== "string" || !(isKeyLine(line) || line === "[base64 removed]")) return;
    shown[at] = KEY_REMOVED;
  }
}

/** What a secret name stands for: a switch or nothing stays. */
function withoutTexts(value: unknown): unknown {
  if (typeof value === "string") return value === "" ? value : REMOVED;
  if (typeof value === "number") return REMOVED;
  if (Array.isArray(value)) return value.map(withoutTexts);
  return typeof value === "object" && value !== null ? REMOVED : value;
}

function withoutValues(environment: unknown): unknown {
  if (Array.isArray(environment)) {
    return environment.map((item: unknown) => (typeof item === "string" ? redactPair(item) : REMOVED));
  }
  if (typeof environment === "string") return environment.includes("=") ? redactPair(environment) : REMOVED;
  if (typeof environment !== "object" || environment === null) return environment;
  return Object.fromEntries(Object.keys(environment).map((name) => [name, REMOVED]));
}
