// Which hosts `medic init` is about: those that its options name, or that a person picks. Every one comes as an entry of
// hosts.yaml made by the same rules as an import from ~/.ssh/config. Asks no host.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as v from "valibot";
import { hostName } from "../../config/host-schema.ts";
import type { HostEntry } from "../../config/ssh-import.ts";
import { importText, sshConfigOf } from "../config-import.ts";
import { type Context, UsageError } from "../context.ts";

/** `self`: the machine Medic runs on. Hosts that lead to others come before them. */
export type Targets = { hosts: Record<string, HostEntry>; self: boolean; notes: string[] };

export type Wanted = {
  host: string | undefined;
  /** For the hosts that are named so, in place of ssh's own keys. */
  identity: string | undefined;
  fromSshConfig: boolean;
  self: boolean;
};

const selfName = "self";

/** By the options; a person is asked when there are none. */
export async function targetsOf(wanted: Wanted, context: Context): Promise<Targets> {
  const isNamed = wanted.host !== undefined || wanted.fromSshConfig || wanted.self;
  const targets = isNamed ? named(wanted, context) : await asked(wanted.identity, context);
  if (Object.keys(targets.hosts).length > 0 || targets.self) return targets;
  const why = [...targets.notes, "no host was named"].join(". ");
  throw new UsageError(
    `Cannot begin: ${why}. Name some with --host user@address, --from-ssh-config or --self (this machine)`,
  );
}

function named({ host, identity, fromSshConfig, self }: Wanted, context: Context): Targets {
  const targets: Targets = { hosts: {}, self, notes: [] };
  if (fromSshConfig) take(targets, importText(sshText(context), [], context));
  for (const written of host?.split(",") ?? []) take(targets, entryOf(written.trim(), identity, context));
  return targets;
}

async function asked(identity: string | undefined, context: Context): Promise<Targets> {
  const { ask, out } = context;
  if (ask === undefined) {
    throw new UsageError("Cannot ask which hosts: run it on a terminal, or name them with --host or --from-ssh-config");
  }
  const targets: Targets = { hosts: {}, self: false, notes: [] };
  if (existsSync(sshConfigOf(context.home))) {
    const all = importText(sshText(context), [], context);
    const names = Object.keys(all.hosts);
    out.note(`~/.ssh/config names ${names.join(", ")}.`);
    const picked = (await ask("Which of them? [names, all, or none] ")).split(/[\s,]+/).filter((word) => word !== "");
    if (picked[0] === "all") take(targets, all);
    else if (picked.length > 0 && picked[0] !== "none") take(targets, importText(sshText(context), picked, context));
  }
  for (;;) {
    const written = (await ask("Another host, as user@address? [empty: no more] ")).trim();
    if (written === "") break;
    take(targets, entryOf(written, identity, context));
  }
  if (!Object.hasOwn(targets.hosts, selfName)) {
    targets.self = /^y(es)?$/i.test((await ask("Look after this machine too? [y/N] ")).trim());
  }
  return targets;
}

function take(targets: Targets, more: Pick<Targets, "hosts" | "notes">): void {
  for (const [name, entry] of Object.entries(more.hosts)) {
    if ((targets.self && name === selfName) || Object.hasOwn(targets.hosts, name))
      targets.notes.push(`"${name}" is named twice`);
    else targets.hosts[name] = entry;
  }
  targets.notes.push(...more.notes);
}

/** `[name=][user@]address[:port]`; the name is the address when none is given, of a DNS name its first part. */
function entryOf(written: string, identity: string | undefined, context: Context): Pick<Targets, "hosts" | "notes"> {
  const form = /^(?:([^=\s]+)=)?(?:([^@\s=]+)@)?(?:\[([0-9A-Fa-f:.]+)\]|([^@:\s[\]=]+))(?::(\d{1,5}))?$/;
  const [, given, user, bracketed, plain = "", port] = form.exec(written) ?? [];
  const address = bracketed ?? plain;
  const name = given ?? (/^[\d.]+$/.test(address) ? address : (address.split(".")[0] ?? ""));
  if (address === "" || !v.safeParse(hostName, name).success) {
    throw new UsageError(
      `Cannot read the host "${written}": write it as user@address, user@address:port or name=user@address`,
    );
  }
  const lines = [`Host ${name}`, `HostName ${address}`];
  if (user !== undefined) lines.push(`User ${user}`);
  if (port !== undefined) lines.push(`Port ${port}`);
  if (identity !== undefined) lines.push(`IdentityFile ${resolve(context.folder, identity)}`);
  return importText(lines.join("\n"), [name], context);
}

function sshText({ home }: Context): string {
  const file = sshConfigOf(home);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot import hosts: "${file}" cannot be read: ${why}`);
  }
}
