// What ssh2 can do but does not offer: sign in the first authentication message, and open a channel without sending the
// command yet. Everything here asks first whether this ssh2 is the one it was written for; `undefined` means "do it the
// public way", which is slower and knows less, but right.
import { createSecretKey } from "node:crypto";
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
  channelClose(channel: number): void;
  authPK(
    user: string,
    key: ParsedKey,
    algorithm: string,
    sign: (data: Buffer, done: (signature: Buffer) => void) => void,
  ): void;
};
type Outgoing = { outgoing: { id: number; state: string } };
type Channels = { add(waiting: Opened & { type: string }): number };
type Inside = { protocol: Protocol; channels: Channels };

function inside(client: Client): Inside | undefined {
  if (ssh2Package.version !== knownVersion) return undefined;
  const { _protocol, _chanMgr } = client as unknown as { _protocol?: Partial<Protocol>; _chanMgr?: Partial<Channels> };
  const isWhole =
    typeof _protocol?.session === "function" &&
    typeof _protocol.exec === "function" &&
    typeof _protocol.channelClose === "function" &&
    typeof _protocol.authPK === "function" &&
    typeof _chanMgr?.add === "function";
  return isWhole ? { protocol: _protocol as Protocol, channels: _chanMgr as Channels } : undefined;
}

/** How the server calls itself, e.g. `OpenSSH_9.2p1`; empty when this ssh2 is another one. */
export function serverSoftware(client: Client): string {
  const { _remoteVer } = client as unknown as { _remoteVer?: unknown };
  return inside(client) !== undefined && typeof _remoteVer === "string" ? _remoteVer : "";
}

/** Servers that were seen to take what is sent before they have answered the service request. */
const takesEarly = /^(OpenSSH|dropbear)_/;

/**
 * Sends the signature without the question whether the host would take this key, which saves a round trip; and, where the
 * host is known to bear it, without waiting for the answer to the service request, which saves another.
 */
export class FirstSignature {
  readonly #client: Client;
  readonly #user: string;
  readonly #key: ParsedKey;
  #isSent = false;

  constructor(client: Client, user: string, key: ParsedKey) {
    this.#client = client;
    this.#user = user;
    this.#key = key;
  }

  /** For ssh2's authHandler, which goes on as usual when the host refuses. `undefined` when this ssh2 is another one. */
  method(): object | undefined {
    if (inside(this.#client) === undefined) return undefined;
    return { type: "agent", username: this.#user, agent: new SigningAgent(() => this.#send()) };
  }

  /** To be called when the service request has just been sent. False when the signature will be sent in its turn. */
  sendAhead(): boolean {
    if (!takesEarly.test(serverSoftware(this.#client))) return false;
    try {
      this.#send();
    } catch {
      // Nothing has left; in its turn it is told what is wrong.
    }
    return this.#isSent;
  }

  #send(): void {
    if (this.#isSent) return;
    const protocol = inside(this.#client)?.protocol;
    if (protocol === undefined) throw new Error("the connection is gone");
    // RSA signs with SHA-2 (RFC 8332); hosts that know only SHA-1 refuse, and the public way is tried next.
    const [algorithm, hash] = this.#key.type === "ssh-rsa" ? ["rsa-sha2-256", "sha256"] : [this.#key.type, undefined];
    protocol.authPK(this.#user, this.#key, algorithm, (data, signed) => signed(signature(this.#key, data, hash)));
    this.#isSent = true;
  }
}

// ssh2 takes an agent's identities later and probes with each. This one answers the question by sending the signed
// request itself, if that has not left yet, and never calls back: ssh2 then waits for the host's verdict, and without
// identities goes on.
class SigningAgent extends ssh2.BaseAgent {
  readonly #send: () => void;

  constructor(send: () => void) {
    super();
    this.#send = send;
  }

  getIdentities(done: (error: Error) => void): void {
    try {
      this.#send();
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

/**
 * ssh2 makes a cipher of each packet out of the raw key, and Node takes four times as long to look at one as at a key
 * object. To be called after each handshake: every one has keys of its own.
 */
export function keepKeys(client: Client): void {
  if (inside(client) === undefined) return;
  const { _cipher, _decipher } = (client as unknown as { _protocol: { _cipher?: object; _decipher?: object } })
    ._protocol;
  for (const cipher of [_cipher, _decipher]) keepKey(cipher as Record<string, unknown> | undefined);
}

function keepKey(cipher: Record<string, unknown> | undefined): void {
  for (const name of ["_encKey", "_decipherKey"]) {
    const key = cipher?.[name];
    if (cipher !== undefined && key instanceof Uint8Array) cipher[name] = createSecretKey(key);
  }
}

/** Whether a channel can be opened without its command. */
export function canOpenSession(client: Client): boolean {
  return inside(client) !== undefined;
}

/**
 * Whether a session channel may be asked for before the host has said that the login succeeded: OpenSSH keeps such a
 * request and answers it after the login, or says after a refused one that it does not know it. Others hang up.
 */
export function canOpenEarly(client: Client): boolean {
  return serverSoftware(client).startsWith("OpenSSH_");
}

/** Asks for a session channel and sends nothing on it, where `canOpenSession`. */
export function openSession(client: Client, opened: Opened): void {
  const known = inside(client);
  if (known === undefined) throw new Error("the connection is gone");
  const number = known.channels.add(Object.assign(opened, { type: "session" }));
  if (number === -1) throw new Error("no channel number is free");
  known.protocol.session(number, windowBytes, packetBytes);
}

/**
 * From now on our CLOSE of this channel leaves when `later` has it sent, not within the very turn in which the host's
 * arrives. With another ssh2 it leaves at once.
 */
export function holdClose(client: Client, channel: ClientChannel, later: (close: () => void) => void): void {
  const known = inside(client);
  if (known === undefined) return;
  const { outgoing } = channel as unknown as Outgoing;
  channel.close = () => {
    if (outgoing.state !== "open" && outgoing.state !== "eof") return;
    outgoing.state = "closing";
    later(() => known.protocol.channelClose(outgoing.id));
  };
  // The stream destroys itself at its end, and ssh2 would end it once more, which costs an error with its stack each time.
  channel.destroy = () => {
    channel.close();
    return channel;
  };
}

/** Sends the command on a channel from `openSession`. `refused` is called when the host answers that it would not. */
export function execOn(client: Client, channel: ClientChannel, line: string, refused: () => void): void {
  const known = inside(client);
  const { outgoing, _callbacks } = channel as unknown as Outgoing & { _callbacks: ((failed: boolean) => void)[] };
  if (known === undefined || outgoing.state !== "open") throw new Error("the channel is closed");
  _callbacks.push((failed) => {
    if (failed) refused();
  });
  known.protocol.exec(outgoing.id, line, true);
}
