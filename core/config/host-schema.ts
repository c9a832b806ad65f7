// What hosts.yaml says of one host and of the connections to it, as a person writes it. Defaults that depend on the
// rest of the file (a host's pool over the global one) or on the machine (`~`) are filled in by load.ts.
import * as v from "valibot";
import { maintenanceSchema } from "./maintenance-schema.ts";
import { byteSize, choice, duration, flag, glob, list, mapping, path, shaped, text, wholeNumber } from "./field.ts";

const pool = {
  idleTimeout: duration("How long an unused connection stays open", { zero: "for ever" }),
  keepaliveInterval: duration("How often a quiet connection is asked whether it lives", {
    atLeast: "1s",
    zero: "never",
  }),
  keepaliveCount: wholeNumber("After how many unanswered keepalives a connection counts as lost", 1, 100),
  maxChannels: v.pipe(
    v.union(
      [v.literal("auto"), v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))],
      "expected auto, or a whole number from 1 to 1000",
    ),
    v.description("Commands at the same time on one connection; auto learns the server's limit"),
  ),
  warmChannels: choice(
    "Whether channels are opened ahead, so that a command costs one round trip; off for a server that cannot bear them",
    ["auto", "off"],
  ),
  maxConnections: wholeNumber(
    "Connections to one host at the same time; more than one only where waiting commands and the server's limits ask for it",
    1,
    100,
  ),
  reuse: choice("Whether commands share connections; off opens one for each command", ["on", "off"]),
  dialTimeout: duration("How long connecting and logging in may take", { atLeast: "100ms" }),
  commandTimeout: duration("How long a command may take that does not say so itself", { atLeast: "100ms" }),
  queue: wholeNumber("How many commands may wait for a host; one more is refused", 1, 100_000),
  outputBytes: byteSize("How much of a command's output is kept, for each of its two streams", 1024, 64 * 1024 ** 2),
};

export const poolSchema = mapping("Connections to all hosts; a host may differ in its own pool.", {
  idleTimeout: v.optional(pool.idleTimeout, "5m"),
  keepaliveInterval: v.optional(pool.keepaliveInterval, "15s"),
  keepaliveCount: v.optional(pool.keepaliveCount, 3),
  maxChannels: v.optional(pool.maxChannels, "auto"),
  warmChannels: v.optional(pool.warmChannels, "auto"),
  maxConnections: v.optional(pool.maxConnections, 3),
  reuse: v.optional(pool.reuse, "on"),
  dialTimeout: v.optional(pool.dialTimeout, "10s"),
  commandTimeout: v.optional(pool.commandTimeout, "60s"),
  queue: v.optional(pool.queue, 1000),
  outputBytes: v.optional(pool.outputBytes, "1MiB"),
  connections: v.optional(wholeNumber("Connections at the same time, over all hosts", 1, 10_000), 64),
});

const hostPoolSchema = mapping("What differs from the global pool for this host.", {
  idleTimeout: v.exactOptional(pool.idleTimeout),
  keepaliveInterval: v.exactOptional(pool.keepaliveInterval),
  keepaliveCount: v.exactOptional(pool.keepaliveCount),
  maxChannels: v.exactOptional(pool.maxChannels),
  warmChannels: v.exactOptional(pool.warmChannels),
  maxConnections: v.exactOptional(pool.maxConnections),
  reuse: v.exactOptional(pool.reuse),
  dialTimeout: v.exactOptional(pool.dialTimeout),
  commandTimeout: v.exactOptional(pool.commandTimeout),
  queue: v.exactOptional(pool.queue),
  outputBytes: v.exactOptional(pool.outputBytes),
});

const sshOnly = [
  "address",
  "port",
  "user",
  "identity",
  "passphrase",
  "passphraseFile",
  "agent",
  "hostKey",
  "knownHosts",
  "jump",
];

/** Not only digits: a list in place of a mapping would pass as hosts 0, 1, 2. */
export const hostName = shaped(
  "A host's name, as alerts use it",
  /^(?!\d+$)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
  "a host name: letters, digits, dots, dashes and underscores, a letter or digit first, not only digits, 63 at most",
);

