// Makes what a host said fit for the journal and for a model: secrets replaced, size bounded, the newest kept, every
// cut stated. Pure. Runbooks decide from the exact finding; everything that is kept or sent goes through here.
import { redactText, redactValue } from "../secrets/redact.ts";

export { redactText };

const WORDS_CHARACTERS_MAX = 8_000;
const INPUT_BYTES_MAX = 8_000;

/** The same event, redacted in its own words: a runbook quotes a host's log exactly, and a reason is kept for good. */
export function redactWords<T extends object>(event: T): T {
  const words = Object.entries(event).map(([key, value]: [string, unknown]) => [key, wordsOf(key, value)]);
  return Object.fromEntries(words) as T;
}

// Commands stay exact: they are what ran, or what a person agrees to. Findings were made presentable when they were made.
function wordsOf(key: string, value: unknown): unknown {
  if (typeof value === "string") return keepNewest(redactText(value), WORDS_CHARACTERS_MAX);
  if (typeof value !== "object" || value === null) return value;
  if (key === "input" || key === "dispatch") return presentable(value, INPUT_BYTES_MAX);
  return key === "planned" ? redactWords(value) : value;
}

/** What somebody asked for, fit to be kept whether or not it makes sense. */
export function cleanInput(input: unknown): object {
  return presentable(typeof input === "object" && input !== null ? input : { value: input }, INPUT_BYTES_MAX);
}

/**
 * Redacts a finding and bounds it to about `bytesMax` bytes of JSON. Long texts and lists lose their oldest part and
 * say how much; the shape stays.
 */
export function presentable(finding: object, bytesMax: number): object {
  const redacted = redactValue(finding) as object;
  if (jsonBytes(redacted) <= bytesMax) return redacted;
  // Halving converges in a few rounds whatever the finding's shape is.
  for (let share = bytesMax / 2; share >= 32; share /= 2) {
    const bounded = boundValue(redacted, Math.floor(share)) as object;
    if (jsonBytes(bounded) <= bytesMax) return bounded;
  }
  return { cut: `the finding had ${jsonBytes(redacted)} bytes, more than ${bytesMax}` };
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
