// Waiting in the sandbox: the one place where its time comes from, so that tests can bring their own.
import { setTimeout as wait } from "node:timers/promises";

export type Clock = { now(): number; sleep(milliseconds: number, signal?: AbortSignal): Promise<void> };

/** Real time; a sleep that is cut short rejects with the signal's reason. */
export const realClock: Clock = {
  now: () => Date.now(),
  sleep: async (milliseconds, signal) => {
    signal?.throwIfAborted();
    try {
      await wait(milliseconds, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};
