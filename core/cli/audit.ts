// `medic audit verify | export | head`: whether the journal is what was written, all of it as lines of JSON, and its last
// hash. Reads only, also beside a running `serve`, or a copy of the file that lies anywhere.
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Audited, Kept } from "../incident/audit.ts";
import { FILE, type Journal, readJournal, readJournalFile } from "../incident/journal.ts";
import { readConfig } from "./config-file.ts";
import { CannotTell, type Context, type ExitCode, UsageError } from "./context.ts";
import { sinceOf } from "./since.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

const fileArg = {
  file: {
    type: "positional",
    description: "A copy of journal.sqlite; without it, the journal of hosts.yaml's server.data",
    required: false,
  },
} as const;

export const auditVerify = defineVerb({
  name: "verify",
  description: "Check that no event was changed or removed; names the first one that does not fit",
  args: {
    ...fileArg,
    head: {
      type: "string",
      description: "A head kept elsewhere (audit head, a notification): also finds an end that was cut off",
      valueHint: "[sequence:]hash",
    },
    ...configArg,
    ...jsonArg,
  },
  run(args, context) {
    const kept = args.head === undefined ? undefined : keptHead(args.head);
    return withFile(context, args, (journal) => {
      const audited = journal.audit(kept);
      if (args.json === true) context.out.json(audited);
      else for (const line of verdictLines(audited, args.head)) context.out.line(line);
      return exitCodeOf(audited);
    });
  },
});

export const auditHead = defineVerb({
  name: "head",
  description: "Print the last event's sequence and hash, to be kept elsewhere",
  args: { ...fileArg, ...configArg, ...jsonArg },
  run(args, context) {
    return withFile(context, args, (journal) => {
      const head = journal.head();
      if (args.json === true) context.out.json(head);
      else context.out.line(`${head.sequence}:${head.hash}`);
      return 0;
    });
  },
});

export const auditExport = defineVerb({
  name: "export",
  description: "Print events as lines of JSON, each with its sequence, hash and body, oldest first",
  args: {
    ...fileArg,
    since: { type: "string", description: "How far back, e.g. 30d or 2026-11-01", valueHint: "time" },
    incident: { type: "string", description: "Only of this incident", valueHint: "id" },
    ...configArg,
  },
  run(args, context) {
    const since = args.since === undefined ? {} : { sinceMs: sinceOf(args.since, Date.now()) };
    return withFile(context, args, (journal) => {
      const { incident } = args;
      if (incident !== undefined && journal.incident(incident) === undefined) {
        throw new UsageError(`Cannot export incident "${incident}": there is none. See medic incidents`);
      }
      for (const line of journal.exportLines({ ...since, ...(incident === undefined ? {} : { incident }) })) {
        context.stop.throwIfAborted();
        context.out.line(line);
      }
      return 0;
    });
  },
});

function withFile<T>(
  context: Context,
  { file, config: option }: { file?: string | undefined; config?: string | undefined },
  read: (journal: Journal) => T,
): T {
  const journal = opened(context, file, option);
  try {
    return read(journal);
  } finally {
    journal.close();
  }
}

/** A copy needs no hosts.yaml: it may lie on a machine that has none. */
function opened(context: Context, file: string | undefined, option: string | undefined): Journal {
  const clock = { now: Date.now };
  if (file === undefined) return readJournal(readConfig(context, option).config.server.data, clock);
  const path = resolve(context.folder, file);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return readJournalFile(isFolder ? join(path, FILE) : path, clock);
}

function keptHead(written: string): Kept {
  const [, sequence, hash = ""] = /^(?:(\d{1,15}):)?([0-9a-f]{12,64})$/.exec(written) ?? [];
  if (hash !== "") return { hash, ...(sequence === undefined ? {} : { sequence: Number(sequence) }) };
  throw new UsageError(
    `Cannot read --head "${written}": write it as medic audit head prints it, or 12 of its hash's digits`,
  );
}

function verdictLines(audited: Audited, written: string | undefined): string[] {
  if (!audited.intact) return [`Broken at event ${audited.sequence}: ${audited.why}.`];
  const { events, head, checkpoint, kept } = audited;
  const lines = [`Intact: ${events} events, the last one is ${head.sequence}:${head.hash}`];
  if (checkpoint !== undefined) {
    const day = checkpoint.at.slice(0, 10);
    lines.push(
      `It begins after event ${checkpoint.through}: older ones were removed under checkpoint ${checkpoint.sequence}, ${day}`,
    );
  }
  if (kept?.is === "found") lines.push(`The head given is event ${kept.sequence}; ${kept.eventsAfter} came after it`);
  if (kept?.is === "missing") lines.push(`Cut off or replaced: no event is "${written}".`);
  return lines;
}

function exitCodeOf(audited: Audited): ExitCode {
  if (!audited.intact || audited.kept?.is === "missing") return 1;
  if (audited.kept?.is !== "pruned") return 0;
  throw new CannotTell("Cannot say whether the head given was there: it is older than the last checkpoint");
}
