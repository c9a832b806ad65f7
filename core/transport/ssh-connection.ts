// One SSH connection: the product's only use of ssh2's client. Dials, proves the host, authenticates, opens channels.
// Refuses to know queues, slots and deadlines: the link has those. Drives everything from `close`, since ssh2 may leave
// out `end`, `error` and `exit`.
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import ssh2, { type Client, type ClientChannel } from "ssh2";
import type { Channel, Connection } from "./connection.ts";
import { OpenRefused, LinkLost, TransportError, textOf } from "./errors.ts";
import { fingerprint, hostKeyAlgorithms, judgeHostKey, type HostKeyRules } from "./host-key.ts";
import { joinWrites, type JoinedWrites } from "./joined-writes.ts";
import { authentication, type Credentials } from "./ssh-authentication.ts";
import { askNothing, SshChannel, type Carrier } from "./ssh-channel.ts";
import { SshCloses } from "./ssh-closes.ts";
import { canOpenEarly, canOpenSession, keepKeys, openSession, serverSoftware } from "./ssh2-internals.ts";
import * as refusal from "./dial-refusals.ts";

export type SshTarget = {
  host: string;
  address: string;
  port: number;
  credentials: Credentials;
  hostKey: HostKeyRules;
  dialTimeoutSeconds: number;
  /** A first channel may be asked for together with the login. */
  opensAhead: boolean;
};

type SshError = Error & { level?: string; code?: string | number };

/** A dropped goodbye must not keep a process alive. */
const goodbyeSeconds = 2;

/**
 * Rejects with a TransportError that says what to do; the socket is gone then. `through`: a stream that leads to the
 * host already, in place of a socket of its own.
 */
export function dialSsh(target: SshTarget, signal: AbortSignal, through?: Duplex): Promise<Connection> {
  if (signal.aborted) {
    through?.destroy();
    return Promise.reject(refusal.dialCalledOff(target));
  }
  const { host, address, port } = target;
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  const client = new ssh2.Client();
  const socket = through ?? connect({ host: address, port, noDelay: true });
  const writes = joinWrites(socket);
  const auth = authentication(client, target.credentials);
  let offered = "";
  let refused: TransportError | undefined;
  let early: Promise<ClientChannel> | undefined;

  const calledOff = () => fail(refusal.dialCalledOff(target));
  const fail = (error: TransportError) => {
    signal.removeEventListener("abort", calledOff);
    reject(error);
    socket.destroy();
  };
  client.on("error", (error: SshError) => {
    if (error.level === "agent") auth.broke(error.message);
    else fail(refused ?? dialError(target, error, auth.tried()));
  });
  client.on("close", () => fail(refused ?? refusal.hungUp(target, auth.tried())));
  signal.addEventListener("abort", calledOff, { once: true });
  client.on("handshake", () => keepKeys(client));
  // ssh2 sends the service request right after it has told of the handshake: all three leave together.
  client.once("handshake", () =>
    process.nextTick(() => {
      const isSigned = auth.signAhead();
      // After a refusal the host would never answer, so only where a refusal is the end.
      if (isSigned && auth.isOneWay && target.opensAhead && canOpenEarly(client)) early = openEarly(client);
    }),
  );
  client.once("ready", () => {
    signal.removeEventListener("abort", calledOff);
    client.removeAllListeners("error").removeAllListeners("close");
    resolve(new SshConnection({ client, socket, writes, address: `${address}:${port}`, fingerprint: offered, early }));
  });
  try {
    client.connect({
      sock: socket,
      username: target.credentials.user,
      readyTimeout: target.dialTimeoutSeconds * 1000,
      algorithms: { serverHostKey: hostKeyAlgorithms(target.hostKey) },
      hostVerifier: (key: Buffer) => {
        offered = fingerprint(key);
        refused = refusal.hostKey(host, key, judgeHostKey(key, target.hostKey), target.hostKey);
        return refused === undefined;
      },
      authHandler: auth.next,
    });
  } catch (error) {
    fail(new TransportError("DialFailed", host, `Cannot connect to "${host}": ${textOf(error)}`));
  }
  return promise;
}

/** Nothing can be sent on it yet; it rejects, like any other, when the connection goes away. */
function openEarly(client: Client): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  // Whoever opens the first channel learns of it.
  promise.catch(() => {});
  openSession(client, (error, channel) => (error === undefined ? resolve(channel) : reject(openError(error))));
  return promise;
}

