// The key that links are signed with: made at the first start, kept in the data folder, readable by its user alone. Whoever
// removes it makes every link that went out worthless; the next start makes another.
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./context.ts";

const FILE = "link.key";
const BYTES = 32;

/** Call it as the folder's only writer. Throws UsageError when others can read the key, or when it is none. */
export function readLinkKey(dataFolder: string): Uint8Array {
  const file = join(dataFolder, FILE);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) {
    const key = randomBytes(BYTES);
    // Beside it first: a Medic that is killed here leaves no half of a key.
    rmSync(`${file}.new`, { force: true });
    writeFileSync(`${file}.new`, `${key.toString("hex")}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return key;
  }
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8);
    throw new UsageError(
      `Cannot use the key "${file}": others can read it (mode ${mode}), so they can sign a yes. Remove it; the next start makes another`,
    );
  }
  const key = Buffer.from(readFileSync(file, "utf8").trim(), "hex");
  if (key.length === BYTES) return key;
  throw new UsageError(`Cannot use the key "${file}": it is no key. Remove it; the next start makes another`);
}
