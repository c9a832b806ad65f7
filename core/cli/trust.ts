// `medic trust HOST`: shows the key a host offers beside what was known of it, and after a person's word pins it in
// hosts.yaml. Nothing is ever trusted by itself; a key that changed needs `--replace` besides.
import { chmodSync, chownSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { pid } from "node:process";
import { pinHostKey } from "../config/pin.ts";
import type { HostConfig } from "../config/schema.ts";
import { silent } from "../log.ts";
import { readKnownHosts } from "../transport/dial.ts";
import { fingerprint, judgeHostKey, keyType, type HostKeyVerdict } from "../transport/host-key.ts";
import { createTransport, TransportError } from "../transport/pool.ts";
import { configPath, readConfig } from "./config-file.ts";
import { CannotTell, type Context, type ExitCode, UsageError } from "./context.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

export const trust = defineVerb({
  name: "trust",
  description: "Show the key a host offers, and pin it in hosts.yaml",
  args: {
    host: { type: "positional", description: "A host of hosts.yaml", required: true },
    yes: { type: "boolean", description: "Pin it without asking" },
    replace: { type: "boolean", description: "Pin it although another key was known" },
    print: { type: "boolean", description: "Only print the line for hosts.yaml" },
    ...configArg,
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const { config } = readConfig(context, args.config);
    const host = chosen(config.hosts, args.host);
    const offer = await offerOf(config.hosts, host, context);
    const { verdict } = offer;
    const file = configPath(context, args.config);
    if (args.json !== true) showOffer(offer, context);

    const refusal = refused(offer, args.replace === true);
    if (refusal !== undefined) return answer(offer, context, args.json, { done: "refused", says: refusal }, 1);
    if (args.print === true) {
      return answer(offer, context, args.json, { done: "printed", line: `hostKey: ${offer.fingerprint}` }, 0);
    }
    if (host.hostKey !== undefined && verdict.is === "trusted") {
      return answer(offer, context, args.json, { done: "nothing", says: "It is pinned already." }, 0);
    }
    if (args.yes !== true && !(await agreed(offer, context))) {
      return answer(offer, context, args.json, { done: "refused", says: "Nothing was changed." }, 1);
    }
    pinInFile(file, offer);
    return answer(offer, context, args.json, { done: "pinned", says: `Pinned in ${file}.` }, 0);
  },
});

/** The key a host offers, beside what was known of it. */
export type Offer = { host: HostConfig; fingerprint: string; type: string; verdict: HostKeyVerdict };
type Outcome = { done: "pinned" | "printed" | "nothing" | "refused"; says?: string; line?: string };

function chosen(hosts: Readonly<Record<string, HostConfig>>, name: string): HostConfig {
  const host = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
  if (host === undefined) {
    throw new UsageError(
      `Cannot trust "${name}": no such host in hosts.yaml, it has ${Object.keys(hosts).join(", ")}. Add it first`,
    );
  }
  if (host.transport === "local") throw new UsageError(`Cannot trust "${name}": this machine has no host key to check`);
  return host;
}

/** Asks the host; logs in nowhere but on the way. Throws CannotTell when nobody answers. */
export async function offerOf(
  hosts: Readonly<Record<string, HostConfig>>,
  host: HostConfig,
  context: Context,
): Promise<Offer> {
  const key = await offeredKey(hosts, host, context);
  const known = { pin: host.hostKey, knownHosts: await readKnownHosts(host.name, host.knownHosts) };
  const verdict = judgeHostKey(key, { address: host.address, port: host.port, ...known });
  return { host, fingerprint: fingerprint(key), type: keyType(key), verdict };
}

async function offeredKey(
  hosts: Readonly<Record<string, HostConfig>>,
  host: HostConfig,
  { env, stop }: Context,
): Promise<Buffer> {
  const transport = createTransport(hosts, { log: silent, agentSocket: env["SSH_AUTH_SOCK"] });
  try {
    return await transport.hostKey(host.name, stop);
  } catch (error) {
    if (error instanceof TransportError && !stop.aborted) throw new CannotTell(error.message);
    stop.throwIfAborted();
    throw error;
  } finally {
    await transport.close();
  }
}

export function showOffer({ host, fingerprint: offered, type, verdict }: Offer, { out }: Context): void {
  const way = host.jump === undefined ? "" : `, through ${host.jump}`;
  out.line(`${host.name} (${host.address}:${host.port}${way}) offers`);
  out.line(`  ${out.paint("bold", offered)} (${type})`);
  const where = host.hostKey === undefined ? host.knownHosts : "hosts.yaml";
  const expected = verdict.is === "changed" ? verdict.expected.join(", ") : "";
  const says = {
    trusted: `${where} has this key`,
    unknown: `neither hosts.yaml nor ${host.knownHosts} has a key of it`,
    changed: `${where} has another key: ${expected}`,
    revoked: `${where} says that this key is revoked`,
  };
  out.line(`  ${out.paint(verdict.is === "trusted" ? "green" : "yellow", says[verdict.is])}`);
  const name = { "ssh-ed25519": "ed25519", "ssh-rsa": "rsa" }[type] ?? "ecdsa";
  out.note(`Compare it on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_${name}_key.pub`);
}

function refused({ host, verdict }: Offer, isReplacing: boolean): string | undefined {
  if (verdict.is === "revoked") return "A revoked key is never pinned. Do not trust this machine.";
  if (verdict.is !== "changed" || isReplacing) return undefined;
  return `The key is not the one that was known: somebody may be answering in its place. If you rebuilt the host: medic trust ${host.name} --replace`;
}

async function agreed({ host }: Offer, { ask }: Context): Promise<boolean> {
  if (ask === undefined) {
    throw new UsageError(`Cannot trust "${host.name}" without a person's word: run it on a terminal, or add --yes`);
  }
  return /^y(es)?$/i.test((await ask("Is it the same, and shall hosts.yaml trust it? [y/N] ")).trim());
}

function pinInFile(path: string, { host, fingerprint: offered }: Offer): void {
  const byHand = `Write this below hosts.${host.name}:  hostKey: ${offered}`;
  // Behind a link the file itself is exchanged, not the link.
  const file = realpathSync(path);
  const pinned = pinHostKey(readFileSync(file, "utf8"), host.name, offered);
  if ("cannot" in pinned) throw new UsageError(`Cannot pin the key of "${host.name}": ${pinned.cannot}. ${byHand}`);
  const beside = `${file}.${pid}.new`;
  try {
    const { mode, uid, gid } = statSync(file);
    writeFileSync(beside, pinned.text, { mode: 0o600, flag: "wx" });
    chmodSync(beside, mode & 0o777);
    chownSync(beside, uid, gid);
    // Whole or not at all: a running serve may be reading it.
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new CannotTell(`Cannot write "${file}": ${why}. ${byHand}`);
  }
}

function answer(
  { host, fingerprint: offered, type, verdict }: Offer,
  { out }: Context,
  asJson: boolean | undefined,
  { done, says, line }: Outcome,
  code: ExitCode,
): ExitCode {
  if (asJson === true) {
    const expected = verdict.is === "changed" ? { expected: verdict.expected } : {};
    out.json({ host: host.name, offered, type, was: verdict.is, ...expected, done });
    return code;
  }
  if (line !== undefined) out.line(line);
  if (says !== undefined) out.note(says);
  return code;
}
