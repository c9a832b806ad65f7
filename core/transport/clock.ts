// Time as the transport needs it, so that tests can pass their own.

export type Clock = {
  /** Milliseconds; only differences mean something. */
  now(): number;
  /** Calls once after so many seconds, unless the returned function was called before. */
  after(seconds: number, call: () => void): () => void;
};

/** What a timer can hold; about 24 days. */
const timerMillisecondsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(seconds, call) {
    const timer = setTimeout(call, Math.min(Math.max(0, seconds * 1000), timerMillisecondsMax));
    return () => clearTimeout(timer);
  },
};
