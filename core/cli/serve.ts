// `medic serve`: takes alerts and heals. Holds the data folder, takes up what an earlier process left, listens, and on
// SIGTERM stops in order: no new requests, no new turns, work under way gets its grace, connections are drained.
import { pid } from "node:process";
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/schema.ts";
import { createApp } from "../http/app.ts";
import { ListenError, type Listening, listen } from "../http/server.ts";
import { newToken, roles } from "../http/tokens.ts";
import { type Journal, openJournal } from "../incident/journal.ts";
import type { LabelNames } from "../incident/sources/generic.ts";
import { createLog, type Log } from "../log.ts";
import { packing } from "../packing/packing.ts";
import { composeMedic, type Medic, type Parts } from "./compose.ts";
import { configPath, type EquipOptions, type Equipped, readEquipped } from "./config-file.ts";
import { type Context, type ExitCode, UsageError } from "./context.ts";
import { hearHangups, type Hangups } from "./hangups.ts";
import { requireKeys } from "./keys.ts";
import { composePeople } from "./people.ts";
import { createReload, lookSeconds, stampOf } from "./reload.ts";
import { writeNote } from "./serve-client.ts";
import { shutDown, type Stopping } from "./shutdown.ts";
import { createSupervisor, monotonic, type Supervisor } from "./supervisor.ts";
import { startUpkeep } from "./upkeep.ts";
import { defineVerb, equipArgs } from "./verb.ts";
import { createVitals, type Vitals } from "./vitals.ts";

/** How often it is looked whether what waits for a time is due: approvals, clearings, maintenance. */
const ROUNDS_SECONDS = 2;

export const serve = defineVerb({
  name: "serve",
  description: "Take alerts and heal, until told to stop",
  args: {
    "dry-run": { type: "boolean", description: "Look, plan and write down what would be done; run no fix" },
    ...equipArgs,
    "log-level": {
      type: "enum",
      options: ["debug", "info", "warning", "error"],
      default: "info",
      description: "The least that is logged",
    },
    "log-json": { type: "boolean", description: "Log one JSON object a line" },
  },
  async run(args, context): Promise<ExitCode> {
    using hangups = hearHangups(context);
    const known = stampOf(configPath(context, args.config));
    const equipped = await readEquipped(context, args);
    await requireKeys(Object.values(equipped.config.hosts), context.env);
    const write = (line: string): void => context.out.line(line);
    const log = await createLog({ level: args["log-level"], json: args["log-json"] === true, write });
    for (const { folder, why } of equipped.broken) log.error("plugin_skipped", { folder, why });
    const journal = openJournal(equipped.config.server.data, {
      now: Date.now,
      onListenerError: (error) => log.error("journal_listener_failed", { error: String(error) }),
    });
    try {
      const serving = await startServing(
        { ...equipped, journal, log, agentSocket: context.env["SSH_AUTH_SOCK"], dryRun: args["dry-run"] === true },
        equipped.config.server.data,
      );
      await untilStopped({ options: args, known, equipped, serving, hangups, context, journal, log });
      return 0;
    } finally {
      journal.close();
    }
  },
});

type Running = {
  options: EquipOptions;
  /** The stamp of hosts.yaml from before it was read. */
  known: string;
  equipped: Equipped;
  serving: Serving;
  hangups: Hangups;
  context: Context;
  journal: Journal;
  log: Log;
};

/** What a `serve` does beside its work, until it is told to stop or this breaks; then it has let go of everything. */
async function untilStopped(running: Running): Promise<void> {
  const { equipped, serving, context, journal, log } = running;
  const ends: (() => void)[] = [];
  let supervisor: Supervisor | undefined;
  try {
    supervisor = createSupervisor(context.env, log);
    const retainSeconds = (): number => serving.settings().config.server.retain;
    ends.push(startUpkeep({ journal, retainSeconds, log }));
    ends.push(reloading(running, supervisor));
    ends.push(supervisor.watch(() => serving.vitals.stalled()));
    await supervisor.say("READY=1", `STATUS=Looks after ${Object.keys(equipped.config.hosts).length} hosts`);
    await stopped(context);
  } finally {
    for (const end of ends.toReversed()) end();
    log.info("medic_stopping", {});
    void supervisor?.say("STOPPING=1");
    await serving.close();
    log.info("medic_stopped", {});
  }
}

/** Takes up hosts.yaml whenever it changes; returns how to stop that. */
function reloading(
  { options, known, equipped: { config: first }, serving, hangups, context, log }: Running,
  supervisor: Supervisor,
): () => void {
  const file = configPath(context, options.config);
  const reload = createReload<Equipped>({
    known,
    stamp: () => stampOf(file),
    read: () => readEquipped(context, options),
    take(next, why) {
      for (const { folder, why: fault } of next.broken) log.error("plugin_skipped", { folder, why: fault });
      const { added, removed, remade } = serving.take(next);
      const names = { added: added.join(","), removed: removed.join(","), reconnected: remade.join(",") };
      log.info("config_reloaded", { by: why, hosts: Object.keys(next.config.hosts).length, ...names });
      for (const setting of ["listen", "data"] as const) {
        if (isDeepStrictEqual(first.server[setting], next.config.server[setting])) continue;
        log.warning("restart_needed", { setting: `server.${setting}`, why: "it counts from the next start on" });
      }
    },
    log,
  });
  hangups.take(() => {
    void supervisor.say("RELOADING=1", monotonic());
    void reload.now("SIGHUP").then(() => supervisor.say("READY=1"));
  });
  const timer = setInterval(() => void reload.look(), lookSeconds * 1000);
  return () => clearInterval(timer);
}

