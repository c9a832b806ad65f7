// ssh2 writes each packet in three pieces. Without Nagle's algorithm every piece would be a system call here, a packet on
// the wire and a wake-up of the host; so what is written within one turn leaves together, when all that waited for the
// same answer have had their say.
import type { Duplex } from "node:stream";

/** Changes the stream itself, and returns it. */
export function joinWrites<Stream extends Duplex>(stream: Stream): Stream {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let isCorked = false;
  const flush = () => {
    isCorked = false;
    stream.uncork();
  };
  const joined = (...args: unknown[]) => {
    if (!isCorked) {
      isCorked = true;
      stream.cork();
      // After the promises that this turn settles: a command that one of them sends goes along.
      queueMicrotask(() => process.nextTick(flush));
    }
    return write(...args);
  };
  stream.write = joined as Stream["write"];
  return stream;
}
