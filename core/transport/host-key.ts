// Whether the machine that answered is the one hosts.yaml means: its key against a pinned fingerprint or known_hosts.
// Pure: reads no file and opens no connection. Nothing is ever learned on first use; a person decides that.
import { createHash, createHmac } from "node:crypto";

export type HostKeyRules = {
  address: string;
  port: number;
  /** `SHA256:…`; when set it alone decides. */
  pin?: string | undefined;
  /** The text of a known_hosts file. */
  knownHosts: string;
};

/** No key has this fingerprint, since it is no hash: whoever pins it sees what is offered and trusts nothing. */
export const impossiblePin = "SHA256:";

export type HostKeyVerdict =
  | { is: "trusted" }
  | { is: "unknown" }
  | { is: "changed"; expected: readonly string[] }
  | { is: "revoked" };

/** As `ssh-keygen -l` prints it. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** The key's type as it names itself, e.g. `ssh-ed25519`. */
export function keyType(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return key.toString("latin1", 4, 4 + Math.min(length, 64));
}

export function judgeHostKey(key: Buffer, rules: HostKeyRules): HostKeyVerdict {
  const offered = fingerprint(key);
  if (rules.pin !== undefined) {
    const pinned = rules.pin.replace(/=+$/, "");
    return pinned === offered ? { is: "trusted" } : { is: "changed", expected: [pinned] };
  }
  const entries = entriesFor(rules);
  const same = entries.filter((entry) => entry.key.equals(key));
  if (same.some((entry) => entry.marker === "@revoked")) return { is: "revoked" };
  if (same.length > 0) return { is: "trusted" };
  const expected = entries.filter((entry) => entry.marker === "").map((entry) => fingerprint(entry.key));
  return expected.length === 0 ? { is: "unknown" } : { is: "changed", expected };
}

const algorithms = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
] as const;
export type HostKeyAlgorithm = (typeof algorithms)[number];

/** Which host key to ask for: the known types first, or a host with several keys would look changed. */
export function hostKeyAlgorithms(rules: HostKeyRules): HostKeyAlgorithm[] {
  const known = rules.pin === undefined ? entriesFor(rules).map((entry) => keyType(entry.key)) : [];
  const isKnown = (algorithm: string) => known.includes(algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
  return [...algorithms.filter(isKnown), ...algorithms.filter((algorithm) => !isKnown(algorithm))];
}

type Entry = { marker: "" | "@revoked"; key: Buffer };

function entriesFor({ address, port, knownHosts }: HostKeyRules): Entry[] {
  const name = port === 22 ? address.toLowerCase() : `[${address.toLowerCase()}]:${port}`;
  return knownHosts.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith("@") ? fields.shift() : "";
    const [names, , encoded] = fields;
    // Certificate authorities are not supported: such a line makes nothing known.
    if (names === undefined || encoded === undefined || names.startsWith("#")) return [];
    if (marker !== "" && marker !== "@revoked") return [];
    return isMeant(names, name) ? [{ marker, key: Buffer.from(encoded, "base64") }] : [];
  });
}

function isMeant(names: string, name: string): boolean {
  if (names.startsWith("|")) return isHashOf(names, name);
  const patterns = names.toLowerCase().split(",");
  const negated = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  if (negated.some((pattern) => matchesPattern(pattern, name))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && matchesPattern(pattern, name));
}

// HashKnownHosts: |1|base64(salt)|base64(HMAC-SHA1(salt, name)).
function isHashOf(hashed: string, name: string): boolean {
  const [, version, salt, hash] = hashed.split("|");
  if (version !== "1" || salt === undefined || hash === undefined) return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

function matchesPattern(pattern: string, name: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(name);
}