export type Serving = Medic & { listening: Listening; vitals: Vitals; close(): Promise<void> };

/** A whole Medic that listens. With a `dataFolder`, other verbs find it through the note it leaves there. */
export async function startServing(
  parts: Parts & Pick<Equipped, "config"> & { dryRun?: boolean },
  dataFolder?: string,
): Promise<Serving> {
  const { config, journal, log, dryRun = false } = parts;
  const medic = composeMedic(parts, { dryRun, observes: true, asks: true });
  const vitals = createVitals({
    journal,
    stuck: () => medic.desk.stuck(),
    onFailure: (error) => log.error("round_failed", { error }),
  });
  const people = composePeople({
    journal,
    config: () => medic.settings().config,
    dataFolder,
    trouble: () => vitals.trouble("try"),
    log,
  });
  const local = newToken();
  const closing = new AbortController();
  const app = createApp({
    intake: medic.intake,
    journal,
    approvals: people.approvals,
    isSigned: (approval, signature) => people.isSigned(approval, signature),
    channels: () => people.channels(),
    maintenance: medic.maintenance,
    acceptHost(host, identity, by) {
      if (!Object.hasOwn(medic.settings().config.hosts, host)) return false;
      journal.note({ kind: "host-accepted", host, identity, by });
      log.info("host_accepted", { host, by, hostKey: identity.hostKey, machine: identity.machine });
      return true;
    },
    statistics: () => medic.transport.statistics(),
    runTool: async (call, signal) => {
      const now = medic.settings();
      if (!Object.hasOwn(now.config.hosts, call.host)) return undefined;
      // Whoever asked for a fix may hang up; the fix is watched to its end all the same.
      return medic.runTool(call, now.catalog.tool(call.tool)?.kind === "fix" ? closing.signal : signal);
    },
    // The note's token lives as long as this process and is readable by its user alone.
    get tokens() {
      return [...medic.settings().config.server.tokens, { name: "this machine", sha256: local.sha256, roles }];
    },
    get generic() {
      const { alerts } = medic.settings().config;
      return alerts.generic === undefined ? undefined : { mapping: alerts.generic, names: labelNames(alerts) };
    },
    get limits() {
      return medic.settings().config.limits;
    },
    trouble: () => vitals.trouble(),
    now: Date.now,
    log,
  });
  const listening = await listenOrExplain(app, config.server.listen, journal, medic, log);
  const stopping: Stopping = { medic, people, listening, closing, log, dataFolder };
  try {
    const url = `http://${listening.host.includes(":") ? `[${listening.host}]` : listening.host}:${listening.port}`;
    if (dataFolder !== undefined) writeNote(dataFolder, { url, token: local.token, pid });
    announce(parts, url);
    people.start();
    medic.desk.resume();
    medic.observeLeft();
  } catch (error) {
    // The open port would keep the process alive, and say that it is well.
    await shutDown(stopping);
    throw error;
  }
  const looks = [() => people.look(), () => medic.awaitClearing(), () => medic.desk.look()];
  const rounds = setInterval(() => {
    for (const look of looks) vitals.round(look);
  }, ROUNDS_SECONDS * 1000);
  return {
    ...medic,
    take(settings) {
      // First what may fail, since then all goes on as before.
      people.take(settings.config);
      return medic.take(settings);
    },
    listening,
    vitals,
    close: () => {
      clearInterval(rounds);
      return shutDown(stopping);
    },
  };
}

function announce({ config, catalog, log, dryRun = false }: Parameters<typeof startServing>[0], url: string): void {
  log.info("medic_serving", {
    version: packing.version,
    url,
    hosts: Object.keys(config.hosts).length,
    plugins: catalog.plugins.map(({ name }) => name).join(","),
    responders: config.responder.order
      .filter((name) => name === "runbook" || config.responder.apiKey !== undefined)
      .join(","),
  });
  if (dryRun) {
    log.warning("dry_run", {
      says: "no fix is run, whatever trust allows: what would be done is planned, shown and written down",
    });
  }
  if (config.server.tokens.length === 0) {
    log.warning("no_tokens", {
      advice: "no monitor can send alerts: run medic token new, and add it to server.tokens",
    });
  }
}

/** The labels a generic alert's host and service are put under: the first ones that intake looks at. */
function labelNames({ host: [host = "host"], service: [service = "service"] }: Config["alerts"]): LabelNames {
  return { host, service };
}

async function listenOrExplain(
  app: Parameters<typeof listen>[0],
  where: { host: string; port: number },
  journal: Journal,
  medic: Medic,
  log: Log,
): Promise<Listening> {
  try {
    return await listen(app, where);
  } catch (error) {
    log.debug("listen_failed", { error: String(error), journal: journal.trouble() });
    await medic.desk.close(0);
    await medic.transport.close();
    if (error instanceof ListenError) throw new UsageError(error.message);
    throw error;
  }
}

async function stopped({ stop }: Context): Promise<void> {
  if (stop.aborted) return;
  await new Promise<void>((resolve) => {
    stop.addEventListener("abort", () => resolve(), { once: true });
  });
}
