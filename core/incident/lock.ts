// The data folder has one writer. The lock is SQLite's own on a file of its own, held in an open transaction: the kernel
// gives it back when the process ends, however it ends, so there is no stale lock to clean up and no pid to guess about.
// Beside it stands who holds it, for the message that the next one gets.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pid } from "node:process";
import { DatabaseSync } from "node:sqlite";
import * as v from "valibot";
import { JournalError, journalError } from "./journal-error.ts";

export type Lock = { release(): void };

const holderShape = v.object({ pid: v.number(), since: v.string() });

/** Takes the folder for this process, or throws a JournalError that says who has it. Never waits. */
export function lockFolder(folder: string, now: () => number): Lock {
  const holderFile = join(folder, "lock.json");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(folder, "lock.sqlite"));
    database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    writeFileSync(holderFile, `${JSON.stringify({ pid, since: new Date(now()).toISOString() })}\n`, { mode: 0o600 });
  } catch (error) {
    database?.close();
    const doing = `Cannot open the data folder "${folder}"`;
    const known = journalError(doing, error);
    if (known.fault !== "busy") throw known;
    throw new JournalError(
      "locked",
      `${doing}: another medic serve uses it${holder(holderFile)}. Stop that one, or set another server.data in hosts.yaml`,
      error,
    );
  }
  const held = database;
  return { release: () => held.close() };
}

function holder(file: string): string {
  try {
    const { pid, since } = v.parse(holderShape, JSON.parse(readFileSync(file, "utf8")));
    return ` (process ${pid}, since ${since})`;
  } catch {
    // The note is a courtesy: without it the refusal stands all the same.
    return "";
  }
}
