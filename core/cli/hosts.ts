// `medic hosts`: the hosts of hosts.yaml, and how the running serve's connections to them fare.
import * as v from "valibot";
import type { HostConfig } from "../config/schema.ts";
import { readConfig } from "./config-file.ts";
import { type ExitCode, tableLines } from "./context.ts";
import { callServe, readNote } from "./serve-client.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

const statisticsShape = v.object({
  hosts: v.array(
    v.looseObject({
      host: v.string(),
      state: v.string(),
      open: v.number(),
      dials: v.number(),
      reuses: v.number(),
      commands: v.number(),
      inFlight: v.number(),
      waiting: v.number(),
      refusedOpens: v.number(),
      channelLimit: v.number(),
      warm: v.number(),
      closes: v.record(v.string(), v.number()),
      latency: v.record(
        v.string(),
        v.looseObject({ count: v.number(), p50Seconds: v.number(), p95Seconds: v.number() }),
      ),
      nextDialSeconds: v.optional(v.number()),
      lastError: v.optional(v.string()),
    }),
  ),
});
type Statistics = v.InferOutput<typeof statisticsShape>["hosts"][number];

export const hosts = defineVerb({
  name: "hosts",
  description: "List the hosts and how the connections to them fare",
  args: { ...configArg, ...jsonArg },
  async run(args, context): Promise<ExitCode> {
    const { config } = readConfig(context, args.config);
    const note = readNote(config.server.data);
    const statistics = note === undefined ? undefined : await statisticsOf(note, context.stop);
    const rows = Object.values(config.hosts).map((host) => ({
      host,
      pool: statistics?.find((one) => one.host === host.name),
    }));
    if (args.json === true) {
      context.out.json({
        serving: statistics !== undefined,
        hosts: rows.map(({ host, pool }) => ({ ...shown(host), pool })),
      });
      return 0;
    }
    for (const line of tableLines(hostHeader, rows.map(hostRow))) context.out.line(line);
    for (const line of statistics === undefined ? [] : connectionLines(statistics)) context.out.line(line);
    if (statistics === undefined) context.out.note("medic serve is not running: no connections to tell of.");
    return 0;
  },
});

const hostHeader = ["host", "reached by", "trust", "plugins", "connection", "in flight", "waiting", "last trouble"];

function hostRow({ host, pool }: { host: HostConfig; pool: Statistics | undefined }): (string | number)[] {
  const { reachedBy, trust, plugins } = shown(host);
  const known = [host.name, reachedBy, trust, plugins.join(" ")];
  if (pool === undefined) return [...known, "-", "-", "-", ""];
  const next = pool.nextDialSeconds === undefined ? "" : ` (next dial in ${Math.ceil(pool.nextDialSeconds)} s)`;
  return [...known, `${pool.state}${next}`, pool.inFlight, pool.waiting, shortened(pool.lastError ?? "")];
}

/** What the connections did, below the hosts: a second table, since nobody reads twenty columns. */
function connectionLines(statistics: readonly Statistics[]): string[] {
  const phases = ["queue", "dial", "open", "run"];
  const counts = ["open", "dials", "commands", "reuses", "refused", "limit", "warm"];
  const header = ["host", ...counts, "closes", ...phases.map((phase) => `${phase} p50/p95 ms`)];
  const rows = statistics.map((one) => [
    one.host,
    one.open,
    one.dials,
    one.commands,
    one.reuses,
    one.refusedOpens,
    one.channelLimit,
    one.warm,
    Object.entries(one.closes)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(", "),
    ...phases.map((phase) => {
      const took = one.latency[phase];
      if (took === undefined || took.count === 0) return "-";
      return `${milliseconds(took.p50Seconds)}/${milliseconds(took.p95Seconds)}`;
    }),
  ]);
  return ["", ...tableLines(header, rows)];
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0);
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

async function statisticsOf(
  note: NonNullable<ReturnType<typeof readNote>>,
  signal: AbortSignal,
): Promise<Statistics[] | undefined> {
  try {
    const { status, body } = await callServe(note, "/hosts", { signal });
    return status === 200 ? v.parse(statisticsShape, body).hosts : undefined;
  } catch {
    // A stale note of a serve that was killed: the list of hosts is the answer all the same.
    return undefined;
  }
}

function shown(host: HostConfig): { host: string; reachedBy: string; trust: string; plugins: string[] } {
  const reachedBy =
    host.transport === "local"
      ? "local"
      : `${host.user}@${host.address}:${host.port}${host.jump === undefined ? "" : ` via ${host.jump}`}`;
  return { host: host.name, reachedBy, trust: host.trust, plugins: Object.keys(host.plugins) };
}
