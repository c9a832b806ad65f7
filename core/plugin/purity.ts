// Whether a function of a plugin is pure: the same answer for the same arguments, no look at the clock, at chance or at
// anything outside, no change to what it was given, and no option read that hosts.yaml cannot say.
import { isDeepStrictEqual } from "node:util";
import type { Schema } from "./contract.ts";

/** What is impure about a call; undefined when nothing is seen. Throws what the call throws. */
export function purityProblem(what: string, make: () => unknown): string | undefined {
  const looks = new Set<string>();
  const restore = watchGlobals(looks);
  try {
    const first = make();
    const isSame = isDeepStrictEqual(first, make());
    if (looks.size > 0) return `${what} uses ${[...looks].join(", ")}: it may only use what it is given`;
    return isSame ? undefined : `${what} gives something else the second time`;
  } finally {
    restore();
  }
}

/** A deep copy that nobody can change: a write to it throws. */
export function frozen<T>(value: T): T {
  return freeze(structuredClone(value));
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const item of Object.values(value)) freeze(item);
  return Object.freeze(value);
}

/** Options that tell of every read of a key which the schema does not have. */
export function watchedOptions(options: object, schema: Schema, onUnknown: (key: string) => void): object {
  const { entries } = schema as { entries?: object };
  if (entries === undefined) return options;
  return new Proxy(options, {
    get(target, key, receiver): unknown {
      if (typeof key === "string" && !Object.hasOwn(entries, key) && key !== "toJSON") onUnknown(key);
      return Reflect.get(target, key, receiver);
    },
  });
}

/** Notes each use of what makes a function impure, and leaves it working. Synchronous use only: restore at once. */
function watchGlobals(looks: Set<string>): () => void {
  const { Date: date, fetch, setTimeout: timeout } = globalThis;
  const { random } = Math;
  const { now } = performance;
  globalThis.Date = new Proxy(date, {
    construct(target, args, newTarget): object {
      if (args.length === 0) looks.add("new Date()");
      return Reflect.construct(target, args, newTarget) as object;
    },
    get(target, key): unknown {
      if (key === "now") looks.add("Date.now()");
      return Reflect.get(target, key);
    },
  });
  globalThis.fetch = (...args) => {
    looks.add("fetch()");
    return fetch(...args);
  };
  globalThis.setTimeout = ((...args: Parameters<typeof timeout>) => {
    looks.add("setTimeout()");
    return timeout(...args);
  }) as typeof timeout;
  Math.random = () => {
    looks.add("Math.random()");
    return random();
  };
  performance.now = () => {
    looks.add("performance.now()");
    return now.call(performance);
  };
  return () => {
    Object.assign(globalThis, { Date: date, fetch, setTimeout: timeout });
    Math.random = random;
    performance.now = now;
  };
}