function dialError(target: SshTarget, error: SshError, tried: readonly string[]): TransportError {
  if (error.level === "client-timeout") return refusal.dialTimeout(target);
  const isDropped = error.message === "Connection lost before handshake" || error.code === "ECONNRESET";
  if (isDropped && tried.length === 0) return refusal.dialDropped(target);
  const isAuthentication = error.level === "client-authentication" || /authentication failures/i.test(error.message);
  return isAuthentication ? refusal.notAuthenticated(target, tried) : refusal.dialFailed(target, error);
}

type Dialed = {
  client: Client;
  socket: Duplex;
  writes: JoinedWrites;
  address: string;
  fingerprint: string;
  early: Promise<ClientChannel> | undefined;
};

class SshConnection implements Connection {
  readonly address: string;
  readonly fingerprint: string;
  readonly gone: Connection["gone"];
  readonly channelsMax?: number;
  readonly opensAhead: boolean;
  readonly #client: Client;
  readonly #socket: Duplex;
  readonly #closes: SshCloses;
  readonly #carrier: Carrier;
  /** The first channel, asked for together with the login. */
  #early: Promise<ClientChannel> | undefined;
  #answers = 0;
  #isEnding = false;

  constructor({ client, socket, writes, address, fingerprint: hostFingerprint, early }: Dialed) {
    this.#early = early;
    this.#client = client;
    this.#socket = socket;
    this.#closes = new SshCloses((answered) => askNothing(client, answered));
    this.#carrier = { client, closes: this.#closes, hurry: writes.hurry };
    this.address = address;
    this.fingerprint = hostFingerprint;
    // Two commands at once kill a connection to dropbear.
    const isDropbear = serverSoftware(client).startsWith("dropbear");
    if (isDropbear) this.channelsMax = 1;
    // Waiting channels kill a connection to dropbear too, also where the owner allows more of them.
    this.opensAhead = canOpenSession(client) && !isDropbear;
    this.gone = this.#watch();
  }

  open(): Promise<Channel> {
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) return early.then((channel) => new SshChannel(this.#carrier, channel));
    const { promise, resolve, reject } = Promise.withResolvers<Channel>();
    let isOver = () => {};
    const opened = (error: (Error & { reason?: unknown }) | undefined, channel: ClientChannel) => {
      isOver();
      if (error === undefined) resolve(new SshChannel(this.#carrier, channel));
      else reject(openError(error));
    };
    try {
      if (this.#isEnding || !this.#socket.writable) throw new Error("the connection is closed");
      // Without the split, ssh2 opens and sends in one go, and the first that is known is how the command went.
      if (!canOpenSession(this.#client)) resolve(new SshChannel(this.#carrier));
      else {
        isOver = this.#closes.ahead();
        openSession(this.#client, opened);
      }
    } catch (error) {
      reject(new LinkLost(textOf(error), false));
    }
    return promise;
  }

  forward(address: string, port: number): Promise<Duplex> {
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
    try {
      if (this.#isEnding || !this.#socket.writable) throw new Error("the connection is closed");
      this.#client.forwardOut("127.0.0.1", 0, address, port, (error, stream) => {
        if (error === undefined) resolve(stream);
        else reject(openError(error));
      });
    } catch (error) {
      reject(new LinkLost(textOf(error), false));
    }
    return promise;
  }

  probe(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    try {
      askNothing(this.#client, () => {
        this.#answers += 1;
        resolve();
      });
    } catch (error) {
      reject(new LinkLost(textOf(error), false));
    }
    return promise;
  }

  heard(): number {
    // A stream through another host counts no bytes.
    const { bytesRead } = this.#socket as Duplex & { bytesRead?: number };
    return (bytesRead ?? 0) + this.#answers;
  }

  cut(): void {
    this.#socket.destroy();
  }

  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#client.end();
    const timer = setTimeout(() => this.#socket.destroy(), goodbyeSeconds * 1000);
    this.#client.once("close", () => clearTimeout(timer));
  }

  #watch(): Connection["gone"] {
    const { promise, resolve } = Promise.withResolvers<Awaited<Connection["gone"]>>();
    let why = "the host closed the connection";
    // Without a listener an error would end the process; what matters is the `close` that follows.
    this.#client.on("error", (error: SshError) => {
      why = textOf(error);
    });
    this.#client.on("close", () => {
      if (this.#isEnding) resolve({ reason: "ended", why: "closed by us" });
      else resolve({ reason: "lost", why });
    });
    return promise;
  }
}

// ssh2 gives a `reason` only for the host's own "no"; without one the connection went away under the question.
function openError(error: Error & { reason?: unknown }): Error {
  return typeof error.reason === "number" ? new OpenRefused(error.message) : new LinkLost(error.message, false);
}
