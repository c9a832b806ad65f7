// What ssh2 can do but does not offer: sign in the first authentication message, and open a channel without sending the
// command yet. Everything here asks first whether this ssh2 is the one it was written for; `undefined` means "do it the
// public way", which is slower and knows less, but right.
import ssh2, { type Client, type ClientChannel, type ParsedKey } from "ssh2";
import ssh2Package from "ssh2/package.json" with { type: "json" };

/** The release whose insides are known. Another one gets the public way until somebody has read it. */
const knownVersion = "1.17.0";

const windowBytes = 2 * 1024 * 1024;
const packetBytes = 32 * 1024;

type Opened = (error: Error | undefined, channel: ClientChannel) => void;
type Protocol = {
  session(channel: number, windowBytes: number, packetBytes: number): void;
  exec(channel: number, line: string, wantReply: boolean): void;
  authPK(
    user: string,
    key: ParsedKey,
    algorithm: string,
    sign: (data: Buffer, done: (signature: Buffer) => void) => void,
  ): void;
};
type Channels = { add(waiting: Opened & { type: string }): number };
type Inside = { protocol: Protocol; channels: Channels };

function inside(client: Client): Inside | undefined {
  if (ssh2Package.version !== knownVersion) return undefined;
  const { _protocol, _chanMgr } = client as unknown as { _protocol?: Partial<Protocol>; _chanMgr?: Partial<Channels> };
  const isWhole =
    typeof _protocol?.session === "function" &&
    typeof _protocol.exec === "function" &&
    typeof _protocol.authPK === "function" &&
    typeof _chanMgr?.add === "function";
  return isWhole ? { protocol: _protocol as Protocol, channels: _chanMgr as Channels } : undefined;
}

/** How the server calls itself, e.g. `OpenSSH_9.2p1`; empty when this ssh2 is another one. */
export function serverSoftware(client: Client): string {
  const { _remoteVer } = client as unknown as { _remoteVer?: unknown };
  return inside(client) !== undefined && typeof _remoteVer === "string" ? _remoteVer : "";
}

/**
 * An authentication method that sends the signature at once, saving the round trip of "would you take this key?".
 * `undefined` when this ssh2 is another one; when the host refuses it, ssh2 asks for the next method as usual.
 */
export function signFirst(client: Client, user: string, key: ParsedKey): object | undefined {
  const isKnown = inside(client) !== undefined;
  return isKnown ? { type: "agent", username: user, agent: new SigningAgent(client, user, key) } : undefined;
}

// ssh2 takes an agent's identities later and probes with each. This one answers the question by sending the signed
// request itself and never calls back: ssh2 then waits for the host's verdict, and without identities goes on.
class SigningAgent extends ssh2.BaseAgent {
  readonly #client: Client;
  readonly #user: string;
  readonly #key: ParsedKey;

  constructor(client: Client, user: string, key: ParsedKey) {
    super();
    this.#client = client;
    this.#user = user;
    this.#key = key;
  }

  getIdentities(done: (error: Error) => void): void {
    const protocol = inside(this.#client)?.protocol;
    if (protocol === undefined) return done(new Error("the connection is gone"));
    // RSA signs with SHA-2 (RFC 8332); hosts that know only SHA-1 refuse, and the public way is tried next.
    const [algorithm, hash] = this.#key.type === "ssh-rsa" ? ["rsa-sha2-256", "sha256"] : [this.#key.type, undefined];
    try {
      protocol.authPK(this.#user, this.#key, algorithm, (data, signed) => signed(signature(this.#key, data, hash)));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  sign(): void {
    throw new Error("Cannot sign for an identity: this agent offers none");
  }
}

function signature(key: ParsedKey, data: Buffer, hash: string | undefined): Buffer {
  const signed: Buffer | Error = key.sign(data, hash);
  if (signed instanceof Error) throw signed;
  return signed;
}

/** Whether a channel can be opened without its command. */
export function canOpenSession(client: Client): boolean {
  return inside(client) !== undefined;
}

/** Asks for a session channel and sends nothing on it. False when this ssh2 is another one. */
export function openSession(client: Client, opened: Opened): boolean {
  const known = inside(client);
  if (known === undefined) return false;
  const number = known.channels.add(Object.assign(opened, { type: "session" }));
  if (number === -1) throw new Error("no channel number is free");
  known.protocol.session(number, windowBytes, packetBytes);
  return true;
}

/** Sends the command on a channel from `openSession`. `refused` is called when the host answers that it would not. */
export function execOn(client: Client, channel: ClientChannel, line: string, refused: () => void): void {
  const known = inside(client);
  const { outgoing, _callbacks } = channel as unknown as {
    outgoing: { id: number; state: string };
    _callbacks: ((failed: boolean) => void)[];
  };
  if (known === undefined || outgoing.state !== "open") throw new Error("the channel is closed");
  _callbacks.push((failed) => {
    if (failed) refused();
  });
  known.protocol.exec(outgoing.id, line, true);
}
