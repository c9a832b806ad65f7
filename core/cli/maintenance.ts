// `medic maintenance [start|end HOST[/SERVICE]]`: for how long nothing is changed somewhere. While `serve` runs it is told;
// else the window is written down for the next one. Listing only reads.
import * as v from "valibot";
import { duration } from "../config/field.ts";
import type { Config } from "../config/schema.ts";
import type { Journal } from "../incident/journal.ts";
import { readJournal } from "../incident/journal.ts";
import {
  createMaintenance,
  type Maintenance,
  type MaintenanceWindow,
  WINDOW_SECONDS,
} from "../incident/maintenance.ts";
import { printable } from "../incident/shown.ts";
import { type Log, silent } from "../log.ts";
import { readConfig } from "./config-file.ts";
import { type Context, type ExitCode, tableLines, UsageError } from "./context.ts";
import { callServe, openUnlessServed, readNote, type ServeNote } from "./serve-client.ts";

import { configArg, defineVerb, jsonArg } from "./verb.ts";

export const maintenance = defineVerb({
  name: "maintenance",
  description: "Say where nothing is to be changed for a while: medic maintenance [start | end HOST[/SERVICE]]",
  args: {
    do: { type: "positional", description: "`start` or `end`; without it, what is open is listed", required: false },
    where: { type: "positional", description: "A host, or host/service; * and ? are wildcards", required: false },
    for: { type: "string", description: "How long: 30m, 2h, 1d; 7d at most", valueHint: "duration", default: "1h" },
    reason: { type: "string", description: "Why, for whoever asks later", valueHint: "text" },
    ...configArg,
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const { config } = readConfig(context, args.config);
    if (args.do === undefined) return list(config, args.json === true, context);
    if ((args.do !== "start" && args.do !== "end") || args.where === undefined) {
      throw new UsageError(`Cannot run "maintenance ${args.do}": write medic maintenance start HOST, or end HOST`);
    }
    const scope = scopeOf(args.where);
    const window =
      args.do === "start"
        ? await started(config, { ...scope, forSeconds: secondsOf(args.for), ...reasonOf(args.reason) }, context)
        : await ended(config, scope, context);
    if (args.json === true) context.out.json({ window });
    else
      context.out.line(
        args.do === "start" ? `No fix until ${window.until}: ${where(window)}` : `Over: ${where(window)}`,
      );
    return 0;
  },
});

/** As `compose` does it, for whoever has only a journal. */
export function maintenanceOf(settings: () => Config, journal: Journal, log: Log): Maintenance {
  return createMaintenance({
    journal,
    hosts: () => Object.keys(settings().hosts),
    schedules: (host) => settings().hosts[host]?.maintenance ?? [],
    now: Date.now,
    log,
  });
}

type Scope = { host: string; service?: string };
const BY = "this machine";

function list(config: Config, asJson: boolean, { out }: Context): ExitCode {
  const journal = readJournal(config.server.data, { now: Date.now });
  try {
    const all = maintenanceOf(() => config, journal, silent).list();
    if (asJson) out.json(all);
    else for (const line of listLines(all)) out.line(line);
    return 0;
  } finally {
    journal.close();
  }
}

function started(
  config: Config,
  wanted: Scope & { forSeconds: number; reason?: string },
  context: Context,
): Promise<MaintenanceWindow> {
  const here = (one: Maintenance): ReturnType<Maintenance["start"]> => one.start({ ...wanted, by: BY });
  return decided(config, here, { path: "/maintenance", method: "POST", body: wanted }, context);
}

function ended(config: Config, scope: Scope, context: Context): Promise<MaintenanceWindow> {
  const here = (one: Maintenance): ReturnType<Maintenance["end"]> => one.end({ ...scope, by: BY });
  return decided(config, here, { path: `/maintenance?${new URLSearchParams(scope)}`, method: "DELETE" }, context);
}

async function decided(
  config: Config,
  here: (maintenance: Maintenance) => MaintenanceWindow | { refused: string },
  { path, ...request }: { path: string; method: string; body?: unknown },
  { stop }: Context,
): Promise<MaintenanceWindow> {
  const journal = openUnlessServed(config.server.data);
  if (journal === undefined) {
    const answer = await callServe(readNote(config.server.data) as ServeNote, path, { ...request, signal: stop });
    const body = answer.body as { window: MaintenanceWindow } | { error: string };
    if ("error" in body) throw new UsageError(body.error);
    return body.window;
  }
  try {
    const window = here(maintenanceOf(() => config, journal, silent));
    if ("refused" in window) throw new UsageError(window.refused);
    return window;
  } finally {
    journal.close();
  }
}

/** `nexus` or `nexus/scrypted`; what hosts.yaml does not have is refused by whoever writes it down. */
function scopeOf(written: string): Scope {
  const [, host = "", service] = /^([^/]+)(?:\/(.+))?$/s.exec(written) ?? [];
  const isService = service === undefined || /^[^\s[\]{}!,|\p{Cc}]{1,200}$/u.test(service);
  if (host === "" || !isService) {
    throw new UsageError(`Cannot read "${written}": write a host, or host/service with * and ? as wildcards`);
  }
  return service === undefined ? { host } : { host, service };
}

function secondsOf(written: string): number {
  const read = v.safeParse(duration("How long"), written);
  const { atLeast, atMost } = WINDOW_SECONDS;
  if (!read.success || read.output < atLeast || read.output > atMost) {
    throw new UsageError(`Cannot start maintenance for "${written}": --for takes a duration from 1m to 7d, like 2h`);
  }
  return Math.ceil(read.output);
}

function reasonOf(written: string | undefined): { reason?: string } {
  if (written === undefined) return {};
  if (!/^[^\p{Cc}]{1,200}$/u.test(written)) {
    throw new UsageError("Cannot start maintenance: --reason takes one line, 200 characters at most");
  }
  return { reason: written };
}

function listLines({ windows, next }: ReturnType<Maintenance["list"]>): string[] {
  const rows = [
    ...windows.map((window) => ["open", where(window), window.since, window.until, whose(window)]),
    ...next.map((window) => ["next", where(window), window.since, window.until, whose(window)]),
  ];
  return rows.length === 0 ? ["No maintenance."] : tableLines(["", "where", "from", "until", "by"], rows);
}

function where({ host, service }: Scope): string {
  return service === undefined ? host : `${host}/${service}`;
}

function whose({ by, reason }: MaintenanceWindow): string {
  return reason === undefined ? by : `${by}: ${printable(reason)}`;
}
