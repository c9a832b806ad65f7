// What a `serve` does once at its start and then once a day: old incidents leave the journal. A failure is told in the
// log and tried again the next day; nothing waits for it.
import { setInterval } from "node:timers";
import type { Journal } from "../incident/journal.ts";
import type { Log } from "../log.ts";

const DAY_MS = 86_400_000;

/** Begins now; returns how to stop it. `retainSeconds` is asked each time; 0 keeps everything. */
export function startUpkeep(parts: { journal: Pick<Journal, "prune">; retainSeconds(): number; log: Log }): () => void {
  pruneNow(parts);
  const timer = setInterval(() => pruneNow(parts), DAY_MS);
  return () => clearInterval(timer);
}

function pruneNow({ journal, retainSeconds, log }: Parameters<typeof startUpkeep>[0]): void {
  const retain = retainSeconds();
  if (retain === 0) return;
  try {
    const pruned = journal.prune(retain);
    if (pruned !== undefined) log.info("journal_pruned", pruned);
  } catch (error) {
    log.error("journal_not_pruned", { error: error instanceof Error ? error.message : String(error) });
  }
}
