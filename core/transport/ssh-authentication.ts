// The order in which Medic proves who it is: each key signs at once, then the public way where that may mend it, then
// the agent. Never `none`, never a password.
import { readFile } from "node:fs/promises";
import ssh2, { type AuthHandlerMiddleware, type Client, type ParsedKey } from "ssh2";
import { TransportError, textOf } from "./errors.ts";
import { FirstSignature } from "./ssh2-internals.ts";

export type Credentials = {
  user: string;
  key?: { parsed: ParsedKey; path: string };
  /** The socket of an ssh-agent. */
  agentSocket?: string;
};

/** Reads and parses the private key. */
export async function loadKey(host: string, path: string, passphrase: string | undefined): Promise<Credentials["key"]> {
  const cannot = (why: string) =>
    new TransportError("AuthenticationFailed", host, `Cannot connect to "${host}": the key "${path}" ${why}`);
  let text: Buffer;
  try {
    text = await readFile(path);
  } catch (error) {
    throw cannot(`cannot be read: ${textOf(error)}. Set hosts.${host}.identity to a private key that Medic may read`);
  }
  const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text, passphrase);
  if (parsed instanceof Error) {
    if (/no passphrase given/i.test(parsed.message)) {
      throw cannot(`is encrypted: set hosts.${host}.passphraseFile, or use a key without a passphrase`);
    }
    throw cannot(`is no private key that can be used: ${parsed.message}`);
  }
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || !key.isPrivateKey()) throw cannot("is a public key: the identity is the file without .pub");
  const fault = signingFault(key);
  if (fault !== undefined) throw cannot(`cannot sign here: ${fault}. ${otherKey}`);
  return { parsed: key, path };
}

/** What to do about a key that cannot sign. */
export const otherKey = "Make one that every runtime signs with: ssh-keygen -t ed25519 -f ~/.ssh/medic_ed25519";

/**
 * Why a private key cannot sign in this runtime: Deno's crypto takes only some ECDSA keys, and no RSA key out of an
 * encrypted PEM. A trial tells which, before anything is dialed; ed25519 needs none.
 */
export function signingFault(key: Pick<ParsedKey, "type" | "sign">): string | undefined {
  if (key.type === "ssh-ed25519") return undefined;
  try {
    const signed: Buffer | Error = key.sign(Buffer.alloc(32), key.type === "ssh-rsa" ? "sha256" : undefined);
    return signed instanceof Error ? `${key.type}: ${signed.message.split("\n")[0]}` : undefined;
  } catch (error) {
    return `${key.type}: ${textOf(error)}`;
  }
}

export type Authentication = {
  /** ssh2's authHandler. */
  next: AuthHandlerMiddleware;
  /** Signs before it is this way's turn; false where the host may not bear that. */
  signAhead(): boolean;
  /** There is one way to log in: when it fails, all is over. */
  isOneWay: boolean;
  /** The way that is being tried broke on our side; ssh2 goes on to the next one by itself. */
  broke(why: string): void;
  /** For the error's text. */
  tried(): readonly string[];
};

export function authentication(client: Client, { user, key, agentSocket }: Credentials): Authentication {
  const tried: string[] = [];
  const attempts: { method: () => object | undefined; says: string }[] = [];
  const first = key && new FirstSignature(client, user, key.parsed);
  if (key !== undefined) {
    const says = `the key "${key.path}"`;
    let signed: object | undefined;
    attempts.push({ says, method: () => (signed = first?.method()) });
    // ssh2 knows which RSA signatures the host takes; for other keys a second try could only fail again.
    const mayMend = () => signed === undefined || key.parsed.type === "ssh-rsa";
    const plain = { type: "publickey", username: user, key: key.parsed };
    attempts.push({ says, method: () => (mayMend() ? plain : undefined) });
  }
  if (agentSocket !== undefined) {
    const method = { type: "agent", username: user, agent: agentSocket };
    attempts.push({ says: "the keys of the ssh-agent", method: () => method });
  }
  const next = () => {
    for (let attempt = attempts.shift(); attempt !== undefined; attempt = attempts.shift()) {
      const method = attempt.method();
      if (method === undefined) continue;
      if (!tried.includes(attempt.says)) tried.push(attempt.says);
      return method;
    }
    return false;
  };
  const broke = (why: string) => void tried.push(`${tried.pop() ?? "nothing"} (which could not sign: ${why})`);
  const isOneWay = key !== undefined && key.parsed.type !== "ssh-rsa" && agentSocket === undefined;
  return { next, signAhead: () => first?.sendAhead() ?? false, isOneWay, broke, tried: () => tried };
}

/** The line for authorized_keys. */
export function publicLine(key: ParsedKey): string {
  return `${key.type} ${key.getPublicSSH().toString("base64")}`;
}
