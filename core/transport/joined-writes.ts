// ssh2 writes each packet in three pieces. Without Nagle's algorithm every piece would be a system call here, a packet on
// the wire and a wake-up of the host; so what is written within one turn leaves together, when all that waited for the
// same answer have had their say. What somebody waits for can be sent on its way at once, once a turn.
import type { Duplex } from "node:stream";

export type JoinedWrites = {
  /** Sends what was written in this turn so far, unless that was done in this turn before. */
  hurry(): void;
};

/** Changes the stream itself. */
export function joinWrites(stream: Duplex): JoinedWrites {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let isJoining = false;
  let isHurried = false;
  const flush = () => {
    isJoining = false;
    isHurried = false;
    stream.uncork();
  };
  const joined = (...args: unknown[]) => {
    if (!isJoining) {
      isJoining = true;
      stream.cork();
      // After the promises that this turn settles: a command that one of them sends goes along.
      queueMicrotask(() => process.nextTick(flush));
    }
    return write(...args);
  };
  stream.write = joined as Duplex["write"];
  return {
    hurry() {
      if (!isJoining || isHurried) return;
      isHurried = true;
      stream.uncork();
      stream.cork();
    },
  };
}
