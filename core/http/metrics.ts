// `GET /metrics`: the connections and the incidents as Prometheus reads them (text format 0.0.4). Pure: numbers in, text
// out. Names end in what they count; a counter may begin again at 0 when a host is made anew, as Prometheus expects.

type Phase = { count: number; sumSeconds: number; p50Seconds: number; p95Seconds: number };

/** What is known of one host; more of it does no harm. */
export type HostNumbers = {
  host: string;
  transport: "ssh" | "local";
  open: number;
  dials: number;
  reuses: number;
  commands: number;
  inFlight: number;
  waiting: number;
  refusedOpens: number;
  channelLimit: number;
  warm: number;
  closes: Readonly<Record<string, number>>;
  latency: Readonly<Record<string, Phase>>;
  nextDialSeconds?: number;
};

/** Since the start: messages that arrived or were given up, tries that failed; and what waits. */
export type ChannelNumbers = { channel: string; sent: number; failed: number; givenUp: number; waiting: number };

/** How many there are of each kind. */
export type Tallies = { incidents: Readonly<Record<string, number>>; fixes: Readonly<Record<string, number>> };

export type Measured = {
  hosts: readonly HostNumbers[];
  channels: readonly ChannelNumbers[];
  tallies: Tallies;
  /** All states an incident can have: one that none has now is 0, not absent. */
  states: readonly string[];
  /** Whether alerts can be taken. */
  isReady: boolean;
};

export const metricsType = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;
type Sample = { suffix?: "_sum" | "_count"; labels: Labels; value: number };
type Family = { name: string; type: "counter" | "gauge" | "summary"; help: string; samples: readonly Sample[] };

const counters = {
  dials: "Dials of the host, successful or not.",
  reuses: "Commands that found an open connection.",
  commands: "Commands that were sent to the host.",
  refusedOpens: "Channels that a command asked for and the host refused.",
} as const;

const gauges = {
  open: ["medic_ssh_connections", "Open connections to the host."],
  inFlight: ["medic_ssh_commands_in_flight", "Commands that hold a channel."],
  waiting: ["medic_ssh_commands_waiting", "Commands that wait for a connection or a channel."],
  channelLimit: ["medic_ssh_channel_limit", "Channels at once on one connection, as learned or set."],
  warm: ["medic_ssh_warm_channels", "Channels that were opened ahead and not used yet."],
} as const;

/** The whole answer. */
export function metricsText(measured: Measured): string {
  return `${families(measured).map(familyText).join("\n")}\n`;
}

function families({ hosts: all, channels, tallies, states, isReady }: Measured): Family[] {
  const hosts = all.filter(({ transport }) => transport === "ssh");
  const each = (value: (host: HostNumbers) => number): Sample[] =>
    hosts.map((host) => ({ labels: { host: host.host }, value: value(host) }));
  const counted = Object.entries(counters).map(([key, help]): Family => {
    const name = `medic_ssh_${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`;
    return { name, type: "counter", help, samples: each((host) => host[key as keyof typeof counters]) };
  });
  const gauged = Object.entries(gauges).map(([key, [name, help]]): Family => {
    return { name, type: "gauge", help, samples: each((host) => host[key as keyof typeof gauges]) };
  });
  return [
    ...counted,
    {
      name: "medic_ssh_closes_total",
      type: "counter",
      help: "Connections that ended, by reason.",
      samples: hosts.flatMap(({ host, closes }) =>
        Object.entries(closes).map(([reason, value]) => ({ labels: { host, reason }, value })),
      ),
    },
    ...gauged,
    {
      name: "medic_ssh_next_dial_seconds",
      type: "gauge",
      help: "Until the next dial is tried, while the last ones have failed in a row; else 0.",
      samples: each(({ nextDialSeconds = 0 }) => nextDialSeconds),
    },
    {
      name: "medic_ssh_phase_seconds",
      type: "summary",
      help: "How long each phase of a command took: queue, dial, open, run. Since the start, not of late.",
      samples: hosts.flatMap(({ host, latency }) =>
        Object.entries(latency).flatMap(([phase, took]) => phaseSamples({ host, phase }, took)),
      ),
    },
    {
      name: "medic_incidents",
      type: "gauge",
      help: "Incidents so far, by state.",
      samples: states.map((state) => ({ labels: { state }, value: tallies.incidents[state] ?? 0 })),
    },
    {
      name: "medic_fixes_total",
      type: "counter",
      help: "Fixes so far, by outcome.",
      samples: Object.entries(tallies.fixes).map(([outcome, value]) => ({ labels: { outcome }, value })),
    },
    {
      name: "medic_approvals_pending",
      type: "gauge",
      help: "Fixes that wait for a person's answer.",
      samples: [{ labels: {}, value: tallies.incidents["awaiting-approval"] ?? 0 }],
    },
    {
      name: "medic_notifications_total",
      type: "counter",
      help: "Messages that were sent or given up, and tries that failed, by channel. Since the start.",
      samples: channels.flatMap(({ channel, sent, failed, givenUp }) =>
        Object.entries({ sent, failed, "given-up": givenUp }).map(([outcome, value]) => ({
          labels: { channel, outcome },
          value,
        })),
      ),
    },
    {
      name: "medic_notifications_waiting",
      type: "gauge",
      help: "Messages that a channel has not taken yet.",
      samples: channels.map(({ channel, waiting }) => ({ labels: { channel }, value: waiting })),
    },
    {
      name: "medic_ready",
      type: "gauge",
      help: "1 when alerts can be taken, as /readyz says.",
      samples: [{ labels: {}, value: isReady ? 1 : 0 }],
    },
  ];
}

function phaseSamples(labels: Labels, { count, sumSeconds, p50Seconds, p95Seconds }: Phase): Sample[] {
  const quantiles =
    count === 0
      ? []
      : ([
          ["0.5", p50Seconds],
          ["0.95", p95Seconds],
        ] as const);
  return [
    ...quantiles.map(([quantile, value]) => ({ labels: { ...labels, quantile }, value })),
    { suffix: "_sum", labels, value: sumSeconds },
    { suffix: "_count", labels, value: count },
  ];
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ suffix = "", labels, value }) => `${name}${suffix}${labelText(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join("\n");
}

function labelText(labels: Labels): string {
  const written = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return written.length === 0 ? "" : `{${written.join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (letter) => (letter === "\n" ? "\\n" : `\\${letter}`));
}
