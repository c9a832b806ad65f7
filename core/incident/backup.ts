// A backup of the journal: made beside a `serve` that goes on writing, and read to its end before it is called one. It
// refuses to know when a backup is due and how many are kept.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Audited } from "./audit.ts";
import { copyDatabase } from "./copy.ts";
import { FILE, readJournal, readJournalFile } from "./journal.ts";
import { JournalError, journalError } from "./journal-error.ts";

export type BackedUp = Extract<Audited, { intact: true }>;

/** Copies a data folder's journal to a file that is not there yet, and audits the copy. Throws JournalError. */
export function backUp(folder: string, target: string, clock: { now(): number }): BackedUp {
  const doing = `Cannot back up the journal to "${target}"`;
  if (existsSync(target)) throw new JournalError("unwritable", `${doing}: it is there already. Name another file`);
  // Says in words what is wrong with the journal itself.
  readJournal(folder, clock).close();
  let source: DatabaseSync | undefined;
  try {
    source = new DatabaseSync(join(folder, FILE), { readOnly: true });
    return copyDatabase(source, target, (copy) => audited(copy, doing, clock));
  } catch (error) {
    const known = journalError(doing, error);
    if (error === known || known.fault !== "unwritable") throw known;
    const why = "its folder cannot be written. Check that it is there, its owner and its permissions";
    throw new JournalError("unwritable", `${doing}: ${why}`, error);
  } finally {
    source?.close();
  }
}

function audited(copy: string, doing: string, clock: { now(): number }): BackedUp {
  const journal = readJournalFile(copy, clock);
  try {
    const answer = journal.audit();
    if (answer.intact) return answer;
    const why = `it is broken at event ${answer.sequence}: ${answer.why}. Keep a copy of the data folder as it is`;
    throw new JournalError("broken", `${doing}: ${why}`);
  } finally {
    journal.close();
  }
}
