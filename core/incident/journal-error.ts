// What can go wrong with the journal's folder and file, in words for a person. SQLite's own errors are read here and
// nowhere else: their texts are the same on every runtime, their codes are not.

/**
 * `locked`: another process writes here. `missing`: nothing was written here yet. `unwritable`, `full`, `io`, `busy`: the
 * machine refused. `broken`: not a journal, or no longer one. `newer`: a newer Medic's. `claimed`: the key has a live
 * incident. `closed`: asked after its end.
 */
export type JournalFault =
  | "locked"
  | "missing"
  | "unwritable"
  | "full"
  | "io"
  | "busy"
  | "broken"
  | "newer"
  | "claimed"
  | "closed";

/** The message is one whole line: what could not be done, why, and what to do. */
export class JournalError extends Error {
  override readonly name = "JournalError";
  readonly fault: JournalFault;

  constructor(fault: JournalFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.fault = fault;
  }
}

const KNOWN: readonly (readonly [RegExp, JournalFault, string])[] = [
  [/disk is full|ENOSPC/, "full", "the disk is full. Free some space; nothing was stored"],
  [/UNIQUE constraint failed|incidents_live/, "claimed", "another incident of this key is live"],
  [/database (table )?is locked|SQLITE_BUSY/, "busy", "another program holds the file. End it and try again"],
  [
    /readonly database|unable to open|EACCES|EPERM|EROFS|ENOTDIR|EEXIST|ENOENT|ENOTSUP|permission denied/i,
    "unwritable",
    "it cannot be written. Check its owner and permissions, or set server.data in hosts.yaml",
  ],
  [
    /not a database|malformed|no such table|no such column/,
    "broken",
    "the file is not a journal, or is damaged. Move it away and keep it; Medic starts a new one",
  ],
  [/not open|is closed/, "closed", "it was closed"],
  [/disk I\/O error/, "io", "the disk could not be written or read. Look at the kernel log"],
];

/** Says in one line what SQLite or the file system meant; `doing` begins the sentence: `Cannot write the journal "x"`. */
export function journalError(doing: string, error: unknown): JournalError {
  if (error instanceof JournalError) return error;
  const said = error instanceof Error ? error.message : String(error);
  const known = KNOWN.find(([pattern]) => pattern.test(said));
  if (known === undefined) return new JournalError("io", `${doing}: ${said.split("\n")[0]}`, error);
  return new JournalError(known[1], `${doing}: ${known[2]}`, error);
}

/** Whether SQLite said it, and not the step that was being written. */
export function isDatabaseError(error: unknown): boolean {
  if (error instanceof JournalError) return true;
  return error instanceof Error && "code" in error && /SQLITE|INVALID_STATE/.test(String(error.code));
}
