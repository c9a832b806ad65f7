// What stays the same from one `up` to the next: keys, host keys, certificates, machine ids and the token.
//
// All are made once, by their own tools, and kept in the lab's folder. Nothing here is secret beyond this machine:
// they open nothing but the lab.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must } from "./process.ts";

export type Place = { name: string; address: string };

/** The hosts a lab can have. */
export const places: readonly Place[] = [
  { name: "nexus", address: "127.0.0.11" },
  { name: "atlas", address: "127.0.0.12" },
  { name: "vega", address: "127.0.0.13" },
];

export type Key = { path: string; fingerprint: string; publicLine: string };

export type HostIdentity = {
  hostKey: Key;
  machineId: string;
  certificate: { key: string; certificate: string };
};

/** A file of the lab that is made by `text` once and read ever after. */
export function onceFile(path: string, text: () => string): string {
  if (!existsSync(path)) writeFileSync(path, text(), { mode: 0o600 });
  return readFileSync(path, "utf8").trim();
}

/** The token Alertmanager shows to Medic: 32 random bytes. */
export function token(folder: string): { path: string; value: string } {
  const path = join(folder, "medic.token");
  return { path, value: onceFile(path, () => `${randomBytes(32).toString("base64url")}\n`) };
}

/** An ed25519 key pair in the lab's key folder. */
export async function keyPair(folder: string, name: string): Promise<Key> {
  const keys = join(folder, "keys");
  mkdirSync(keys, { recursive: true });
  chmodSync(keys, 0o700);
  const path = join(keys, name);
  if (!existsSync(`${path}.pub`)) {
    await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", `lab-${name}`, "-f", path]);
  }
  const listing = await must(["ssh-keygen", "-l", "-E", "sha256", "-f", `${path}.pub`]);
  const fingerprint = listing.split(" ")[1];
  if (!fingerprint?.startsWith("SHA256:"))
    throw new Error(`Cannot read the fingerprint of "${path}": got "${listing}"`);
  return { path, fingerprint, publicLine: readFileSync(`${path}.pub`, "utf8").trim() };
}

/** All by which a host proves who it is. */
export async function hostIdentity(folder: string, { name, address }: Place): Promise<HostIdentity> {
  const hostKey = await keyPair(folder, `${name}_host_ed25519`);
  const file = (suffix: string) => join(folder, "keys", `${name}${suffix}`);
  const machineId = onceFile(file(".machine-id"), () => `${randomBytes(16).toString("hex")}\n`);
  const [key, certificate] = [file(".tls.key"), file(".tls.crt")];
  if (!existsSync(certificate)) {
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=IP:${address},DNS:${name}`];
    const elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await must([
      "openssl",
      "req",
      "-x509",
      ...elliptic,
      "-days",
      "3650",
      ...subject,
      "-keyout",
      key,
      "-out",
      certificate,
    ]);
  }
  return { hostKey, machineId, certificate: { key, certificate } };
}

/** A known_hosts line for a host's key. */
export function knownHostsLine({ address }: Place, port: number, { publicLine }: Key): string {
  return `[${address}]:${port} ${publicLine.split(" ").slice(0, 2).join(" ")}\n`;
}
