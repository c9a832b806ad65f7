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
      dials: v.number(),
      reuses: v.number(),
      commands: v.number(),
      inFlight: v.number(),
      waiting: v.number(),
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
    const header = [
      "host",
      "reached by",
      "trust",
      "plugins",
      "connection",
      "dials",
      "commands",
      "reuses",
      "in flight",
      "waiting",
    ];
    const lines = rows.map(({ host, pool }) => [
      ...Object.values(shown(host)).map((value) => (Array.isArray(value) ? value.join(" ") : value)),
      pool?.state ?? "-",
      ...(pool === undefined
        ? ["-", "-", "-", "-", "-"]
        : [pool.dials, pool.commands, pool.reuses, pool.inFlight, pool.waiting]),
    ]);
    for (const line of tableLines(header, lines)) context.out.line(line);
    if (statistics === undefined) context.out.note("medic serve is not running: no connections to tell of.");
    return 0;
  },
});

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
  const reachedBy = host.transport === "local" ? "local" : `${host.user}@${host.address}:${host.port}`;
  return { host: host.name, reachedBy, trust: host.trust, plugins: Object.keys(host.plugins) };
}
