// The signature of a link: it stands for the right to answer one approval, and covers the incident, the host, the exact
// commands (all in the approval's digest) and the time at which the question ends. Works once because an approval does.
import { createHmac, timingSafeEqual } from "node:crypto";

/** What a signature covers. */
export type Signed = { id: string; digest: string; expiresAt: string };

export type Signatures = {
  of(approval: Signed): string;
  isOf(approval: Signed, signature: string): boolean;
};

/** `key`: 32 random bytes that nobody else has. */
export function createSignatures(key: Uint8Array): Signatures {
  const sign = ({ id, digest, expiresAt }: Signed): Buffer =>
    createHmac("sha256", key)
      .update(JSON.stringify(["medic approval link", 1, id, digest, expiresAt]))
      .digest();
  return {
    of: (approval) => sign(approval).toString("base64url"),
    isOf(approval, signature) {
      const presented = Buffer.from(signature, "base64url");
      const expected = sign(approval);
      return presented.length === expected.length && timingSafeEqual(presented, expected);
    },
  };
}

/** Where a phone finds the question; `publicUrl` as in hosts.yaml. */
export function linkTo(publicUrl: string, signatures: Signatures, approval: Signed): string {
  return `${publicUrl.replace(/\/+$/, "")}/a/${approval.id}/${signatures.of(approval)}`;
}
