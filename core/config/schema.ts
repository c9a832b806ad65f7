// hosts.yaml, whole: one valibot schema that validates the file, gives the rooms their types and editors their JSON
// Schema. Every setting is described here and nowhere else. Knows neither YAML nor files.
import * as v from "valibot";
import { byteSize, choice, duration, flag, glob, list, mapping, path, shaped, text, wholeNumber } from "./field.ts";
import { hostName, hostSchema, poolSchema } from "./host-schema.ts";
import { type ChannelConfig, heartbeatSchema, notifySchema, secret } from "./notify-schema.ts";

const serverSchema = mapping("Where Medic listens and keeps its data.", {
  listen: v.optional(
    v.pipe(
      shaped(
        "Address and port of the alert intake and the API; anything but loopback needs a token",
        /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252}):\d{1,5}$/,
        "an address and a port, like 127.0.0.1:8484",
      ),
      v.transform(listenAddress),
      v.check(({ port }) => port <= 65_535, "expected a port up to 65535"),
    ),
    "127.0.0.1:8484",
  ),
  tokens: v.optional(
    list(
      "Who may speak to Medic: medic token new makes one and prints the lines to put here",
      mapping("One token.", {
        name: shaped("Whose token it is", /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, "a name: letters, digits, dots, dashes"),
        sha256: shaped("The token's SHA-256", /^[0-9a-f]{64}$/, "64 characters of 0-9a-f"),
        // A token from before there were roles may go on doing all it could.
        roles: v.optional(
          list(
            "What it may: intake sends alerts, read looks, operate makes Medic do something; all three when absent",
            choice("A role", ["intake", "read", "operate"]),
            1,
          ),
          ["intake", "read", "operate"],
        ),
      }),
    ),
    [],
  ),
  data: v.optional(path("The folder of the journal"), "~/.local/share/medic"),
  publicUrl: v.exactOptional(
    shaped(
      "Where a phone reaches Medic, for the links to say yes or no; without it no links are made",
      /^https?:\/\/[^\s/@?#]+(\/[^\s@?#]*)?$/,
      "an http(s) URL without a login, like https://medic.example",
    ),
  ),
  // More than any other duration can be, so that nothing is removed that a limit still counts.
  retain: v.optional(
    duration("How long incidents that are over are kept in the journal", {
      atLeast: "30d",
      atMost: "9999d",
      zero: "for ever",
    }),
    "400d",
  ),
});

/** `[::1]:8484` → `{ host: "::1", port: 8484 }`. */
function listenAddress(written: string): { host: string; port: number } {
  const colon = written.lastIndexOf(":");
  return { host: written.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(written.slice(colon + 1)) };
}

const label = shaped("A label's name", /^[A-Za-z_][A-Za-z0-9_.:-]{0,199}$/, "a label's name");
const bodyPath = (description: string) =>
  shaped(description, /^[^\s.]+(\.[^\s.]+)*$/, "a dotted path into the JSON body, like monitor.name");

const alertsSchema = mapping("How an alert names its host and service.", {
  host: v.optional(list("Labels that name the host, the first one present counts", label, 1), [
    "host",
    "hostname",
    "instance",
  ]),
  service: v.optional(list("Labels that name the service, the first one present counts", label, 1), [
    "service",
    "container",
    "name",
    "unit",
  ]),
  rules: v.optional(
    list(
      "For alerts whose labels do not say it; the first rule that matches counts",
      mapping("One rule.", {
        match: v.pipe(
          v.record(label, glob("What the label has to be, with * and ? as wildcards"), "expected a mapping of labels"),
          v.minEntries(1, "expected at least one label"),
          v.description("Labels and what they have to be; all must match"),
        ),
        host: v.exactOptional(text("The host meant: one of hosts")),
        service: v.exactOptional(text("The service meant")),
        plugin: v.exactOptional(text("The plugin that knows the service")),
        ignore: v.exactOptional(flag("Whether such alerts are dropped")),
      }),
    ),
    [],
  ),
  generic: v.exactOptional(
    mapping("How POST /webhooks/generic reads the JSON of a monitor Medic does not know.", {
      status: bodyPath("Where the status is"),
      firing: list("What the status is when something is wrong", text("A status"), 1),
      resolved: list("What the status is when it is over", text("A status"), 1),
      name: bodyPath("Where the alert's name is"),
      host: bodyPath("Where the host is"),
      service: bodyPath("Where the service is"),
      key: bodyPath("Where something is that stays the same from firing to resolved"),
      startsAt: v.exactOptional(bodyPath("Where the time of its beginning is")),
    }),
  ),
});

