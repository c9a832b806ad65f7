// What callers are told and what the host did when things break: a table with the counts of both sides. Each fault has a
// ground of its own; the last one breaks everything at random times and counts every single command.
import { join, resolve } from "node:path";
import type { Closing } from "./closing.ts";
import { takeGround, type Ground } from "./fault-ground.ts";
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
  results: FaultRow[];
  /** Where both sides' raw records of this run are. */
  records: string;
};

type Fault = {
  name: string;
  wanted: string;
  limits?: Partial<ServerLimits>;
  /** Told by whom it hit, apart from those that came after it. */
  strike(ground: Ground): Promise<Told[]>;
  asWanted(told: readonly Told[], ground: Ground): boolean;
};

const all =
  (kind: Told["told"], ...errors: string[]) =>
  (told: readonly Told[]) =>
    told.every((one) => one.told === kind && (errors.length === 0 || errors.includes(one.error ?? "")));

function whileRunning(name: string, act: (ground: Ground) => Promise<void> | void): Fault {
  return {
    name,
    wanted: "those that ran: unknown, ConnectionLost; the next one: done",
    async strike(ground) {
      const running = ground.run(5, 1, "fix");
      await ground.begun(5);
      await act(ground);
      const hit = await running;
      return [...hit, ...(await ground.run(1))];
    },
    asWanted: (told) => all("unknown", "ConnectionLost")(told.slice(0, 5)) && all("done")(told.slice(5)),
  };
}

function cold(count: number, limits: Partial<ServerLimits>): Fault {
  const named = Object.entries(limits).map(
    ([key, value]) => `${key === "maxSessions" ? "MaxSessions" : "MaxStartups"} ${value}`,
  );
  return {
    name: `${count} at once, cold, ${named.join(", ")}`,
    wanted: "all done, one connection",
    limits,
    strike: (ground) => ground.run(count),
    asWanted: (told, { sshd }) => all("done")(told) && sshd.counts().authenticated === 1,
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
    wanted: "all done, over a new connection",
    async strike({ run, proxy, sshd }) {
      const first = await run(1);
      proxy.silence();
      proxy.heal();
      const rest = await run(5);
      return sshd.counts().authenticated === 2 ? [...first, ...rest] : [];
    },
    asWanted: (told) => told.length === 6 && all("done")(told),
  },
  {
    name: "link silent while dialing",
    wanted: "denied, DialTimeout; nothing ran",
    async strike({ run, proxy }) {
      proxy.silence();
      const told = await run(5);
      proxy.heal();
      return told;
    },
    asWanted: all("denied", "DialTimeout"),
  },
  {
    name: "listener restarted while five run",
    wanted: "all done, on the connection they had",
    async strike(ground) {
      const running = ground.run(5, 1);
      await ground.begun(5);
      await ground.reload();
      return running;
    },
    asWanted: all("done"),
  },
  {
    name: "key revoked between dials",
    wanted: "denied, AuthenticationFailed",
    async strike({ run, revokeKey, proxy }) {
      await run(1);
      revokeKey();
      proxy.cut();
      return run(3);
    },
    asWanted: all("denied", "AuthenticationFailed"),
  },
  {
    name: "host key changed between dials",
    wanted: "denied, HostKeyMismatch",
    async strike({ run, changeHostKey, reload, proxy }) {
      await run(1);
      changeHostKey();
      await reload();
      proxy.cut();
      return run(3);
    },
    asWanted: all("denied", "HostKeyMismatch"),
  },
  cold(24, { maxSessions: 1 }),
  cold(100, { maxSessions: 1 }),
  cold(24, { maxSessions: 4 }),
  cold(100, { maxSessions: 4 }),
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
    const ground = await takeGround(join(records, String(number + 1)), { ...stockLimits, ...fault.limits });
    closing.add(() => ground.close());
    version = ground.sshd.version;
    results.push(await measure(ground, fault));
    await ground.close();
  }
  return { benchmark: "faults", date, server: { kind: "sshd", version }, seed, results, records };
}

async function measure(ground: Ground, { name, wanted, strike, asWanted }: Fault): Promise<FaultRow> {
  const startedAt = performance.now();
  const told = await strike(ground);
  const isAsWanted = asWanted(told, ground);
  const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
  const { authenticated } = ground.sshd.counts();
  await ground.settle();
  const counts = reckon(told, ground.ran());
  return {
    fault: name,
    wanted,
    ...counts,
    serverConnections: authenticated,
    seconds,
    holds: isAsWanted && isSound(counts),
  };
}

/** Twenty callers who never stop asking, and a world in which something breaks all the time. */
function atRandom(commands: number, seed: number, say: (progress: string) => void): Fault {
  return {
    name: `${commands} commands with faults at random`,
    wanted: "none ran twice, none is called done that did not run, none ran that is called never sent",
    async strike(ground) {
      const told: Told[] = [];
      let left = commands;
      const caller = async (_: unknown, number: number) => {
        while (left > 0) {
          left -= 1;
          told.push(...(await ground.run(1, 0, number % 2 === 0 ? "fix" : "diagnostic")));
          if (told.length % 1000 === 0) say(`${told.length} of ${commands}`);
        }
      };
      const callers = Promise.all(Array.from({ length: 20 }, caller));
      const breaking = breakThings(ground, seed, () => told.length >= commands);
      await Promise.all([callers, breaking]);
      return told;
    },
    asWanted: (told) => told.length === commands && told.some((one) => one.told === "unknown"),
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
