// Why doctor could not log in: a key file's state, or the transport's refusal, as checks with the command that mends
// each. Pure.
import type { HostConfig } from "../../config/schema.ts";
import { quote } from "../../transport/quote.ts";
import type { Check } from "./check.ts";
import type { KeyFile } from "../../transport/identity.ts";
import { otherKey } from "../../transport/ssh-authentication.ts";

/** What a key file's state means, and what mends it. */
export function keyMends(key: KeyFile, host: HostConfig): { ok: boolean; says: string; mend?: string } {
  const path = host.identity ?? "";
  const file = quote(path);
  const setting = `hosts.${host.name}`;
  switch (key.is) {
    case "usable":
      return { ok: true, says: path };
    case "missing":
      return {
        ok: false,
        says: `${path} does not exist`,
        mend: `ssh-keygen -t ed25519 -N '' -f ${file} && ${copyId(host)}`,
      };
    case "unreadable":
      return {
        ok: false,
        says: `${path} cannot be read: ${key.why}`,
        mend: `sudo chown "$USER" ${file} && chmod 600 ${file}`,
      };
    case "exposed":
      return { ok: false, says: `others can read ${path} (mode ${key.mode})`, mend: `chmod 600 ${file}` };
    case "locked":
      return {
        ok: false,
        says: `${path} is encrypted, and hosts.yaml has no passphrase`,
        mend: `${setting}.passphraseFile: a file with it; or ssh-keygen -p -N '' -f ${file} takes it off`,
      };
    case "wrong-passphrase":
      return {
        ok: false,
        says: `the passphrase does not open ${path}`,
        mend: `ssh-keygen -y -f ${file} tries one by hand; then correct ${setting}.passphrase`,
      };
    case "public":
      return { ok: false, says: `${path} is a public key`, mend: `${setting}.identity: the file without .pub` };
    case "cannot-sign":
      return { ok: false, says: `${path} cannot sign here: ${key.why}`, mend: otherKey };
    default:
      return {
        ok: false,
        says: `${path} is no private key that can be used: ${key.why}`,
        mend: `ssh-keygen -y -f ${file} says more; a new key: ssh-keygen -t ed25519 -f ~/.ssh/medic_ed25519`,
      };
  }
}

/** What a login that failed tells about address, host key and login. */
export function refusalChecks(host: HostConfig, error: { kind: string; message: string; offered?: string }): Check[] {
  const check = (name: string, ok: Check["ok"], says: string, mend?: string): Check => ({
    host: host.name,
    check: name,
    ok,
    says,
    ...(mend === undefined ? {} : { mend }),
  });
  const address = `${host.address}:${host.port}`;
  const answers = check("address", true, `${address} answers`);
  switch (error.kind) {
    case "DialFailed":
    case "DialTimeout":
      return [check("address", false, whyOnly(error.message), reachMend(host, error.message))];
    case "HostKeyMismatch":
      return [answers, check("host key", false, whyOnly(error.message), hostKeyMend(host, error.offered))];
    case "AuthenticationFailed":
      return [answers, check("host key", true, "trusted"), check("login", false, whyOnly(error.message), copyId(host))];
    case "ChannelRefused":
      return [
        answers,
        check("login", true, `as ${host.user}`),
        check(
          "commands",
          false,
          error.message,
          "on the host: look at MaxSessions in /etc/ssh/sshd_config, and sudo journalctl -t sshd",
        ),
      ];
    default:
      return [check("commands", "unknown", error.message)];
  }
}

/** The report names the host and says what to do in its own place. */
function whyOnly(message: string): string {
  return message.replace(/^Cannot .*?: /s, "").replace(/\. [A-Z].*$/s, "");
}

function copyId(host: HostConfig): string {
  const identity = host.identity === undefined ? "" : `-i ${quote(`${host.identity}.pub`)} `;
  const port = host.port === 22 ? "" : `-p ${host.port} `;
  return `ssh-copy-id ${identity}${port}${quote(`${host.user}@${host.address}`)}`;
}

function reachMend(host: HostConfig, message: string): string {
  if (host.jump !== undefined) return `it is reached through another host: medic doctor ${host.jump} first`;
  if (/ENOTFOUND|EAI_AGAIN/.test(message))
    return `hosts.${host.name}.address: a name that resolves here, or its IP address`;
  if (/ECONNREFUSED/.test(message))
    return "on the host: sudo systemctl enable --now ssh (or correct hosts.yaml's port)";
  return `ping -c 3 ${quote(host.address)}; then ssh -v -p ${host.port} ${quote(`${host.user}@${host.address}`)} true`;
}

function hostKeyMend(host: HostConfig, offered: string | undefined): string {
  if (offered === undefined) return `ssh-keyscan -p ${host.port} ${quote(host.address)} | ssh-keygen -lf -`;
  return `compare it with what ssh-keygen -lf says of the keys in /etc/ssh on the host; if it is the same: medic trust ${host.name}, or write below hosts.${host.name}:  hostKey: ${offered}`;
}
