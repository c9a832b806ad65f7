// An SSH server on loopback that refuses what a stock sshd refuses: more channels than MaxSessions, more
// unauthenticated connections than MaxStartups, logins that take too long. It counts, and logs in sshd's own words, so
// that the same greps work on both. What a command does is not its business: `execute` is handed in.
//
//   accepted ─▶ dropped                                         (MaxStartups)
//        └────▶ starting ─▶ authenticated ─▶ closed             (a channel: open ─▶ running ─▶ ended and closed by the client)
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";

import ssh2 from "ssh2";
import type { AuthContext, Connection, Session } from "ssh2";

import type { Clock } from "./clock.ts";
import type { ChannelWorld, Execute, Peer } from "./sshd-channel.ts";
import { runChannel } from "./sshd-channel.ts";

/** As `MaxStartups begin:rate:full`, `MaxSessions` and `LoginGraceTime` in sshd_config. */
export type SshdLimits = {
  sessionsMax: number;
  startups: { begin: number; rate: number; full: number };
  loginGraceSeconds: number;
};

/** What a real server spends: a fork per connection, a fork and a shell per command; milliseconds. */
export type SshdCosts = { connectionMilliseconds: number } & ChannelWorld["costs"];

export const stockLimits: SshdLimits = {
  sessionsMax: 10,
  startups: { begin: 10, rate: 30, full: 100 },
  loginGraceSeconds: 120,
};

/** With these a cold dial takes about as long as one to OpenSSH 9.2 on two cores: 40 to 60 ms without stalls. */
export const realisticCosts: SshdCosts = { connectionMilliseconds: 30, commandMilliseconds: { least: 3, most: 8 } };

export type SshdOptions = {
  clock: Clock;
  /** Uniform over [0, 1). */
  random: () => number;
  user: string;
  /** Private key of the host; ssh2's public key of the one client that may log in. */
  hostKey: string;
  authorizedKey: string;
  execute: Execute;
  limits: SshdLimits;
  costs: SshdCosts;
};

export type SshdCounts = {
  accepted: number;
  authenticated: number;
  /** By MaxStartups. */
  dropped: number;
  sessions: number;
  /** By MaxSessions. */
  refusedSessions: number;
  commands: number;
  /** The most commands that ran at the same time. */
  overlappingMost: number;
};

export type Sshd = {
  address: string;
  port: number;
  counts(): SshdCounts;
  /** Lines as `sshd` writes them with LogLevel VERBOSE. */
  log: readonly string[];
  close(): Promise<void>;
};

type Shared = SshdOptions & ChannelWorld & { counts: SshdCounts };

const ADDRESS = "127.0.0.1";
const BACKLOG = 128;

