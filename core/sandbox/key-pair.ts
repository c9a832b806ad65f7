// New Ed25519 keys for one run. ssh2 drops leading zero bytes of the public half when it writes a key, so that one in 256
// comes out unreadable; such a one is thrown away here.
import ssh2 from "ssh2";

export type KeyPair = { private: string; public: string };
type Options = { comment?: string; passphrase?: string; cipher?: "aes256-ctr"; rounds?: number };

/** As OpenSSH writes them: the private key's file, and the line for authorized_keys. */
export function generateKeyPair(options: Options = {}): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519", options);
    if (!(ssh2.utils.parseKey(pair.private, options.passphrase) instanceof Error)) return pair;
  }
}
