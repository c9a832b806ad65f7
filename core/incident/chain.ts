// What makes the journal tamper-evident: one way to write an event as text, and a hash of it that includes the hash
// before it. Pure; knows no database.
import { createHash } from "node:crypto";
import { JournalError } from "./journal-error.ts";

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

/** Where a chain stands: an event and its link. */
export type Head = { sequence: number; hash: string };

/** Walks the chain on from `start`, through rows in order. `see` may find something wrong with an event that fits. */
export function walk(
  rows: Iterable<Record<string, unknown>>,
  start: Head,
  see: (at: Head, body: string) => string | undefined,
): Verified {
  let [last, events] = [start, 0];
  const broken = (why: string): Verified => ({ intact: false, sequence: last.sequence + 1, why });
  try {
    for (const { sequence, body, hash } of rows) {
      if (sequence !== last.sequence + 1) return broken(`it is missing: the next one there is ${String(sequence)}`);
      if (hash !== linkOf(last.hash, String(body))) return broken("its content is not what was written");
      const next = { sequence, hash };
      const wrong = see(next, String(body));
      if (wrong !== undefined) return broken(wrong);
      last = next;
      events++;
    }
  } catch (error) {
    // The file itself is damaged there.
    if (error instanceof JournalError && error.fault === "broken") return broken(error.message);
    throw error;
  }
  return { intact: true, events };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
