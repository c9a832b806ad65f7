// One database copied whole, as it is at one moment, whoever writes to it meanwhile; readable by its user alone. The copy is
// a single file, so it can be read from anywhere. Knows no table.
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { pid } from "node:process";
import type { DatabaseSync } from "node:sqlite";

/** Writes the copy beside `target`, lets `check` look at it, and puts it in its place, durably; nothing when either throws. */
export function copyDatabase<T>(source: DatabaseSync, target: string, check: (file: string) => T): T {
  // A name that nobody else's file has, unless a process of this number was killed here.
  const beside = `${target}.${pid}.new`;
  rmSync(beside, { force: true });
  try {
    // SQLite takes an empty file, and keeps its mode.
    closeSync(openSync(beside, "wx", 0o600));
    source.prepare("VACUUM INTO ?").run(beside);
    const checked = check(beside);
    sync(beside);
    renameSync(beside, target);
    sync(dirname(target));
    return checked;
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

function sync(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
