// The private key of a host as doctor looks at it: is it there, may it be read, by whom, and does it open. Knows neither
// hosts nor connections.
import { readFile, stat } from "node:fs/promises";
import ssh2, { type ParsedKey } from "ssh2";
import { signingFault } from "./ssh-authentication.ts";

export type KeyFile =
  | { is: "usable" }
  | { is: "missing" }
  | { is: "unreadable"; why: string }
  | { is: "exposed"; mode: string }
  | { is: "locked" }
  | { is: "wrong-passphrase" }
  | { is: "public" }
  | { is: "cannot-sign"; why: string }
  | { is: "no-key"; why: string };

/** Looks at a private key file. Never rejects. */
export async function inspectKey(path: string, passphrase: string | undefined): Promise<KeyFile> {
  let text: Buffer;
  let mode: number;
  try {
    mode = (await stat(path)).mode & 0o777;
    text = await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? { is: "missing" } : { is: "unreadable", why: message };
  }
  if (/^(ssh|ecdsa|sk)-\S+ AAAA/.test(text.toString("latin1", 0, 200))) return { is: "public" };
  const key = parsed(text, passphrase);
  if (key instanceof Error) {
    if (/no passphrase given/i.test(key.message)) return { is: "locked" };
    // With a passphrase given, OpenSSH's format tells a wrong one only by what comes out being no key.
    if (passphrase !== undefined && /passphrase|integrity|decrypt/i.test(key.message))
      return { is: "wrong-passphrase" };
    return { is: "no-key", why: key.message };
  }
  const fault = signingFault(key);
  if (fault !== undefined) return { is: "cannot-sign", why: fault };
  return (mode & 0o077) === 0 ? { is: "usable" } : { is: "exposed", mode: mode.toString(8) };
}

function parsed(text: Buffer, passphrase: string | undefined): ParsedKey | Error {
  try {
    const key: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text, passphrase);
    return Array.isArray(key) ? (key[0] ?? new Error("it holds no key")) : key;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
