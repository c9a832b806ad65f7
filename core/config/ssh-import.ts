// What ~/.ssh/config says of hosts, as entries of hosts.yaml: address, port, user, key, the way through other hosts.
// What has no counterpart is told of and left to the person. Pure; asks no host and writes nothing.
import * as v from "valibot";
import { hostName } from "./host-schema.ts";
import type { SshConfig } from "./ssh-config.ts";

/** An entry below `hosts`, as a person writes it. */
export type HostEntry = {
  address: string;
  port?: number;
  user: string;
  identity?: string;
  agent?: true;
  knownHosts?: string;
  jump?: string;
};

export type Imported = { hosts: Record<string, HostEntry>; notes: string[] };

export type Machine = {
  /** Who ssh logs in as when nothing is said. */
  user: string;
  /** Which of ssh's own keys are there; `path` begins with `~/`. */
  exists(path: string): boolean;
};

const standardKeys = ["~/.ssh/id_ed25519", "~/.ssh/id_rsa", "~/.ssh/id_ecdsa"];
const leftOut = { proxycommand: "ProxyCommand", certificatefile: "CertificateFile", hostkeyalias: "HostKeyAlias" };

/** Entries for `names`, or for every host that the file names; hosts they are reached through come along. */
export function importHosts(config: SshConfig, names: readonly string[], machine: Machine): Imported {
  return new Import(config, machine).run(names.length === 0 ? config.aliases : names);
}

type Hop = { name: string; user?: string; port?: number };

class Import {
  readonly #config: SshConfig;
  readonly #machine: Machine;
  readonly #hosts = new Map<string, HostEntry>();
  readonly #notes = new Set<string>();

  constructor(config: SshConfig, machine: Machine) {
    this.#config = config;
    this.#machine = machine;
    for (const note of config.notes) this.#notes.add(note);
  }

  run(names: readonly string[]): Imported {
    for (const name of names) {
      if (this.#config.valuesOf(name) === undefined) this.#notes.add(`"${name}" is left out: no Host line is for it`);
      else this.#add({ name }, []);
    }
    return { hosts: Object.fromEntries(this.#hosts), notes: [...this.#notes] };
  }

  /** Adds a host and those before it; answers with its name in hosts.yaml, undefined when it has none. */
  #add(hop: Hop, behind: readonly string[], before?: string): string | undefined {
    const { name } = hop;
    if (!v.safeParse(hostName, name).success) {
      this.#notes.add(
        `"${name}" is left out: hosts.yaml allows letters, digits, dots, dashes and underscores in a name`,
      );
      return undefined;
    }
    if (behind.includes(name)) {
      this.#notes.add(`"${name}": its ProxyJump leads back to itself and is left out`);
      return undefined;
    }
    const values = this.#config.valuesOf(name) ?? new Map<string, string>();
    for (const [keyword, written] of Object.entries(leftOut)) {
      if (values.has(keyword)) this.#notes.add(`"${name}": ${written} has no counterpart and is left out`);
    }
    const jump = before ?? this.#jumpOf(name, values, [...behind, name]);
    const entry = this.#entry(hop, values, jump);
    const known = this.#hosts.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(entry)) {
      this.#notes.add(`"${name}" is reached in two ways: the first one is kept`);
    } else this.#hosts.set(name, entry);
    return name;
  }

  #jumpOf(name: string, values: ReadonlyMap<string, string>, behind: readonly string[]): string | undefined {
    const written = values.get("proxyjump");
    if (written === undefined || written.toLowerCase() === "none") return undefined;
    let last: string | undefined;
    for (const text of written.split(",")) {
      const hop = hopOf(text.trim());
      const added = hop === undefined ? undefined : this.#add(hop, behind, last);
      if (added === undefined) {
        this.#notes.add(`"${name}": its ProxyJump "${written}" is left out`);
        return undefined;
      }
      last = added;
    }
    return last;
  }

  #entry({ name, ...hop }: Hop, values: ReadonlyMap<string, string>, jump: string | undefined): HostEntry {
    const user = hop.user ?? values.get("user") ?? this.#machine.user;
    const fill = (text: string, address: string): string =>
      text.replace(
        /%(.)/g,
        (whole, letter: string) => ({ h: address, n: name, r: user, d: "~", "%": "%" })[letter] ?? whole,
      );
    const address = fill(values.get("hostname") ?? name, name);
    const port = hop.port ?? Number(values.get("port") ?? 22);
    const knownHosts = values.get("userknownhostsfile");
    const hasKnownHosts = knownHosts !== undefined && !["none", "/dev/null"].includes(knownHosts);
    return {
      address,
      ...(port === 22 ? {} : { port }),
      user,
      ...this.#keyOf(name, values.get("identityfile"), (text) => fill(text, address)),
      ...(hasKnownHosts ? { knownHosts: fill(knownHosts, address) } : {}),
      ...(jump === undefined ? {} : { jump }),
    };
  }

  #keyOf(
    name: string,
    written: string | undefined,
    fill: (text: string) => string,
  ): Pick<HostEntry, "identity" | "agent"> {
    if (written !== undefined && written.toLowerCase() !== "none") {
      const path = fill(written);
      // With a public key ssh asks the agent for its other half.
      return path.endsWith(".pub") ? { agent: true } : { identity: path };
    }
    const standard = standardKeys.find((path) => this.#machine.exists(path));
    if (standard !== undefined) return { identity: standard };
    this.#notes.add(`"${name}" names no IdentityFile, and there is none of ssh's own: agent: true is a guess`);
    return { agent: true };
  }
}

/** `[ssh://][user@]host[:port]`, an IPv6 address in brackets. */
function hopOf(text: string): Hop | undefined {
  const found = /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:@]+))(?::(\d{1,5}))?$/.exec(text);
  const [, user, bracketed, plain, port] = found ?? [];
  const name = bracketed ?? plain;
  if (name === undefined) return undefined;
  return { name, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: Number(port) }) };
}
