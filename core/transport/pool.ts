// All hosts: renders a command for its host and hands it to that host's link. The only way by which a command leaves
// Medic. Knows no tools, no incidents and no policy.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import type { Command, Result } from "../plugin/contract.ts";
import type { Log } from "../log.ts";
import { systemClock, type Clock } from "./clock.ts";
import { DialDropped, TransportError, textOf } from "./errors.ts";
import type { Connection } from "./connection.ts";
import { Link } from "./link.ts";
import type { DrainSeconds, PoolSettings } from "./link-settings.ts";
import type { HostStatistics } from "./link-record.ts";
import { localConnection } from "./local.ts";
import { render } from "./quote.ts";
import type { How } from "./request.ts";
import { loadKey } from "./ssh-authentication.ts";
import { dialSsh } from "./ssh-connection.ts";

export { TransportError } from "./errors.ts";
export type { HostStatistics, How, PoolSettings };

/** What the transport needs to know of a host. Paths are absolute. */
export type HostSettings = {
  transport: "ssh" | "local";
  address?: string | undefined;
  port?: number | undefined;
  user?: string | undefined;
  /** Path of the private key. */
  identity?: string | undefined;
  passphrase?: string | undefined;
  /** Ask the ssh-agent too. */
  agent?: boolean | undefined;
  /** `SHA256:…`; decides alone when set. */
  hostKey?: string | undefined;
  /** Path. */
  knownHosts?: string | undefined;
  privilege: "none" | "sudo";
  pool: PoolSettings;
};

export type TransportOptions = {
  log: Log;
  clock?: Clock;
  /** The socket of the ssh-agent, for hosts with `agent: true`. */
  agentSocket?: string | undefined;
  /** What local commands see; a plain PATH and HOME when absent. Never Medic's own environment: it holds secrets. */
  environment?: Readonly<Record<string, string>>;
  /** How long `close` waits for what runs; 5 s for diagnostics, 30 s for fixes. */
  drainSeconds?: DrainSeconds;
};

export type Transport = {
  /** Rejects with a TransportError, or with CommandRefused when the command cannot be written as shell text. */
  run(host: string, command: Command, how: How): Promise<Result>;
  /** In the order of the configuration. */
  statistics(): HostStatistics[];
  /** Takes no more commands, waits for those that run within bounds, ends all connections. */
  close(reason?: string): Promise<void>;
};

const dialAttempts = 3;
const redialSeconds = 0.2;

export function createTransport(hosts: Readonly<Record<string, HostSettings>>, options: TransportOptions): Transport {
  const { log, clock = systemClock, drainSeconds = { diagnostics: 5, fixes: 30 } } = options;
  const links = new Map(
    Object.entries(hosts).map(([host, settings]) => {
      const { transport, pool } = settings;
      // Nothing is gained by closing what costs nothing to keep.
      const own = transport === "local" ? { ...pool, idleTimeout: 0 } : pool;
      const dial = (signal: AbortSignal) => connect(host, settings, options, clock, signal);
      return [host, { settings, link: new Link({ host, transport, pool: own, log, clock, dial }) }] as const;
    }),
  );
  return {
    async run(host, command, how) {
      const known = links.get(host);
      if (known === undefined) {
        const names = [...links.keys()].map((name) => `"${name}"`).join(", ");
        throw new TransportError("DialFailed", host, `Cannot reach "${host}": no such host, hosts.yaml knows ${names}`);
      }
      const { privilege, pool } = known.settings;
      const terms = { ...how, commandSeconds: how.commandSeconds ?? pool.commandTimeout };
      const limit = how.kind === "diagnostic" ? { killAfterSeconds: terms.commandSeconds } : {};
      return known.link.run(render(command, { privilege, ...limit }), terms);
    },
    statistics: () => [...links.values()].map(({ link }) => link.statistics()),
    async close(reason = "shutdown") {
      await Promise.all([...links.values()].map(({ link }) => link.close(reason, drainSeconds)));
    },
  };
}

async function connect(
  host: string,
  settings: HostSettings,
  options: TransportOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<Connection> {
  if (settings.transport === "local") return localConnection(options.environment ?? plainEnvironment());
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await dialOnce(host, settings, options, signal);
    } catch (error) {
      // Other people's logins may fill the host's MaxStartups; it drops then at random, and nothing has run.
      if (!(error instanceof DialDropped) || attempt === dialAttempts || signal.aborted) throw error;
      await new Promise<void>((resolve) => clock.after(redialSeconds * attempt, resolve));
    }
  }
}

async function dialOnce(
  host: string,
  settings: HostSettings,
  { agentSocket }: TransportOptions,
  signal: AbortSignal,
): Promise<Connection> {
  const { address = host, port = 22, user = "", identity, passphrase, hostKey, knownHosts, pool } = settings;
  const key = identity === undefined ? undefined : await loadKey(host, identity, passphrase);
  const known = hostKey === undefined && knownHosts !== undefined ? await readKnownHosts(host, knownHosts) : "";
  return dialSsh(
    {
      host,
      address,
      port,
      credentials: {
        user,
        ...(key === undefined ? {} : { key }),
        ...(settings.agent === true && agentSocket !== undefined ? { agentSocket } : {}),
      },
      hostKey: { address, port, pin: hostKey, knownHosts: known },
      dialTimeoutSeconds: pool.dialTimeout,
      keepaliveIntervalSeconds: pool.keepaliveInterval,
      keepaliveCount: pool.keepaliveCount,
    },
    signal,
  );
}

async function readKnownHosts(host: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // No file is an empty one: the key is unknown then, and the error says what to do.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw new TransportError(
      "DialFailed",
      host,
      `Cannot connect to "${host}": "${path}" cannot be read: ${textOf(error)}`,
    );
  }
}

function plainEnvironment(): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: homedir(), LANG: "C.UTF-8" };
}