const pluginName = shaped(
  "A plugin's name: that of its folder",
  /^[a-z][a-z0-9_-]{0,47}$/,
  "a plugin's name: small letters, digits, dashes, underscores",
);

export const hostSchema = v.pipe(
  mapping("One host.", {
    transport: v.optional(
      choice("How commands reach the host: over ssh, or local for the machine Medic runs on", ["ssh", "local"]),
      "ssh",
    ),
    address: v.exactOptional(
      shaped(
        "The host's name or IP address (ssh)",
        /^(?![^:]*:\d+$)[A-Za-z0-9:][A-Za-z0-9._:%-]{0,254}$/,
        "a host name or IP address, with the port and the user in keys of their own",
      ),
    ),
    port: v.exactOptional(
      v.pipe(wholeNumber("The port of the host's sshd (ssh)", 1, 65_535), v.metadata({ default: 22 })),
    ),
    user: v.exactOptional(
      shaped("Who Medic logs in as (ssh)", /^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}\$?$/, "a user's name"),
    ),
    identity: v.exactOptional(path("The private key file Medic logs in with (ssh); ~/ and relative paths work")),
    passphrase: v.exactOptional(text("The private key's passphrase (ssh); better as ${NAME} or passphraseFile")),
    passphraseFile: v.exactOptional(path("A file that holds the private key's passphrase (ssh)")),
    agent: v.exactOptional(flag("Whether to sign with the ssh-agent of SSH_AUTH_SOCK (ssh)")),
    hostKey: v.exactOptional(
      shaped(
        "The fingerprint of the host's key, as ssh-keygen -lf prints it; without it known_hosts decides (ssh)",
        /^SHA256:[A-Za-z0-9+/]{43}=?$/,
        "a fingerprint: SHA256: and 43 characters, as ssh-keygen -lf prints it",
      ),
    ),
    knownHosts: v.exactOptional(
      v.pipe(
        path("The known_hosts file to check the host's key against (ssh)"),
        v.metadata({ default: "~/.ssh/known_hosts" }),
      ),
    ),
    jump: v.exactOptional(
      shaped(
        "The host of this file through which this one is reached (ssh)",
        /^[^\p{Cc}]{1,63}$/u,
        "a name below hosts",
      ),
    ),
    privilege: v.optional(
      choice("How a command that needs root gets it: not at all, or with sudo -n", ["none", "sudo"]),
      "none",
    ),
    trust: v.optional(
      choice("The most a fix may disturb without asking; observe lets none run", [
        "observe",
        "reversible",
        "disruptive",
      ]),
      "observe",
    ),
    protect: v.optional(list("What no fix may ever touch: names, with * and ? as wildcards", glob("A name")), []),
    maintenance: v.optional(
      list(
        "When nothing is changed on this host, again and again; alerts are kept and taken up afterwards",
        maintenanceSchema,
      ),
      [],
    ),
    pool: v.nullish(hostPoolSchema, {}),
    plugins: v.pipe(
      v.nullish(v.record(pluginName, v.unknown(), "expected a mapping of plugins"), {}),
      v.description("The plugins for this host, each with its options ({} for none); the plugin host is always on"),
    ),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const host: Record<string, unknown> = dataset.value;
    const complain = (key: string, message: string): void =>
      addIssue({ message, path: [{ type: "object", origin: "value", input: host, key, value: host[key] }] });
    if (host["transport"] === "local") {
      for (const key of sshOnly)
        if (key in host) complain(key, "is for hosts reached over ssh: remove it, or transport: local");
      return;
    }
    if (!("address" in host)) complain("address", "is missing: the host's name or IP address (or transport: local)");
    if (!("user" in host)) complain("user", "is missing: who Medic logs in as");
    if (!("identity" in host) && host["agent"] !== true) {
      complain("identity", "is missing: the private key file Medic logs in with (or agent: true)");
    }
    if (!("identity" in host)) {
      for (const key of ["passphrase", "passphraseFile"])
        if (key in host) complain(key, "has no identity to open: add identity");
    }
    if ("passphrase" in host && "passphraseFile" in host)
      complain("passphraseFile", "is one too many beside passphrase");
  }),
);
