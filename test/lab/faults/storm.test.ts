// Many commands while everything breaks at random. Each is counted on the host: none ran twice, none is called done that did
// not run, none ran that is called never sent. MEDIC_STORM=10000 makes it as long as one likes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TransportError } from "../../../core/transport/pool.ts";
import { dropbearPrograms, startDropbear } from "../../support/dropbear.ts";
import { reach, unfit, untilSeconds, type Reach, type RealServer } from "../../support/real-server.ts";
import { sshdProgram, startRealSshd } from "../../support/real-sshd.ts";
import { startSilentProxy, type SilentProxy } from "../../support/silent-proxy.ts";
import { killProcess } from "../../support/system-user.ts";

const commands = Number(process.env["MEDIC_STORM"] ?? 1000);
const seed = Number(process.env["MEDIC_STORM_SEED"] ?? 1);
const callers = 20;
const pool = { keepaliveInterval: 0.3, keepaliveCount: 2, dialTimeout: 2, idleTimeout: 0.5 };

/** What one caller was told. */
type Told = { id: string; is: "done" | "denied" | "unknown"; kind: string };

/** Twenty callers who never stop asking, until all commands are told. */
async function ask(server: RealServer, medic: Reach, random: () => number, count: number): Promise<Told[]> {
  const told: Told[] = [];
  let asked = 0;
  const caller = async () => {
    while (asked < count) {
      const id = `command-${(asked += 1)}`;
      // Some take long enough for a fault to meet them, and some leave the link idle for long enough to be evicted.
      const command = server.ledger.command(id, random() < 0.2 ? 0.2 * random() : 0);
      const kind = random() < 0.5 ? "fix" : "diagnostic";
      try {
        const { exit } = await medic.run(command, { kind, commandSeconds: 10 });
        told.push({ id, is: "done", kind: `exit ${exit}` });
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        told.push({ id, is: error.dispatched ? "unknown" : "denied", kind: error.kind });
        // As anybody would: what could not be sent is not asked for again at once.
        await sleep(500);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return told;
}

/** Breaks something, waits, and breaks something else. */
async function breaking(
  ways: readonly (() => Promise<void> | void)[],
  random: () => number,
  isOver: () => boolean,
): Promise<number> {
  for (let count = 0; ; count += 1) {
    await sleep(100 + 500 * random());
    if (isOver()) return count;
    await ways[Math.floor(random() * ways.length)]?.();
  }
}

async function storm(server: RealServer, medic: Reach, ways: readonly (() => Promise<void> | void)[], count: number) {
  const random = seeded(seed);
  let isOver = false;
  const struck = breaking(ways, random, () => isOver);
  const told = await ask(server, medic, random, count);
  isOver = true;
  const faults = await struck;
  await untilSeconds(15, "nothing of it runs on the host any more", () => server.user.running().length === 0);
  const ran = server.ledger.read();
  const times = ({ id }: Told) => ran.get(id) ?? { began: 0, ended: 0 };
  const wrong = {
    twice: told.filter((one) => times(one).began > 1 || times(one).ended > 1),
    doneNotRun: told.filter((one) => one.is === "done" && (one.kind !== "exit 0" || times(one).ended !== 1)),
    deniedRan: told.filter((one) => one.is === "denied" && times(one).began > 0),
  };
  const counts = Object.groupBy(told, ({ is, kind }) => `${is} (${kind})`);
  const summary = Object.entries(counts).map(([what, all]) => `${all?.length} ${what}`);
  assert.equal(told.length, count);
  assert.deepEqual(wrong, { twice: [], doneNotRun: [], deniedRan: [] });
  assert.ok(faults >= 5, `only ${faults} faults happened`);
  return { faults, summary: `${faults} faults; ${summary.join(", ")}` };
}

function breakLink(proxy: SilentProxy): (() => Promise<void> | void)[] {
  const silent = (loss: "all" | "answers") => () => proxy.silence(loss);
  const dialing = async () => {
    proxy.silenceAfterBytes(600);
    proxy.cut();
    await sleep(150);
    proxy.silenceAfterBytes(undefined);
  };
  return [proxy.cut, silent("all"), silent("answers"), dialing];
}

/** mulberry32: small, and the same everywhere. */
function seeded(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe(`${commands} commands with faults at random`, () => {
  it("at sshd: each is what its caller was told", { skip: unfit(sshdProgram) }, async (test) => {
    await using sshd = await startRealSshd();
    await using proxy = await startSilentProxy(sshd);
    await using medic = reach(sshd, { pool, through: { address: proxy.address, port: proxy.port } });
    const kill = (half: "user" | "monitor", signal: NodeJS.Signals) => () => {
      for (const pid of sshd.connections()[half]) killProcess(pid, signal);
    };
    const limited = (sessions: number) => async () => {
      await sshd.limit(sessions);
      kill("user", "SIGTERM")();
    };
    const locked = async () => {
      sshd.revoke();
      proxy.cut();
      await sleep(200);
      sshd.permit();
    };
    const ways = [
      ...breakLink(proxy),
      kill("user", "SIGTERM"),
      kill("user", "SIGKILL"),
      kill("monitor", "SIGTERM"),
      kill("monitor", "SIGKILL"),
      sshd.restart,
      limited(1),
      limited(4),
      limited(10),
      locked,
    ];
    const { summary } = await storm(sshd, medic, ways, commands);
    const { authenticated, commands: started, dropped, refusedSessions } = sshd.counts();
    test.diagnostic(
      `${summary}; sshd: ${authenticated} logins, ${started} commands, ${refusedSessions} refused sessions, ${dropped} dropped`,
    );
  });

  it("at dropbear: each is what its caller was told", { skip: unfit(...dropbearPrograms) }, async (test) => {
    await using dropbear = await startDropbear();
    await using proxy = await startSilentProxy(dropbear);
    await using medic = reach(dropbear, { pool, through: { address: proxy.address, port: proxy.port } });
    const kill = (signal: NodeJS.Signals) => () => {
      for (const pid of dropbear.connections()) killProcess(pid, signal);
    };
    const ways = [...breakLink(proxy), kill("SIGTERM"), kill("SIGKILL")];
    const { summary } = await storm(dropbear, medic, ways, Math.ceil(commands / 4));
    test.diagnostic(`${summary}; dropbear: ${dropbear.authenticated()} logins`);
  });
});