const responderSchema = v.pipe(
  mapping("Who decides what to look at and which fix to try.", {
    order: v.optional(
      v.pipe(
        list(
          "Who is asked, one after the other: runbooks need no model",
          choice("A responder", ["runbook", "claude"]),
          1,
        ),
        v.check((order) => new Set(order).size === order.length, "expected each responder once"),
      ),
      ["runbook", "claude"],
    ),
    model: v.optional(text("The model of the claude responder"), "claude-opus-5-5"),
    apiKey: v.exactOptional(text(`The API key; ANTHROPIC_API_KEY when absent${secret}`)),
    apiKeyFile: v.exactOptional(path("A file that holds the API key")),
    baseUrl: v.exactOptional(
      shaped(
        "Where the model's API is, if not at its maker's",
        /^https?:\/\/[^\s/@]+(\/[^\s@]*)?$/,
        "an http(s) URL without a login",
      ),
    ),
    turns: v.optional(wholeNumber("How many times the model may ask in one incident", 1, 100), 12),
    outputTokens: v.optional(wholeNumber("How long one reply may be", 256, 128_000), 8192),
    tokens: v.optional(wholeNumber("How many tokens one incident may use, in and out", 1000, 100_000_000), 200_000),
    dollars: v.optional(
      v.pipe(
        v.number("expected an amount of dollars"),
        v.minValue(0.01, "expected an amount of dollars, 0.01 at least"),
        v.maxValue(1000, "expected an amount of dollars, 1000 at most"),
        v.description("What one incident may cost"),
      ),
      1,
    ),
    breaks: v.optional(wholeNumber("How many requests in a row may break before the model is left alone", 1, 100), 3),
    rest: v.optional(duration("How long it is then left alone", { atLeast: "1s", zero: "it is always asked" }), "5m"),
    requestTimeout: v.optional(duration("How long one reply may take", { atLeast: "1s" }), "2m"),
  }),
  v.forward(
    v.check((responder) => !("apiKey" in responder && "apiKeyFile" in responder), "is one too many beside apiKey"),
    ["apiKeyFile"],
  ),
);

const limitsSchema = mapping("The most Medic does.", {
  incidents: v.optional(wholeNumber("Incidents worked on at once", 1, 64), 4),
  queue: v.optional(wholeNumber("Incidents that may wait for their turn", 1, 100_000), 200),
  incident: v.optional(duration("How long one incident may be worked on", { atLeast: "10s" }), "30m"),
  alertBytes: v.optional(byteSize("The largest alert that is taken", 1024, 64 * 1024 ** 2), "1MiB"),
  requestsPerMinute: v.optional(
    wholeNumber("Requests of one token in a minute; one more has to come again later", 1, 1_000_000),
    6000,
  ),
  failedLoginsPerMinute: v.optional(
    wholeNumber("Requests without a valid token from one address in a minute", 1, 1_000_000),
    60,
  ),
  fixesPerService: v.optional(wholeNumber("Fixes of one service within fixWindow", 1, 1000), 3),
  fixesPerHost: v.optional(wholeNumber("Fixes on one host within fixWindow", 1, 1000), 6),
  fixesInAll: v.optional(wholeNumber("Fixes on all hosts together within fixWindow", 1, 10_000), 20),
  breakerServices: v.optional(
    wholeNumber("Services of one host that fixes did not help before the host itself has to be looked at", 2, 100),
    2,
  ),
  breakerWindow: v.optional(
    duration("Over how long those are counted", { atLeast: "1m", zero: "they are not counted" }),
    "10m",
  ),
  fixWindow: v.optional(duration("Over how long fixes are counted", { atLeast: "1m" }), "1h"),
  stable: v.exactOptional(
    duration("How long a fix has to stay healthy at most; the fix itself says how long when absent", { atLeast: "1s" }),
  ),
  notifyWithin: v.optional(duration("How long a message is tried before it is given up", { atLeast: "1m" }), "1d"),
  quiet: v.optional(duration("How long an incident left to a person folds its alerts", { atLeast: "1s" }), "1h"),
  clearWithin: v.optional(
    duration("How long after a fix the monitor may take to say that it is over; then the incident goes to a person", {
      atLeast: "1s",
      zero: "nobody waits for it",
    }),
    "15m",
  ),
  recurWithin: v.optional(
    duration("For how long an incident that is over goes on when it fires anew, in place of another one", {
      atLeast: "1s",
      zero: "always another one",
    }),
    "1h",
  ),
  findingBytes: v.optional(byteSize("The most one finding may hold", 1024, 4 * 1024 ** 2), "64KiB"),
});

