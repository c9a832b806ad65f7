// A real SSH server inside the test, with sshd's limits: MaxSessions, a slot that is free only after our CLOSE was
// processed and the command has ended, dropped logins. Commands run in real shells, or in a scripted handler. It counts
// what a server can see, because a client's own counters prove nothing.
import { spawn, type ChildProcess } from "node:child_process";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import ssh2, { type Connection, type ServerChannel, type Session } from "ssh2";
import { generateKeyPair, type KeyPair } from "../../core/sandbox/key-pair.ts";
import { fingerprint } from "../../core/transport/host-key.ts";

export type ServerOptions = {
  maxSessions?: number;
  /** Logins that are dropped before the handshake, counted from the first. */
  dropFirst?: number;
  /** How it calls itself. */
  software?: string;
  /** Accepts and then says nothing at all. */
  isSilent?: boolean;
  /** Never answers global requests, so no proof of a freed slot ever comes. */
  ignoresGlobalRequests?: boolean;
  /** Public keys that may log in; the server's own client key when absent. */
  authorized?: readonly string[];
  /** Answers in place of a shell. Call `exit` or leave the command running. */
  handler?: (command: string, channel: ServerChannel) => void;
  /** Holds every answer to the opening of a channel back. */
  neverOpens?: boolean;
  /** Ignores signals, as a forced-command key makes sshd do. */
  ignoresSignals?: boolean;
  /** Answers the command with a failure, as dropbear does of commands that it has run. */
  refusesExec?: boolean;
  hostKey?: KeyPair;
  /** Opens streams to other machines, as a bastion does. */
  forwards?: boolean;
};

export type Counts = {
  connections: number;
  authenticated: number;
  authRequests: string[];
  sessions: number;
  refused: number;
  commands: string[];
  overlapping: number;
  signals: string[];
  /** Streams to other machines, `address:port`. */
  forwarded: string[];
};

export type SshServer = {
  port: number;
  fingerprint: string;
  hostKey: KeyPair;
  clientKey: KeyPair;
  counts: Counts;
  /** Resolves when a condition on the counts holds. */
  until(holds: (counts: Counts) => boolean): Promise<void>;
  /** Cuts every connection without a goodbye. */
  cut(): void;
  /** The link goes silent: TCP stays up, nothing is read or answered any more. */
  silence(): void;
  openConnections(): number;
  close(): Promise<void>;
};

export { generateKeyPair as generateKey };

/** The base64 part of a public key line. */
export function publicBlob({ public: line }: KeyPair): Buffer {
  return Buffer.from(line.split(" ")[1] ?? "", "base64");
}

