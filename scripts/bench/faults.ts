// What callers are told and what the host did when things break: a table with the counts of both sides. Each fault has a
// ground of its own; the last one breaks everything at random times and counts every single command. A row is made of the
// records alone, so that it can be made again.
import { join, resolve } from "node:path";
import type { Closing } from "./closing.ts";
import { takeGround, type Ground } from "./fault-ground.ts";
import { readRecords, type Records } from "./fault-records.ts";
import { isSound, reckon, type Reckoning, type Told } from "./reckoning.ts";
import { stockLimits, type ServerLimits } from "./server.ts";

export type FaultRow = Reckoning & {
  fault: string;
  wanted: string;
  serverConnections: number;
  seconds: number;
  holds: boolean;
};

export type FaultsReport = {
  benchmark: "faults";
  date: string;
  server: { kind: string; version: string };
  /** Of the random faults: the same seed gives the same faults, not the same instants. */
  seed: number;
  /** At random. */
  commands: number;
  results: FaultRow[];
  /** The folder with both sides' raw records of this run. */
  records: string;
};

type Fault = {
  name: string;
  wanted: string;
  limits?: Partial<ServerLimits>;
  strike(ground: Ground): Promise<void>;
  asWanted(records: Records): boolean;
};

/** So many in all, and every one was told so. */
function all(told: readonly Told[], count: number, kind: Told["told"], error?: string): boolean {
  return (
    told.length === count && told.every((one) => one.told === kind && (error === undefined || one.error === error))
  );
}

/** The first of them was well; what followed was told so. */
function thenAll({ told }: Records, count: number, kind: Told["told"], error: string): boolean {
  return all(told.slice(0, 1), 1, "done") && all(told.slice(1), count, kind, error);
}

function whileRunning(name: string, act: (ground: Ground) => Promise<void> | void): Fault {
  return {
    name,
    wanted: "those that ran: unknown, ConnectionLost; the next one: done",
    async strike(ground) {
      const running = ground.run(5, 1, "fix");
      await ground.begun(5);
      await act(ground);
      await running;
      await ground.run(1);
    },
    asWanted: ({ told }) => all(told.slice(0, 5), 5, "unknown", "ConnectionLost") && all(told.slice(5), 1, "done"),
  };
}

/** At a limit of 1 or 2 waiting for the one channel would be worse than a further connection. */
function cold(count: number, limits: Partial<ServerLimits>, connectionsMax = 1): Fault {
  const named = Object.entries(limits).map(
    ([key, value]) => `${key === "maxSessions" ? "MaxSessions" : "MaxStartups"} ${value}`,
  );
  return {
    name: `${count} at once, cold, ${named.join(", ")}`,
    wanted: `all done, ${connectionsMax === 1 ? "one connection" : `at most ${connectionsMax} connections`}`,
    limits,
    strike: (ground) => ground.run(count),
    asWanted: ({ told, serverConnections }) => all(told, count, "done") && serverConnections <= connectionsMax,
  };
}

const signal = (name: NodeJS.Signals) => (ground: Ground) => {
  for (const pid of ground.sessions()) process.kill(pid, name);
};

const faults: readonly Fault[] = [
  whileRunning("link cut while five run", ({ proxy }) => proxy.cut()),
  whileRunning("link silent while five run", async ({ proxy }) => {
    proxy.silence();
    await new Promise((resolve) => setTimeout(resolve, 500));
    proxy.heal();
  }),
  whileRunning("sshd's session process ended with TERM", signal("SIGTERM")),
  whileRunning("sshd's session process ended with KILL", signal("SIGKILL")),
  {
    name: "link silent while idle",
    wanted: "one that left on the warm channel: unknown; the others: done, over a new connection",
    async strike({ run, proxy }) {
      await run(1);
      proxy.silence();
      proxy.heal();
      await run(5);
    },
    asWanted: ({ told, serverConnections }) =>
      all(
        told.filter((one) => one.told !== "done"),
        1,
        "unknown",
        "ConnectionLost",
      ) &&
      told.length === 6 &&
      serverConnections === 2,
  },
  {
    name: "link silent while dialing",
    wanted: "denied, DialTimeout; nothing ran",
    async strike({ run, proxy }) {
      proxy.silence();
      await run(5);
      proxy.heal();
    },
    asWanted: ({ told }) => all(told, 5, "denied", "DialTimeout"),
  },
  {
    name: "listener restarted while five run",
    wanted: "all done, on the connection they had",
    async strike(ground) {
      const running = ground.run(5, 1);
      await ground.begun(5);
      await ground.reload();
      await running;
    },
    asWanted: ({ told, serverConnections }) => all(told, 5, "done") && serverConnections === 1,
  },
  {
    name: "key revoked between dials",
    wanted: "the first done; then denied, AuthenticationFailed",
    async strike({ run, revokeKey, lose }) {
      await run(1);
      revokeKey();
      await lose();
      await run(3);
    },
    asWanted: (records) => thenAll(records, 3, "denied", "AuthenticationFailed"),
  },
  {
    name: "host key changed between dials",
    wanted: "the first done; then denied, HostKeyMismatch",
    async strike({ run, changeHostKey, reload, lose }) {
      await run(1);
      changeHostKey();
      await reload();
      await lose();
      await run(3);
    },
    asWanted: (records) => thenAll(records, 3, "denied", "HostKeyMismatch"),
  },
  cold(24, { maxSessions: 1 }, 3),
  cold(100, { maxSessions: 1 }, 3),
  cold(24, { maxSessions: 4 }),
  cold(100, { maxSessions: 4 }),
  cold(24, { maxStartups: "2:100:2" }),
  cold(100, { maxStartups: "2:100:2" }),
];

