// `medic incidents [show ID]` and `medic explain ID`: what the journal says, read beside a running `serve`.
import { type Journal, readJournal } from "../incident/journal.ts";
import type { IncidentRecord } from "../incident/incident.ts";
import { conversationsOf, modelLines } from "./as-model.ts";
import { type EquipOptions, readConfig, readEquipped } from "./config-file.ts";
import { type Context, type ExitCode, type Output, tableLines, UsageError } from "./context.ts";
import { stateInWords, storyLines } from "./story.ts";
import { configArg, defineVerb, equipArgs, jsonArg } from "./verb.ts";

const idArg = {
  id: { type: "positional", description: "An incident's id, or the beginning of it that no other has", required: true },
} as const;

export const incidents = defineVerb({
  name: "incidents",
  description: "List incidents, newest first, or show one",
  args: {
    show: { type: "positional", description: "`show` and an id, for one incident whole", required: false },
    id: { ...idArg.id, required: false },
    limit: { type: "string", description: "How many at most", default: "20" },
    ...configArg,
    ...jsonArg,
  },
  run(args, context) {
    const { out } = context;
    return withJournal(context, args.config, (journal) => {
      if (args.show !== undefined) {
        if (args.show !== "show" || args.id === undefined) {
          throw new UsageError(
            `Cannot run "incidents ${args.show}": write medic incidents, or medic incidents show ID`,
          );
        }
        return show(journal, args.id, args.json === true, out);
      }
      const limit = Number(args.limit);
      if (!Number.isInteger(limit) || limit < 1)
        throw new UsageError(`Cannot list "${args.limit}" incidents: --limit takes a whole number from 1 on`);
      const records = journal.incidents({ limit });
      if (args.json === true) out.json({ incidents: records });
      else for (const line of listLines(records)) out.line(line);
      return 0;
    });
  },
});

export const explain = defineVerb({
  name: "explain",
  description: "Tell an incident's story: what was seen, done, proven, and why nothing more",
  args: {
    ...idArg,
    "as-model": { type: "boolean", description: "Show what a model was given, or would be: rules, tools, texts" },
    ...equipArgs,
    ...jsonArg,
  },
  async run(args, context) {
    if (args["as-model"] === true) return explainAsModel(context, args, args.id, args.json === true);
    return withJournal(context, args.config, (journal) => show(journal, args.id, args.json === true, context.out));
  },
});

async function explainAsModel(context: Context, options: EquipOptions, id: string, asJson: boolean): Promise<ExitCode> {
  const { catalog } = await readEquipped(context, options);
  return withJournal(context, options.config, (journal) => {
    const record = find(journal, id);
    const conversations = conversationsOf(catalog, record, journal.events(record.id));
    if (asJson) context.out.json({ incident: record.id, conversations });
    else for (const line of modelLines(conversations, context.out.paint)) context.out.line(line);
    return 0;
  });
}

function show(journal: Journal, id: string, asJson: boolean, out: Output): ExitCode {
  const record = find(journal, id);
  const events = journal.events(record.id);
  if (asJson) out.json({ incident: record, events });
  else for (const line of storyLines(record, events, out.paint)) out.line(line);
  return 0;
}

function withJournal<T>(context: Context, option: string | undefined, read: (journal: Journal) => T): T {
  const { config } = readConfig(context, option);
  const journal = readJournal(config.server.data, { now: Date.now });
  try {
    return read(journal);
  } finally {
    journal.close();
  }
}

function find(journal: Journal, id: string): IncidentRecord {
  const exact = journal.incident(id);
  if (exact !== undefined) return exact;
  const found = journal.incidents().filter((record) => record.id.startsWith(id));
  if (found.length === 1 && found[0] !== undefined) return found[0];
  const why = found.length === 0 ? "there is none" : `${found.length} begin so`;
  throw new UsageError(`Cannot show incident "${id}": ${why}. See medic incidents`);
}

function listLines(records: readonly IncidentRecord[]): string[] {
  if (records.length === 0) return ["No incidents yet."];
  const rows = records.map((record) => [record.id, record.openedAt.slice(0, 19), record.key, stateInWords(record)]);
  return tableLines(["id", "opened (UTC)", "what", "state"], rows);
}