const approvalsSchema = mapping("When a fix is above a host's trust, a person is asked.", {
  within: v.optional(duration("How long a person has to answer; silence is a no", { atLeast: "10s" }), "1h"),
});

export const configSchema = v.pipe(
  mapping("Medic's settings: the hosts it looks after and how far it may go.", {
    server: v.nullish(serverSchema, {}),
    alerts: v.nullish(alertsSchema, {}),
    responder: v.nullish(responderSchema, {}),
    approvals: v.nullish(approvalsSchema, {}),
    notify: v.nullish(notifySchema, []),
    heartbeat: v.nullish(heartbeatSchema),
    limits: v.nullish(limitsSchema, {}),
    pluginFolders: v.nullish(list("Folders with plugins of your own", path("A folder of plugins, or of one")), []),
    pool: v.nullish(poolSchema, {}),
    hosts: v.pipe(
      v.record(hostName, hostSchema, "expected a mapping of hosts"),
      v.minEntries(1, "expected at least one host"),
      v.description("The hosts, by the name alerts use"),
    ),
  }),
);

/** hosts.yaml after validation, before what depends on the machine is filled in. */
export type WrittenConfig = v.InferOutput<typeof configSchema>;

/** How connections to a host behave. Durations are seconds. */
export type PoolSettings = {
  /** 0: never closed for being idle. */
  idleTimeout: number;
  /** 0: no keepalives. */
  keepaliveInterval: number;
  keepaliveCount: number;
  maxChannels: "auto" | number;
  warmChannels: "auto" | "off";
  maxConnections: number;
  reuse: "on" | "off";
  dialTimeout: number;
  commandTimeout: number;
  /** Waiting commands per host; one more is refused. */
  queue: number;
  /** Per stream of a command. */
  outputBytes: number;
};

/** One host, complete. Of a local host `address` is "localhost" and `user` is empty. */
export type HostConfig = {
  name: string;
  transport: "ssh" | "local";
  address: string;
  port: number;
  user: string;
  /** Absolute path of the private key. */
  identity?: string;
  passphrase?: string;
  agent?: boolean;
  /** `SHA256:…`; without it `knownHosts` decides. */
  hostKey?: string;
  /** Absolute path. */
  knownHosts: string;
  /** The host through which this one is reached; it exists, is an ssh host, and does not lead back here. */
  jump?: string;
  privilege: "none" | "sudo";
  trust: "observe" | "reversible" | "disruptive";
  protect: string[];
  /** When nothing is to be changed there, again and again; `for` in seconds. */
  maintenance: { cron: string; for: number; service?: string; timezone?: string }[];
  /** The global pool with the host's own settings over it. */
  pool: PoolSettings;
  /** Options as written; the catalog validates them. */
  plugins: Record<string, unknown>;
};

/** hosts.yaml, complete: every default filled in, paths absolute, secrets read. Durations are seconds, sizes bytes. */
export type Config = {
  server: WrittenConfig["server"];
  alerts: WrittenConfig["alerts"];
  responder: Omit<WrittenConfig["responder"], "apiKeyFile">;
  approvals: WrittenConfig["approvals"];
  notify: ChannelConfig[];
  /** `every`: seconds. */
  heartbeat: { url: string; every: number } | undefined;
  limits: WrittenConfig["limits"];
  /** Absolute paths. */
  pluginFolders: string[];
  pool: PoolSettings & {
    /** At once, over all hosts. */
    connections: number;
  };
  hosts: Record<string, HostConfig>;
};
