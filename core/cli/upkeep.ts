// What a `serve` does once at its start and then once a day: old incidents leave the journal, a part at a time. A failure
// is told in the log and tried again the next day; nothing waits for it.
import { setImmediate } from "node:timers/promises";
import type { Journal } from "../incident/journal.ts";
import type { Log } from "../log.ts";

export type UpkeepParts = {
  journal: Pick<Journal, "prune">;
  /** Asked each time; 0 keeps everything. */
  retainSeconds(): number;
  log: Log;
};

const DAY_MS = 86_400_000;

/** Begins now; returns how to stop it. */
export function startUpkeep(parts: UpkeepParts): () => void {
  const stop = new AbortController();
  void pruneAll(parts, stop.signal);
  const timer = setInterval(() => void pruneAll(parts, stop.signal), DAY_MS);
  return () => {
    clearInterval(timer);
    stop.abort();
  };
}

async function pruneAll({ journal, retainSeconds, log }: UpkeepParts, stop: AbortSignal): Promise<void> {
  const retain = retainSeconds();
  if (retain === 0) return;
  const gone = { events: 0, incidents: 0 };
  try {
    for (
      let part = journal.prune(retain);
      part !== undefined;
      part = stop.aborted ? undefined : journal.prune(retain)
    ) {
      gone.events += part.events;
      gone.incidents += part.incidents;
      // Whatever else has to be done comes between.
      await setImmediate();
    }
  } catch (error) {
    log.error("journal_not_pruned", { error: error instanceof Error ? error.message : String(error) });
  }
  if (gone.events > 0) log.info("journal_pruned", gone);
}