export async function benchFaults(
  closing: Closing,
  { commands, seed, say }: { commands: number; seed: number; say(progress: string): void },
): Promise<FaultsReport> {
  const date = new Date().toISOString();
  const records = resolve(import.meta.dirname, "../../.medic/faults", date.replaceAll(/[:.]/g, "-"));
  const results: FaultRow[] = [];
  let version = "unknown";
  for (const [number, fault] of [...faults, atRandom(commands, seed, say)].entries()) {
    say(fault.name);
    const folder = join(records, String(number + 1));
    const ground = await takeGround(folder, { ...stockLimits, ...fault.limits });
    closing.add(() => ground.close());
    version = ground.sshd.version;
    const startedAt = performance.now();
    await fault.strike(ground);
    const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
    await ground.settle();
    await ground.close();
    results.push(rowOf(fault, readRecords(folder), seconds));
  }
  return { benchmark: "faults", date, server: { kind: "sshd", version }, seed, commands, results, records };
}

/** Throws when the table says anything else than the records in `folder`, row by row. */
export function recount({ results, commands, seed }: FaultsReport, folder: string): void {
  const known = [...faults, atRandom(commands, seed, () => {})];
  for (const [number, row] of results.entries()) {
    const fault = known[number];
    const again = fault && rowOf(fault, readRecords(join(folder, String(number + 1))), row.seconds);
    if (JSON.stringify(again) === JSON.stringify(row)) continue;
    throw new Error(
      `Cannot trust the table of faults: of "${row.fault}" it says ${JSON.stringify(row)}, ` +
        `and the records in ${folder} say ${JSON.stringify(again)}. Measure again: npm run bench -- faults --save`,
    );
  }
}

function rowOf({ name, wanted, asWanted }: Fault, records: Records, seconds: number): FaultRow {
  const { told, ran, serverConnections } = records;
  const counts = reckon(told, ran);
  const holds = asWanted(records) && isSound(counts);
  return { fault: name, wanted, ...counts, serverConnections, seconds, holds };
}

/** Twenty callers who never stop asking, and a world in which something breaks all the time. */
function atRandom(commands: number, seed: number, say: (progress: string) => void): Fault {
  return {
    name: `${commands} commands with faults at random`,
    wanted: "none ran twice, none is called done that did not run, none ran that is called never sent",
    async strike(ground) {
      let left = commands;
      let told = 0;
      const caller = async (_: unknown, number: number) => {
        while (left > 0) {
          left -= 1;
          await ground.run(1, 0, number % 2 === 0 ? "fix" : "diagnostic");
          told += 1;
          if (told % 1000 === 0) say(`${told} of ${commands}`);
        }
      };
      const callers = Promise.all(Array.from({ length: 20 }, caller));
      const breaking = breakThings(ground, seed, () => told >= commands);
      await Promise.all([callers, breaking]);
    },
    asWanted: ({ told }) => told.length === commands && told.some((one) => one.told === "unknown"),
  };
}

async function breakThings(ground: Ground, seed: number, isOver: () => boolean): Promise<void> {
  const random = seeded(seed);
  const silent = async () => {
    ground.proxy.silence();
    await new Promise((resolve) => setTimeout(resolve, 100));
    ground.proxy.heal();
  };
  const ways: readonly ((ground: Ground) => Promise<void> | void)[] = [
    ground.proxy.cut,
    ground.proxy.cut,
    signal("SIGTERM"),
    signal("SIGKILL"),
    silent,
    ground.reload,
  ];
  while (!isOver()) {
    await new Promise((resolve) => setTimeout(resolve, 100 + 600 * random()));
    try {
      await ways[Math.floor(random() * ways.length)]?.(ground);
    } catch (error) {
      // What was to be killed had ended by itself.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }
}

/** mulberry32: small, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
