// How a `serve` stops, in ten seconds at most: no new requests and no new turns; what is at work gets a moment to end, then
// it is left as the journal has it, for the next process to take up. A container or a unit that is told to stop is killed
// soon after, and a kill in order is better than one in the middle of a message.
import { LeftToNext } from "../agent/by-hand.ts";
import type { Listening } from "../http/server.ts";
import type { Log } from "../log.ts";
import { type Medic, sleep } from "./compose.ts";
import type { People } from "./people.ts";
import { removeNote } from "./serve-client.ts";

/** The whole of it. What it bounds adds up to less; this is for what forgets its own end. */
const ALL_SECONDS = 9;
const HTTP_SECONDS = 3;
/** The desk takes two more for what was aborted. */
const WORK_SECONDS = 2;
const SEND_SECONDS = 1;
const DRAIN_SECONDS = { diagnostics: 1, fixes: 1 };

export type Stopping = {
  medic: Medic;
  people: People;
  listening: Listening;
  /** Ends what people wait for at the other end of a request. */
  closing: AbortController;
  log: Log;
  dataFolder: string | undefined;
};

export async function shutDown(parts: Stopping): Promise<void> {
  const late = new AbortController();
  const tooLate = sleep(ALL_SECONDS * 1000, late.signal).then(
    () => parts.log.warning("stop_cut_short", { afterSeconds: ALL_SECONDS }),
    () => undefined,
  );
  await Promise.race([inOrder(parts), tooLate]);
  late.abort();
}

async function inOrder({ medic, people, listening, closing, log, dataFolder }: Stopping): Promise<void> {
  const closed = listening.close(HTTP_SECONDS).then(() => {
    closing.abort(new LeftToNext("Medic is stopping"));
    try {
      if (dataFolder !== undefined) removeNote(dataFolder);
    } catch (error) {
      // It leads nowhere; what is at work has to be ended all the same.
      log.warning("note_left", { error: error instanceof Error ? error.message : String(error) });
    }
  });
  await Promise.all([closed, medic.desk.close(WORK_SECONDS)]);
  await medic.observer.close();
  await Promise.all([people.close(SEND_SECONDS), medic.transport.close("shutdown", DRAIN_SECONDS)]);
}
