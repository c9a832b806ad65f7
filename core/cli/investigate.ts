// `medic investigate --host H [--service S] [--dry-run]`: a person asks for what an alert would start. While `serve` runs
// it is done there and followed from here; else in this process. A dry run looks, plans and writes down, and changes nothing.
import { setTimeout as delay } from "node:timers/promises";
import { isActive, type IncidentRecord, type JournalEvent } from "../incident/incident.ts";
import { type Journal, readJournal } from "../incident/journal.ts";
import { silent } from "../log.ts";
import { composeMedic } from "./compose.ts";
import { type Equipped, readEquipped } from "./config-file.ts";
import { CannotTell, type Context, type ExitCode, UsageError } from "./context.ts";
import { requireKeys } from "./keys.ts";
import { callServe, errorOf, openUnlessServed, readNote, type ServeNote } from "./serve-client.ts";
import { eventLines, stateInWords, storyLines } from "./story.ts";
import { defineVerb, equipArgs, jsonArg } from "./verb.ts";

const FOLLOW_MS = 300;

export const investigate = defineVerb({
  name: "investigate",
  description: "Look at a service and heal it, as an alert would make Medic do",
  args: {
    host: { type: "string", description: "A host of hosts.yaml", valueHint: "name", required: true },
    service: { type: "string", description: "A container or unit; without it, the host itself", valueHint: "name" },
    "dry-run": { type: "boolean", description: "Look and plan, change nothing" },
    ...equipArgs,
    ...jsonArg,
  },
  async run(args, context) {
    const equipped = await readEquipped(context, args);
    await requireKeys(
      Object.values(equipped.config.hosts).filter(({ name }) => name === args.host),
      context.env,
    );
    const folder = equipped.config.server.data;
    const wanted = { host: args.host, service: args.service, dryRun: args["dry-run"] === true };
    const progress = args.json === true ? () => undefined : (event: JournalEvent): void => narrate(event, context);
    const journal = openUnlessServed(folder);
    const { record, events } =
      journal === undefined
        ? await atServe(folder, wanted, context, progress)
        : await here(equipped, journal, wanted, context, progress);
    if (args.json === true) context.out.json({ incident: record, events });
    else {
      context.out.line();
      for (const line of storyLines(record, [], context.out.paint)) context.out.line(line);
    }
    return exitCodeOf(record);
  },
});

type Wanted = { host: string; service: string | undefined; dryRun: boolean };
type Told = { record: IncidentRecord; events: JournalEvent[] };

async function here(
  equipped: Equipped,
  journal: Journal,
  { host, service, dryRun }: Wanted,
  context: Context,
  progress: (event: JournalEvent) => void,
): Promise<Told> {
  const agentSocket = context.env["SSH_AUTH_SOCK"];
  const medic = composeMedic({ ...equipped, journal, log: silent, agentSocket }, { dryRun });
  journal.subscribe(progress);
  try {
    const taken = await medic.intake.investigate(host, service, dryRun);
    if ("refused" in taken) throw new UsageError(taken.refused);
    // A serve that was killed may have left the very incident; the others are the next one's.
    medic.desk.resume(taken.id);
    await Promise.race([medic.desk.idle(), stopped(context)]);
    return { record: journal.incident(taken.id) as IncidentRecord, events: journal.events(taken.id) };
  } finally {
    await medic.desk.close(0);
    await medic.transport.close();
    journal.close();
  }
}

async function atServe(
  folder: string,
  wanted: Wanted,
  context: Context,
  progress: (event: JournalEvent) => void,
): Promise<Told> {
  const note = readNote(folder) as ServeNote;
  const { dryRun, ...where } = wanted;
  // Left out where it is not asked for: a serve of before an update knows no such thing.
  const body = dryRun ? wanted : where;
  const answer = await callServe(note, "/incidents", { method: "POST", body, signal: context.stop });
  if (answer.status !== 202) throw new UsageError(errorOf(answer.body));
  const { id } = (answer.body as { incident: { id: string } }).incident;
  const journal = readJournal(folder, { now: Date.now });
  try {
    let told = 0;
    for (;;) {
      const record = journal.incident(id);
      const events = journal.events(id);
      for (const event of events.slice(told)) progress(event);
      told = events.length;
      if (record !== undefined && !isActive(record.state)) return { record, events };
      await delay(FOLLOW_MS, undefined, { signal: context.stop });
    }
  } finally {
    journal.close();
  }
}

function narrate(event: JournalEvent, { out }: Context): void {
  for (const line of eventLines(event, out.paint)) out.line(line);
}

async function stopped({ stop }: Context): Promise<never> {
  return new Promise((_, reject) => {
    const give = (): void => reject(stop.reason as Error);
    if (stop.aborted) give();
    else stop.addEventListener("abort", give, { once: true });
  });
}

function exitCodeOf(record: IncidentRecord): ExitCode {
  if (record.state.is === "resolved") return 0;
  if (record.state.is === "escalated" || record.state.is === "dismissed") return 1;
  throw new CannotTell(`The incident ${record.id} is not over: ${stateInWords(record)}`);
}