export async function startSshd(options: SshdOptions): Promise<Sshd> {
  const log: string[] = [];
  const ending = new AbortController();
  const shared: Shared = {
    ...options,
    counts: {
      accepted: 0,
      authenticated: 0,
      dropped: 0,
      sessions: 0,
      refusedSessions: 0,
      commands: 0,
      overlappingMost: 0,
    },
    running: { now: 0 },
    killAll: ending.signal,
    say: (line) => void log.push(line),
  };
  const peers = new Map<number, Peer>();
  const sockets = new Set<Socket>();
  const engine = new ssh2.Server({ hostKeys: [options.hostKey] }, (connection, info) => {
    const peer = peers.get(info.port);
    if (peer === undefined) connection.end();
    else serve(connection, peer, shared);
  });
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => void sockets.delete(socket));
    void admit(socket, peers, shared, (admitted) => engine.injectSocket(admitted));
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ host: ADDRESS, port: 0, backlog: BACKLOG }, resolve);
  });
  const bound = listener.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  log.push(`Server listening on ${ADDRESS} port ${port}.`);
  return {
    address: ADDRESS,
    port,
    counts: () => ({ ...shared.counts }),
    log,
    close: async () => {
      ending.abort(new Error("the sandbox closes"));
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

/** sshd's own formula (`should_drop_connection`): certain from `full` on, and rising from `rate` percent at `begin`. */
export function dropsStartup(
  starting: number,
  { begin, rate, full }: SshdLimits["startups"],
  random: () => number,
): boolean {
  if (starting < begin) return false;
  if (starting >= full || rate === 100) return true;
  const percent = Math.trunc(((100 - rate) * (starting - begin)) / (full - begin)) + rate;
  return Math.floor(random() * 100) < percent;
}

async function admit(
  socket: Socket,
  peers: Map<number, Peer>,
  shared: Shared,
  inject: (socket: Socket) => void,
): Promise<void> {
  socket.on("error", () => undefined);
  const port = socket.remotePort ?? 0;
  const name = `${socket.remoteAddress ?? ADDRESS} port ${port}`;
  const starting = [...peers.values()].filter((peer) => !peer.authenticated).length;
  if (dropsStartup(starting, shared.limits.startups, shared.random)) {
    shared.counts.dropped += 1;
    shared.say(
      `drop connection #${starting} from [${socket.remoteAddress ?? ADDRESS}]:${port} on [${ADDRESS}]:${socket.localPort ?? 0} past MaxStartups`,
    );
    socket.end("Exceeded MaxStartups\r\n");
    return;
  }
  shared.counts.accepted += 1;
  const peer: Peer = { name, authenticated: false, slots: 0 };
  peers.set(port, peer);
  shared.say(`Connection from ${name} on ${ADDRESS} port ${socket.localPort ?? 0} rdomain ""`);
  socket.setNoDelay(true);
  const closed = new AbortController();
  socket.on("close", () => {
    closed.abort(new Error("closed"));
    peers.delete(port);
    shared.say(
      peer.authenticated ? `Disconnected from user ${shared.user} ${name}` : `Connection closed by ${name} [preauth]`,
    );
  });
  void closeWhenSlow(socket, peer, shared, closed.signal);
  try {
    await shared.clock.sleep(shared.costs.connectionMilliseconds, closed.signal);
  } catch {
    return;
  }
  if (!socket.destroyed) inject(socket);
}

async function closeWhenSlow(socket: Socket, peer: Peer, shared: Shared, closed: AbortSignal): Promise<void> {
  try {
    await shared.clock.sleep(shared.limits.loginGraceSeconds * 1000, closed);
  } catch {
    return;
  }
  if (peer.authenticated) return;
  shared.say(`fatal: Timeout before authentication for ${peer.name}`);
  socket.destroy();
}

function serve(connection: Connection, peer: Peer, shared: Shared): void {
  // Lost and reset connections arrive as errors; the socket's "close" says all that matters.
  connection.on("error", () => undefined);
  connection.on("authentication", (attempt) => authenticate(attempt, peer, shared));
  connection.on("ready", () => {
    peer.authenticated = true;
    shared.counts.authenticated += 1;
  });
  connection.on("session", (accept, reject) => {
    if (peer.slots >= shared.limits.sessionsMax) {
      shared.counts.refusedSessions += 1;
      shared.say("error: no more sessions");
      reject();
      return;
    }
    peer.slots += 1;
    shared.counts.sessions += 1;
    const session: Session = accept();
    runChannel(session, peer, shared);
  });
}

function authenticate(attempt: AuthContext, peer: Peer, shared: Shared): void {
  const key = ssh2.utils.parseKey(shared.authorizedKey);
  if (attempt.method !== "publickey" || attempt.username !== shared.user || key instanceof Error) {
    attempt.reject(["publickey"]);
    return;
  }
  const isKnown = attempt.key.algo === key.type && attempt.key.data.equals(key.getPublicSSH());
  if (!isKnown) {
    shared.say(`Failed publickey for ${attempt.username} from ${peer.name} ssh2`);
    attempt.reject(["publickey"]);
    return;
  }
  if (attempt.signature === undefined) {
    attempt.accept();
    return;
  }
  // ssh2 answers with an Error, and not with false, when it cannot verify: only true lets anybody in.
  const isGenuine: unknown =
    attempt.blob !== undefined && key.verify(attempt.blob, attempt.signature, attempt.hashAlgo);
  if (isGenuine !== true) {
    attempt.reject(["publickey"]);
    return;
  }
  shared.say(
    `Accepted publickey for ${attempt.username} from ${peer.name} ssh2: ED25519 ${fingerprint(key.getPublicSSH())}`,
  );
  attempt.accept();
}

/** `SHA256:…` as ssh-keygen prints it. */
export function fingerprint(publicKey: Buffer): string {
  return `SHA256:${createHash("sha256").update(publicKey).digest("base64").replace(/=+$/, "")}`;
}
