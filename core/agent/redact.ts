// Makes what a host said fit for the journal and for a model: secrets replaced, size bounded, the newest kept, every
// cut stated. Pure. Runbooks decide from the exact finding; everything that is kept or sent goes through here.

// Every repeat of a pattern is bounded or cannot begin twice in one place: a host chooses the text, and must not be able
// to choose how long reading it takes.
const NAMES = "password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key";
const VALUE = String.raw`(?:\\?"[^"\n]{0,500}"?|\\?'[^'\n]{0,500}'?|[^\s"',;&]+)`;

const SECRETS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, "[private key removed]"],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/-]{8,}=*/gi, "$1 [removed]"],
  [/\b(sk-ant-|sk-|ghp_|gho_|github_pat_|glpat-|xox[abprs]-|AKIA|eyJ)[A-Za-z0-9._-]{12,}/g, "[token removed]"],
  [/:\/\/([^\s:/@]{0,256}):[^\s@/]{1,512}@/g, "://$1:[removed]@"],
  [
    new RegExp(
      String.raw`((?:(?:${NAMES})[A-Za-z0-9_]{0,32}|_pass|_pwd)(?:\\?["'])?\s{0,4}[=:]\s{0,4})(?!\[removed)${VALUE}`,
      "gi",
    ),
    "$1[removed]",
  ],
  // As an argument of its own, the way processes are listed.
  [new RegExp(String.raw`(--[a-z-]{0,40}?(?:${NAMES})\s{1,4})(?![-[])${VALUE}`, "gi"), "$1[removed]"],
];

const SECRET_KEY = new RegExp(`(?:${NAMES})$`, "i");

/** Replaces what looks like a secret in one text. */
export function redactText(text: string): string {
  return SECRETS.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
}

/** The same event, redacted in its own words: a runbook quotes a host's log exactly, and a reason is kept for good. */
export function redactWords<T extends object>(event: T): T {
  const words = Object.entries(event).map(([key, value]: [string, unknown]) => [
    key,
    typeof value === "string" ? redactText(value) : value,
  ]);
  return Object.fromEntries(words) as T;
}

/**
 * Redacts a finding and bounds it to about `bytesMax` bytes of JSON. Long texts and lists lose their oldest part and
 * say how much; the shape stays.
 */
export function presentable(finding: object, bytesMax: number): object {
  const redacted = redactValue(finding, 0) as object;
  if (jsonBytes(redacted) <= bytesMax) return redacted;
  // Halving converges in a few rounds whatever the finding's shape is.
  for (let share = bytesMax / 2; share >= 32; share /= 2) {
    const bounded = boundValue(redacted, Math.floor(share)) as object;
    if (jsonBytes(bounded) <= bytesMax) return bounded;
  }
  return { cut: `the finding had ${jsonBytes(redacted)} bytes, more than ${bytesMax}` };
}

const DEPTH_MAX = 32;

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return "[nested too deep]";
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      SECRET_KEY.test(key) && typeof item === "string" ? "[removed]" : redactValue(item, depth + 1),
    ]),
  );
}

function boundValue(value: unknown, share: number): unknown {
  if (typeof value === "string") return keepNewest(value, share);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return boundList(value, share);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, boundValue(item, share)]));
}

function boundList(list: readonly unknown[], share: number): unknown[] {
  const kept: unknown[] = [];
  let bytes = 0;
  for (const item of list.toReversed()) {
    const bounded = boundValue(item, share);
    bytes += jsonBytes(bounded);
    if (bytes > share && kept.length > 0) break;
    kept.unshift(bounded);
  }
  const cut = list.length - kept.length;
  return cut === 0 ? kept : [`[${cut} older entries cut]`, ...kept];
}

/** The end of a text, with a note of how many characters of its beginning are gone. */
export function keepNewest(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const kept = text.slice(text.length - charactersMax).replace(/^[\uDC00-\uDFFF]/, "");
  return `[${text.length - kept.length} older characters cut] ${kept}`;
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}