export async function startSshServer(options: ServerOptions = {}): Promise<SshServer> {
  const { software } = options;
  const hostKey = options.hostKey ?? generateKeyPair();
  const clientKey = generateKeyPair();
  const authorized = (options.authorized ?? [clientKey.public]).map((line) =>
    publicBlob({ private: "", public: line }),
  );
  const counts: Counts = {
    connections: 0,
    authenticated: 0,
    authRequests: [],
    sessions: 0,
    refused: 0,
    commands: [],
    overlapping: 0,
    signals: [],
    forwarded: [],
  };
  const sockets = new Set<Socket>();
  const children = new Set<ChildProcess>();
  const waiters = new Set<() => void>();
  const changed = () => {
    for (const waiter of waiters) waiter();
  };
  let running = 0;

  const server = new ssh2.Server(
    { hostKeys: [hostKey.private], ...(software === undefined ? {} : { ident: software }) },
    (client: Connection) => {
      let sessions = 0;
      client.on("error", () => {});
      client.on("authentication", (attempt) => {
        counts.authRequests.push(attempt.method);
        const isKnown = attempt.method === "publickey" && authorized.some((blob) => blob.equals(attempt.key.data));
        if (attempt.method !== "publickey" || !isKnown) return attempt.reject(["publickey"]);
        if (attempt.signature === undefined) {
          counts.authRequests.push("probe");
          return attempt.accept();
        }
        const key = ssh2.utils.parseKey(`${attempt.key.algo} ${attempt.key.data.toString("base64")}`);
        const parsed = Array.isArray(key) ? key[0] : key;
        const isSigned =
          parsed !== undefined &&
          !(parsed instanceof Error) &&
          parsed.verify(attempt.blob, attempt.signature, attempt.hashAlgo);
        return isSigned ? attempt.accept() : attempt.reject();
      });
      client.on("ready", () => {
        counts.authenticated += 1;
        changed();
      });
      client.on("tcpip", (accept, reject, { destIP, destPort }) => {
        if (options.forwards !== true) return reject();
        const far = connect(destPort, destIP, () => {
          counts.forwarded.push(`${destIP}:${destPort}`);
          const near = accept();
          near.on("error", () => {});
          near.pipe(far).pipe(near);
          near.on("close", () => far.destroy());
          changed();
        });
        far.on("error", () => reject());
      });
      if (options.ignoresGlobalRequests) client.on("request", () => {});
      client.on("session", (accept, reject) => {
        if (options.neverOpens) return;
        if (sessions >= (options.maxSessions ?? 10)) {
          counts.refused += 1;
          changed();
          return reject();
        }
        sessions += 1;
        counts.sessions += 1;
        serve(accept(), () => (sessions -= 1));
        changed();
      });
    },
  );

  function serve(session: Session, freed: () => void): void {
    let child: ChildProcess | undefined;
    // Both have to happen before sshd gives the slot back.
    let holds = 1;
    const release = () => {
      holds -= 1;
      if (holds === 0) freed();
    };
    session.on("close", release);
    session.on("signal", (_accept, _reject, { name }) => {
      counts.signals.push(name);
      changed();
      if (child?.pid !== undefined && !options.ignoresSignals) process.kill(-child.pid, `SIG${name}` as NodeJS.Signals);
    });
    session.on("exec", (accept, reject, { command }) => {
      if (options.refusesExec) return reject();
      const channel = accept();
      counts.commands.push(command);
      running += 1;
      counts.overlapping = Math.max(counts.overlapping, running);
      changed();
      const ended = () => {
        running -= 1;
        changed();
      };
      if (options.handler !== undefined) {
        session.once("close", ended);
        return options.handler(command, channel);
      }
      holds += 1;
      child = runShell(command, channel, () => {
        ended();
        release();
      });
      children.add(child);
    });
  }

  const tcp = createServer((socket) => {
    counts.connections += 1;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => {
      sockets.delete(socket);
      changed();
    });
    if (counts.connections <= (options.dropFirst ?? 0)) socket.destroy();
    else if (!options.isSilent) server.injectSocket(socket);
    changed();
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));

  return {
    port: (tcp.address() as AddressInfo).port,
    fingerprint: fingerprint(publicBlob(hostKey)),
    hostKey,
    clientKey,
    counts,
    until(holds) {
      if (holds(counts)) return Promise.resolve();
      return new Promise((resolve) => {
        const waiter = () => {
          if (!holds(counts)) return;
          waiters.delete(waiter);
          resolve();
        };
        waiters.add(waiter);
      });
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    silence: () => {
      for (const socket of sockets) socket.removeAllListeners("data").pause();
    },
    openConnections: () => sockets.size,
    async close() {
      for (const child of children) {
        if (child.exitCode === null && child.pid !== undefined) kill(child.pid);
      }
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

function runShell(command: string, channel: ServerChannel, ended: () => void): ChildProcess {
  const child = spawn("/bin/sh", ["-c", command], { detached: true, stdio: ["pipe", "pipe", "pipe"] });
  channel.pipe(child.stdin);
  child.stdin.on("error", () => {});
  channel.on("error", () => {});
  child.stdout.on("data", (chunk: Buffer) => pushed(child.stdout, channel, chunk));
  child.stderr.on("data", (chunk: Buffer) => pushed(child.stderr, channel.stderr, chunk));
  child.on("close", (code, signal) => {
    ended();
    if (signal === null) channel.exit(code ?? 0);
    else channel.exit(signal.replace("SIG", ""));
    channel.end();
  });
  return child;
}

// A window of 0 stops the command itself, as it does with sshd.
function pushed(from: NodeJS.ReadableStream, to: NodeJS.WritableStream, chunk: Buffer): void {
  from.pause();
  to.write(chunk, () => from.resume());
}

function kill(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
