// One dial of one host, whatever leads there: this machine itself, a socket, or a stream through another host. Reads the
// key and known_hosts anew each time, so what a person changes counts from the next dial on. Knows no queue.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import type { Duplex } from "node:stream";
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { hopTimeout } from "./dial-refusals.ts";
import { DialDropped, TransportError, textOf } from "./errors.ts";
import { impossiblePin } from "./host-key.ts";
import type { PoolSettings } from "./link-settings.ts";
import { localConnection } from "./local.ts";
import { loadKey } from "./ssh-authentication.ts";
import { dialSsh } from "./ssh-connection.ts";

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
  /** The host through which this one is reached. */
  jump?: string | undefined;
  privilege: "none" | "sudo";
  pool: PoolSettings;
};

export type Surroundings = {
  clock: Clock;
  /** The socket of the ssh-agent, for hosts with `agent: true`. */
  agentSocket?: string | undefined;
  /** What local commands see. */
  environment?: Readonly<Record<string, string>> | undefined;
};

/** Opens a stream to an address as the jump host sees it. */
export type Through = (address: string, port: number, signal: AbortSignal) => Promise<Duplex>;

const dialAttempts = 3;
const redialSeconds = 0.2;

/** Rejects with a TransportError. */
export async function dialHost(
  host: string,
  settings: HostSettings,
  around: Surroundings,
  through: Through | undefined,
  signal: AbortSignal,
): Promise<Connection> {
  if (settings.transport === "local") return localConnection(around.environment ?? plainEnvironment());
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await dialOnce(host, settings, around, through, signal);
    } catch (error) {
      // Other people's logins may fill the host's MaxStartups; it drops then at random, and nothing has run.
      if (!(error instanceof DialDropped) || attempt === dialAttempts || signal.aborted) throw error;
      await new Promise<void>((resolve) => around.clock.after(redialSeconds * attempt, resolve));
    }
  }
}

/** The key a host offers, as SSH writes it. Trusts nothing and logs in nowhere: the dial ends at the key. */
export async function askHostKey(
  host: string,
  settings: HostSettings,
  around: Surroundings,
  through: Through | undefined,
  signal: AbortSignal,
): Promise<Buffer> {
  const { identity: _identity, passphrase: _passphrase, agent: _agent, ...rest } = settings;
  try {
    const connection = await dialHost(host, { ...rest, hostKey: impossiblePin }, around, through, signal);
    connection.end();
  } catch (error) {
    if (error instanceof TransportError && error.offeredKey !== undefined) return error.offeredKey;
    throw error;
  }
  throw new TransportError("DialFailed", host, `Cannot ask "${host}" for its key: it is reached without one`);
}

async function dialOnce(
  host: string,
  settings: HostSettings,
  { agentSocket, clock }: Surroundings,
  through: Through | undefined,
  signal: AbortSignal,
): Promise<Connection> {
  const { address = host, port = 22, user = "", identity, passphrase, hostKey, knownHosts, pool } = settings;
  const key = identity === undefined ? undefined : await loadKey(host, identity, passphrase);
  const known = hostKey === undefined && knownHosts !== undefined ? await readKnownHosts(host, knownHosts) : "";
  const startedAt = clock.now();
  const late = () => hopTimeout(host, settings.jump ?? "", pool.dialTimeout);
  const stream =
    through && (await within(pool.dialTimeout, clock, signal, late, (bounded) => through(address, port, bounded)));
  // The same seconds cover every hop.
  const leftSeconds = Math.max(pool.dialTimeout - (clock.now() - startedAt) / 1000, 0.001);
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
      opensAhead: pool.warmChannels !== "off",
      dialTimeoutSeconds: Math.round(leftSeconds * 1000) / 1000,
    },
    signal,
    stream,
  );
}

async function within<T>(
  seconds: number,
  clock: Clock,
  signal: AbortSignal,
  late: () => TransportError,
  open: (bounded: AbortSignal) => Promise<T>,
): Promise<T> {
  const bound = new AbortController();
  const stop = (): void => bound.abort(signal.reason);
  const cancel = clock.after(seconds, () => bound.abort(late()));
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await open(bound.signal);
  } finally {
    cancel();
    signal.removeEventListener("abort", stop);
  }
}

/** The text of a known_hosts file; one that is not there is empty. */
export async function readKnownHosts(host: string, path: string): Promise<string> {
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
