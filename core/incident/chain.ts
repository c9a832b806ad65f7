// What makes the journal tamper-evident: one way to write an event as text, and a hash of it that includes the hash
// before it. Pure; knows no database.
import { createHash } from "node:crypto";

/** The hash before the first event. */
export const GENESIS = "0".repeat(64);

/** JSON with the keys in order at every depth, so that one value has one text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isPlain(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/** The link of an event: over the previous link and the event's canonical text. */
export function linkOf(previous: string, text: string): string {
  return createHash("sha256").update(previous).update(text).digest("hex");
}

/** Whether the chain holds; if not, the first event that does not fit. */
export type Verified = { intact: true; events: number } | { intact: false; sequence: number; why: string };

/** Walks the chain from the first event on. */
export function walk(rows: Iterable<Record<string, unknown>>): Verified {
  let [last, link] = [0, GENESIS];
  for (const { sequence, body, hash } of rows) {
    const broken = (why: string): Verified => ({ intact: false, sequence: last + 1, why });
    if (sequence !== last + 1) return broken(`it is missing: the next one there is ${String(sequence)}`);
    if (hash !== linkOf(link, String(body))) return broken("its content is not what was written");
    [last, link] = [sequence, hash];
  }
  return { intact: true, events: last };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
