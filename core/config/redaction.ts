// Which settings are secrets, and the effective configuration without them, to be printed. Plugins name their own
// options, so there the key's name decides.
import type { Config } from "./schema.ts";

const secretKey = /(^|[a-z_-])(api_?key|pass(word|phrase)?|secret|token|credentials?|private_?key)$/i;

/** Whether a setting of this path holds a secret; `path` as in a Problem. */
export function isSecret(path: string): boolean {
  const key = /([\w-]+)(\["[^"]*"\]|\[\d+\])*$/.exec(path)?.[1] ?? path;
  return secretKey.test(key);
}

/** A copy in which every secret reads "***". */
export function redactedConfig(config: Config): unknown {
  return redacted(config, "");
}

function redacted(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((item) => redacted(item, key));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redacted(inner, name)]));
  }
  return secretKey.test(key) && (typeof value === "string" || typeof value === "number") ? "***" : value;
}
