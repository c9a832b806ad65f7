// All hosts: renders a command for its host and hands it to that host's link. The only way by which a command leaves
// Medic. Knows no tools, no incidents and no policy.
import type { Command, Result } from "../plugin/contract.ts";
import type { Log } from "../log.ts";
import { systemClock, type Clock } from "./clock.ts";
import { ConnectionCap } from "./connection-cap.ts";
import type { Connection } from "./connection.ts";
import { askHostKey, dialHost, type HostSettings, type Surroundings, type Through } from "./dial.ts";
import { TransportError } from "./errors.ts";
import { Jump } from "./jump.ts";
import { Link } from "./link.ts";
import type { DrainSeconds, PoolSettings } from "./link-settings.ts";
import type { HostStatistics } from "./link-record.ts";
import { claimRefusal, render } from "./quote.ts";
import type { How } from "./request.ts";

export { TransportError } from "./errors.ts";
export type { HostSettings, HostStatistics, How, PoolSettings };

export type TransportOptions = {
  log: Log;
  clock?: Clock;
  /** The socket of the ssh-agent, for hosts with `agent: true`. */
  agentSocket?: string | undefined;
  /** What local commands see; a plain PATH and HOME when absent. Never Medic's own environment: it holds secrets. */
  environment?: Readonly<Record<string, string>>;
  /** How long `close` waits for what runs; 5 s for diagnostics, 30 s for fixes. */
  drainSeconds?: DrainSeconds;
  /** SSH connections at once, over all hosts; 64 when absent. */
  connectionsMax?: number;
};

export type Transport = {
  /** Rejects with a TransportError, or with CommandRefused when the command cannot be written as shell text. */
  run(host: string, command: Command, how: How): Promise<Result>;
  /** The key that a host offers now, as SSH writes it; logs in nowhere but at the hosts on the way. */
  hostKey(host: string, signal: AbortSignal): Promise<Buffer>;
  /** In the order of the configuration. */
  statistics(): HostStatistics[];
  /**
   * Other hosts, or the same with other settings. Only a host whose connection would be another one, or whose way there
   * would, is made anew: what runs on it runs to its end, what waits goes to the new one.
   */
  reconfigure(hosts: Hosts): Changed;
  /** Takes no more commands, waits for those that run within bounds, ends all connections. */
  close(reason?: string, drainSeconds?: DrainSeconds): Promise<void>;
};

/** The names of hosts, by what became of them. */
export type Changed = { added: string[]; removed: string[]; remade: string[] };

type Hosts = Readonly<Record<string, HostSettings>>;
type Way = { settings: HostSettings; identity: string; link: Link; connections: Set<Connection>; jump: Jump };

/** Commands on a host that was made anew have deadlines of their own: these only end what forgot its own. */
const leavingSeconds: DrainSeconds = { diagnostics: 600, fixes: 3600 };

export function createTransport(hosts: Hosts, options: TransportOptions): Transport {
  return new Pool(hosts, options);
}

class Pool implements Transport {
  readonly #options: TransportOptions;
  readonly #around: Surroundings;
  readonly #cap: ConnectionCap;
  readonly #leaving = new Map<Way, Promise<void>>();
  #ways = new Map<string, Way>();
  #isClosed = false;

  constructor(hosts: Hosts, options: TransportOptions) {
    const { clock = systemClock, agentSocket, environment, connectionsMax = 64 } = options;
    this.#options = options;
    this.#cap = new ConnectionCap(connectionsMax);
    this.#around = { clock, agentSocket, environment };
    this.reconfigure(hosts);
  }

