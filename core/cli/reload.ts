// When hosts.yaml is read again while Medic serves: at a person's word (SIGHUP), and when the file has changed and then
// stayed as it is for one look, so that no half-written file is read. A file that cannot be used changes nothing. Knows
// neither what the settings mean nor who takes them up.
//
//   same ──(another stamp)──▶ changing ──(the same stamp again)──▶ read ──▶ same
//                                └──(yet another)──▶ changing
import { statSync } from "node:fs";
import { ConfigError, problemLines } from "../config/problem.ts";
import type { Log } from "../log.ts";

export type ReloadParts<Settings> = {
  /** The stamp from before the settings that count now were read: what changed while Medic started is taken up too. */
  known: string;
  /** Another text each time the file is another one; see `stampOf`. */
  stamp(): string;
  /** Throws ConfigError when the file cannot be used. */
  read(): Promise<Settings>;
  take(settings: Settings, why: string): void;
  log: Log;
};

export type Reload = {
  /** Looks at the file; call it every `lookSeconds`. */
  look(): Promise<void>;
  /** Reads the file now. Never rejects. */
  now(why: string): Promise<void>;
};

export const lookSeconds = 2;

export function createReload<Settings>(parts: ReloadParts<Settings>): Reload {
  let { known } = parts;
  let changing: string | undefined;
  // One reading after the other, so that the last one asked for is the last one taken.
  let reading = Promise.resolve();

  async function read(why: string): Promise<void> {
    try {
      parts.take(await parts.read(), why);
    } catch (error) {
      tell(error, why, parts.log);
    }
  }
  const now = (why: string): Promise<void> => {
    known = parts.stamp();
    changing = undefined;
    reading = reading.then(() => read(why));
    return reading;
  };
  return {
    now,
    async look() {
      const stamp = parts.stamp();
      if (stamp === known) changing = undefined;
      else if (stamp !== changing) changing = stamp;
      else await now("the file changed");
    },
  };
}

/** Changes when the file does, or the one that its name now leads to; one that is gone or hidden has a stamp too. */
export function stampOf(path: string): string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
    return stat === undefined ? "gone" : [stat.dev, stat.ino, stat.size, stat.mtimeNs].join(":");
  } catch (error) {
    // Whoever reads it then says why.
    return `unreadable:${error instanceof Error && "code" in error ? String(error.code) : "unknown"}`;
  }
}

function tell(error: unknown, why: string, log: Log): void {
  const kept = "the settings from before go on";
  if (!(error instanceof ConfigError)) {
    log.error("config_rejected", { by: why, error: error instanceof Error ? error.message : String(error), kept });
    return;
  }
  for (const problem of problemLines(error.file, error.problems))
    log.error("config_rejected", { by: why, problem, kept });
}
