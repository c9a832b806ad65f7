// A plugin's sudoers patterns in one form, whichever it gave. Knows nothing of the lines that are made of them.
import type { Sudoers } from "./contract.ts";

/** As `/usr/bin/docker restart -t 30 *`. What a plugin does not tell apart is in both. */
export type SudoersPatterns = { reads: readonly string[]; fixes: readonly string[] };

export function sudoersPatterns(given: Sudoers | undefined): SudoersPatterns {
  if (given === undefined) return { reads: [], fixes: [] };
  return "length" in given ? { reads: given, fixes: given } : { reads: given.reads ?? [], fixes: given.fixes ?? [] };
}