  async run(host: string, command: Command, how: How): Promise<Result> {
    const way = this.#way(host);
    const { privilege, pool } = way.settings;
    const terms = { ...how, commandSeconds: how.commandSeconds ?? pool.commandTimeout };
    const limit = how.kind === "diagnostic" ? { killAfterSeconds: terms.commandSeconds } : {};
    const claim = how.claim === undefined ? {} : { claim: how.claim };
    try {
      const result = await way.link.run(render(command, { privilege, ...limit, ...claim }), terms);
      return how.claim === undefined ? result : unlessRefused(result, host, how);
    } catch (error) {
      const isUnsent = error instanceof TransportError && error.kind === "Closed" && !error.dispatched;
      // It waited for a link that was made anew meanwhile.
      if (isUnsent && this.#leaving.has(way) && !this.#isClosed) return this.run(host, command, how);
      throw error;
    }
  }

  hostKey(host: string, signal: AbortSignal): Promise<Buffer> {
    const { settings } = this.#way(host);
    return askHostKey(host, settings, this.#around, this.#through(host, settings), signal);
  }

  statistics(): HostStatistics[] {
    return [...this.#ways.values()].map(({ link }) => link.statistics());
  }

  reconfigure(hosts: Hosts): Changed {
    const before = this.#ways;
    const changed: Changed = { added: [], removed: [], remade: [] };
    const gone: Way[] = [];
    this.#ways = new Map();
    for (const [host, settings] of Object.entries(hosts)) {
      const identity = identityOf(host, hosts);
      const old = before.get(host);
      if (old?.identity === identity) {
        // What is no part of the connection counts from the next command on.
        old.settings = settings;
        this.#ways.set(host, old);
        continue;
      }
      if (old === undefined) changed.added.push(host);
      else {
        changed.remade.push(host);
        gone.push(old);
      }
      this.#ways.set(host, this.#make(host, settings, identity));
    }
    for (const [host, way] of before) {
      if (Object.hasOwn(hosts, host)) continue;
      changed.removed.push(host);
      gone.push(way);
    }
    for (const way of gone) this.#leave(way);
    return changed;
  }

  async close(
    reason = "shutdown",
    drainSeconds = this.#options.drainSeconds ?? { diagnostics: 5, fixes: 30 },
  ): Promise<void> {
    this.#isClosed = true;
    const closing = [...this.#ways.values()].map(({ link }) => link.close(reason, drainSeconds));
    const leaving = Promise.all(this.#leaving.values());
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#around.clock.after(drainSeconds.fixes, resolve);
    await Promise.all([...closing, Promise.race([leaving, late])]);
    cancel();
    for (const { connections, jump } of [...this.#leaving.keys(), ...this.#ways.values()]) {
      jump.end();
      for (const connection of connections) connection.end();
    }
  }

  #way(host: string): Way {
    const way = this.#ways.get(host);
    if (way !== undefined) return way;
    const names = [...this.#ways.keys()].map((name) => `"${name}"`).join(", ");
    throw new TransportError("DialFailed", host, `Cannot reach "${host}": no such host, hosts.yaml knows ${names}`);
  }

  #make(host: string, settings: HostSettings, identity: string): Way {
    const { log } = this.#options;
    const { clock } = this.#around;
    const { transport, pool } = settings;
    const connections = new Set<Connection>();
    const jump = new Jump(host, (signal) =>
      dialHost(host, settings, this.#around, this.#through(host, settings), signal),
    );
    const dial = async (signal: AbortSignal): Promise<Connection> => {
      const connection = await jump.connect(signal);
      connections.add(connection);
      void connection.gone.then(() => connections.delete(connection));
      return connection;
    };
    // Nothing is gained by closing what costs nothing to keep.
    const own = transport === "local" ? { ...pool, idleTimeout: 0 } : pool;
    const cap = transport === "local" ? undefined : this.#cap;
    const link = new Link({ host, transport, pool: own, log, clock, cap, dial });
    return { settings, identity, connections, jump, link };
  }

  #through(host: string, { jump }: HostSettings): Through | undefined {
    if (jump === undefined) return undefined;
    return (address, port, signal) => this.#way(jump).jump.stream(host, address, port, signal);
  }

  #leave(way: Way): void {
    const left = way.link.close("reconfigured", leavingSeconds).finally(() => this.#leaving.delete(way));
    this.#leaving.set(way, left);
  }
}

/** What a claim kept from running has no result of its own. */
function unlessRefused(result: Result, host: string, { tool }: How): Result {
  const refusal = claimRefusal(result);
  if (refusal === undefined) return result;
  const doing = `Cannot run "${tool}" on "${host}"`;
  if (refusal === "taken") {
    const why = `${doing}: its claim on the host is taken already, so it may have run`;
    throw new TransportError("ClaimTaken", host, why, { dispatched: true });
  }
  const why = `${doing}: its claim cannot be made on the host (is the disk full, or read-only?); nothing ran`;
  throw new TransportError("ClaimRefused", host, why);
}

/** Two hosts of the same identity are reached by the same connection; a jump's identity is part of it. */
function identityOf(host: string, hosts: Hosts, behind: readonly string[] = []): string {
  const settings = hosts[host];
  if (settings === undefined || behind.includes(host)) return "";
  const { transport, address, port, user, identity, passphrase, agent, hostKey, knownHosts, jump, pool } = settings;
  const own = [transport, address, port, user, identity, passphrase, agent, hostKey, knownHosts, jump, pool];
  return JSON.stringify([...own, jump === undefined ? "" : identityOf(jump, hosts, [...behind, host])]);
}
