// A clock that tests move: sleeping takes no time, it only advances `now`.

export type FakeClock = {
  now(): number;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  advance(ms: number): void;
};

export function fakeClock(start = Date.parse("2026-11-23T12:00:00Z")): FakeClock {
  let at = start;
  return {
    now: () => at,
    async sleep(milliseconds, signal) {
      signal?.throwIfAborted();
      at += milliseconds;
      // A real turn of the event loop, so that code which polls in vain cannot starve the test.
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
    advance(ms) {
      at += ms;
    },
  };
}
