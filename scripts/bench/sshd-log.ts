// What sshd itself wrote at LogLevel VERBOSE, counted. A client's own counters prove nothing. Reads only what is new:
// the log of a long run is large, and it is asked for often.
import { closeSync, openSync, readSync } from "node:fs";

export type ServerCounts = {
  authenticated: number;
  /** Connections the server has seen end. */
  closed: number;
  commands: number;
  /** By MaxStartups. */
  dropped: number;
  /** By MaxSessions. */
  refusedSessions: number;
};

const patterns: Readonly<Record<keyof ServerCounts, RegExp>> = {
  // Not "Accepted key": sshd says so twice of one login.
  authenticated: /^Accepted publickey /gm,
  closed: /^(?:Disconnected from user|Connection closed by|Connection reset by) /gm,
  commands: /^Starting session: /gm,
  dropped: /^drop connection #/gm,
  refusedSessions: /no more sessions/g,
};

export function countLog(text: string): ServerCounts {
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0;
  return {
    authenticated: count(patterns.authenticated),
    closed: count(patterns.closed),
    commands: count(patterns.commands),
    dropped: count(patterns.dropped),
    refusedSessions: count(patterns.refusedSessions),
  };
}

/** Counts from the start of the file on, however often it is asked. */
export function logCounter(path: string): () => ServerCounts {
  const total = countLog("");
  const chunk = Buffer.alloc(1024 * 1024);
  let offset = 0;
  let rest = "";
  return () => {
    const file = openSync(path, "r");
    try {
      for (let read = -1; read !== 0;) {
        read = readSync(file, chunk, 0, chunk.length, offset);
        offset += read;
        rest += chunk.toString("latin1", 0, read);
        // A line that is being written is counted when it is whole.
        const end = rest.lastIndexOf("\n") + 1;
        add(total, countLog(rest.slice(0, end)));
        rest = rest.slice(end);
      }
    } finally {
      closeSync(file);
    }
    return { ...total };
  };
}

function add(total: ServerCounts, more: ServerCounts): void {
  for (const key of Object.keys(more) as (keyof ServerCounts)[]) total[key] += more[key];
}
