// Tokens: who may speak to Medic, and what about. Made at random, shown once, kept as SHA-256; a presented one is compared
// with each in constant time, so that neither the answer nor its timing says how close it came.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** `intake` brings alerts, `read` looks, `operate` makes Medic do something. */
export const roles = ["intake", "read", "operate"] as const;
export type Role = (typeof roles)[number];

/** As hosts.yaml keeps it. */
export type Token = { name: string; sha256: string; roles: readonly Role[] };

/** `token` is shown once; `sha256` goes into hosts.yaml. */
export function newToken(): { token: string; sha256: string } {
  // 256 random bits: nothing to guess, so no slow hash is needed. The prefix lets secret scanners find a leaked one.
  const token = `medic_${randomBytes(32).toString("base64url")}`;
  return { token, sha256: sha256Of(token).toString("hex") };
}

/** Whose token this is. */
export function ownerOf(presented: string, tokens: readonly Token[]): Token | undefined {
  const hash = sha256Of(presented);
  let owner: Token | undefined;
  // All are compared, always: the time does not tell which one it was.
  for (const token of tokens) {
    const expected = Buffer.from(token.sha256, "hex");
    if (expected.length === hash.length && timingSafeEqual(hash, expected)) owner ??= token;
  }
  return owner;
}

/** The token in an Authorization header: `Bearer <token>`, or `Basic` with the token as password and any user. */
export function presentedToken(header: string | undefined): string | undefined {
  const [, scheme = "", value = ""] = /^(\S+) +(\S+) *$/.exec(header ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() !== "basic") return undefined;
  const decoded = Buffer.from(value, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  return colon < 0 ? undefined : decoded.slice(colon + 1);
}

function sha256Of(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
