// The texts of a dial that failed: what could not be done, why, and what a person can do about it. Nothing ran.
import { DialDropped, TransportError, textOf } from "./errors.ts";
import { fingerprint, keyType, type HostKeyRules, type HostKeyVerdict } from "./host-key.ts";
import { publicLine, type Credentials } from "./ssh-authentication.ts";

type Target = { host: string; address: string; port: number; credentials: Credentials; dialTimeoutSeconds: number };

export function dialTimeout({ host, address, port, dialTimeoutSeconds }: Target): TransportError {
  const text = `Cannot connect to "${host}": ${address}:${port} did not finish the SSH handshake within ${dialTimeoutSeconds} s. Is the host up, and the network between?`;
  return new TransportError("DialTimeout", host, text);
}

export function dialFailed({ host, address, port }: Target, error: unknown): TransportError {
  return new TransportError("DialFailed", host, `Cannot connect to "${host}" at ${address}:${port}: ${textOf(error)}`);
}

export function dialDropped({ host, address, port }: Target): TransportError {
  const text = `Cannot connect to "${host}" at ${address}:${port}: it hung up before the handshake. Too many logins at once (MaxStartups), or a firewall?`;
  return new DialDropped(host, text);
}

export function dialCalledOff({ host }: Target): TransportError {
  return new TransportError("Closed", host, `Cannot connect to "${host}": Medic is shutting down`);
}

/** A hop on the way failed; its own words say why. Never with the hop's own kind: that would be taken for the host's. */
export function hopFailed(host: string, jump: string, error: unknown): TransportError {
  const kind = error instanceof TransportError && error.kind === "DialTimeout" ? "DialTimeout" : "DialFailed";
  return new TransportError(kind, host, `Cannot connect to "${host}" through "${jump}": ${textOf(error)}`);
}

export function hopTimeout(host: string, jump: string, withinSeconds: number): TransportError {
  const text = `Cannot connect to "${host}": "${jump}" gave no way to it within ${withinSeconds} s. Is "${jump}" up, and can it reach the host?`;
  return new TransportError("DialTimeout", host, text);
}

export function hopRefused(host: string, jump: string, to: string, why: string): TransportError {
  const text = `Cannot connect to "${host}": "${jump}" opens no way to ${to}: ${why}. Is the host up, and does AllowTcpForwarding in sshd_config of "${jump}" allow it?`;
  return new TransportError("DialFailed", host, text);
}

export function hungUp(target: Target, tried: readonly string[]): TransportError {
  if (tried.length > 0) return notAuthenticated(target, tried);
  return dialFailed(target, new Error("the host hung up during the handshake"));
}

export function notAuthenticated({ host, address, credentials }: Target, tried: readonly string[]): TransportError {
  const { user, key } = credentials;
  const why =
    tried.length === 0
      ? "there is neither an identity nor an agent to log in with"
      : `it refused ${tried.join(" and ")}`;
  const todo =
    key === undefined
      ? `Set hosts.${host}.identity`
      : `Add the public key to ~${user}/.ssh/authorized_keys there: ${publicLine(key.parsed)}`;
  return new TransportError(
    "AuthenticationFailed",
    host,
    `Cannot log in to "${host}" (${address}) as "${user}": ${why}. ${todo}`,
  );
}

/** Undefined when the key is trusted. */
export function hostKey(
  host: string,
  key: Buffer,
  verdict: HostKeyVerdict,
  { pin }: HostKeyRules,
): TransportError | undefined {
  const offered = fingerprint(key);
  const seen = `"${offered}" (${keyType(key)})`;
  const wrong = (text: string) =>
    new TransportError("HostKeyMismatch", host, `Cannot connect to "${host}": ${text}`, { offered, offeredKey: key });
  switch (verdict.is) {
    case "trusted":
      return undefined;
    case "revoked":
      return wrong(`its host key ${seen} is marked @revoked in known_hosts. Do not trust this machine`);
    case "unknown":
      return wrong(
        `its host key ${seen} is not known. Compare it with ssh-keygen -lf on the host's own key in /etc/ssh, then run medic trust ${host}, or set hosts.${host}.hostKey: "${offered}"`,
      );
    default: {
      const todo =
        pin === undefined
          ? `If you rebuilt the host, run medic trust ${host} --replace, or remove its old lines from known_hosts and set hosts.${host}.hostKey: "${offered}"`
          : `If you rebuilt the host, run medic trust ${host} --replace, or set hosts.${host}.hostKey: "${offered}"`;
      return wrong(
        `host key changed, expected ${verdict.expected.map((one) => `"${one}"`).join(" or ")}, it offered ${seen}. ${todo}; if you did not, somebody may be answering in its place`,
      );
    }
  }
}
