// The cases of a plugin: YAML transcripts that are its tests. This file knows their format and reads them; what a case
// proves is case-run.ts's. A mistake in a case file is reported with its file, its case and its key.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { type Document, LineCounter, parseDocument, visit } from "yaml";

const record = v.record(v.string(), v.unknown());
const argv = v.pipe(v.array(v.string()), v.minLength(1));
const finding = v.looseObject({});

const answer = v.strictObject({
  exit: v.optional(v.pipe(v.number(), v.integer()), 0),
  stdout: v.optional(v.string(), ""),
  stderr: v.optional(v.string(), ""),
  cutBytes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
});

const fact = v.optional(v.picklist(["yes", "no", "unknown"]), "unknown");

const attempt = v.strictObject({
  fix: v.string(),
  input: v.optional(record, {}),
  outcome: v.picklist(["fixed", "recovered", "not-fixed", "unverified", "refused", "failed", "unknown"]),
  why: v.optional(v.string(), ""),
  facts: v.exactOptional(v.strictObject({ began: fact, changed: fact, healthy: fact })),
});

const incident = v.strictObject({
  host: v.optional(v.string(), "nexus"),
  service: v.optional(v.string()),
  alert: v.optional(
    v.strictObject({
      name: v.optional(v.string(), "TestAlert"),
      labels: v.optional(v.record(v.string(), v.string()), {}),
      annotations: v.optional(v.record(v.string(), v.string()), {}),
      startsAt: v.optional(v.string(), "2026-11-23T12:00:00Z"),
    }),
    {},
  ),
  attempts: v.optional(v.array(attempt), []),
  earlier: v.exactOptional(v.array(attempt)),
});

const common = { name: v.pipe(v.string(), v.nonEmpty()), options: v.optional(record) };
/** A list answers the same question asked again: first, second, … */
const answers = v.optional(v.record(v.string(), v.union([v.array(finding), finding])), {});

const toolCase = v.strictObject({
  ...common,
  tool: v.string(),
  input: v.optional(record, {}),
  invalid: v.optional(v.string()),
  arguments: v.optional(v.array(v.string())),
  command: v.optional(argv),
  answer: v.optional(answer),
  finding: v.optional(finding),
  unavailable: v.optional(v.string()),
  refused: v.optional(v.string()),
  before: v.optional(v.record(v.string(), finding)),
  answers,
  plan: v.optional(
    v.strictObject({
      steps: v.array(argv),
      touches: v.array(v.string()),
      approval: v.optional(v.string()),
      withinSeconds: v.optional(v.number()),
    }),
  ),
  after: v.optional(v.record(v.string(), finding)),
  healthy: v.optional(v.boolean()),
  marker: v.optional(v.string()),
  traces: v.exactOptional(v.record(v.string(), finding)),
  pending: v.optional(v.boolean()),
  hopeless: v.optional(v.string()),
});

const runbookCase = v.strictObject({
  ...common,
  runbook: v.string(),
  incident,
  applies: v.optional(v.boolean(), true),
  answers,
  decision: v.optional(
    v.union([
      v.strictObject({ fix: v.string(), input: v.optional(record) }),
      v.strictObject({ escalate: v.string() }),
      v.strictObject({ well: v.string() }),
    ]),
  ),
});

const caseFile = v.strictObject({
  recorded: v.optional(
    v.strictObject({
      date: v.pipe(v.string(), v.regex(/^\d{4}-\d{2}-\d{2}$/, "a date like 2026-11-23 is expected")),
      versions: v.record(v.string(), v.string()),
    }),
  ),
  written: v.optional(v.literal(true)),
  options: v.optional(record, {}),
  cases: v.pipe(v.array(record), v.minLength(1)),
});

export type ToolCase = v.InferOutput<typeof toolCase>;
export type RunbookCase = v.InferOutput<typeof runbookCase>;
/** One case with the file it stands in and the options it runs with. */
export type Case = { file: string; options: object } & ({ tool: ToolCase } | { runbook: RunbookCase });

/** The cases of a plugin's folder, and what is wrong with its case files. */
export async function readCases(folder: string): Promise<{ cases: Case[]; problems: string[] }> {
  const names = await readdir(join(folder, "cases")).catch(() => []);
  const files = names.filter((name) => /\.ya?ml$/.test(name)).toSorted();
  const texts = await Promise.all(files.map((name) => readFile(join(folder, "cases", name), "utf8")));
  const read = files.map((name, index) => parseCases(name, texts[index] ?? ""));
  const problems = read.flatMap((one) => one.problems);
  if (files.length === 0) problems.push(`"${folder}" has no cases: add cases/*.yaml`);
  return { cases: read.flatMap((one) => one.cases), problems };
}

/** One case file. Every problem names the file, and the case where there is one. */
export function parseCases(file: string, text: string): { cases: Case[]; problems: string[] } {
  const lines = new LineCounter();
  // The core schema keeps `2026-11-23` a string; `<<: *name` lets a case say only what differs.
  const document = parseDocument(text, { lineCounter: lines, schema: "core", merge: true });
  // One mistake makes many errors; the first is the mistake.
  const broken = document.errors[0];
  if (broken !== undefined) return { cases: [], problems: [`${file}: ${broken.message.split("\n")[0]}`] };
  const unknown = unknownAlias(document);
  if (unknown !== undefined)
    return { cases: [], problems: [`${file}: "*${unknown}" stands before "&${unknown}", or without it`] };
  // Plugins are trusted code, so their many aliases are no attack.
  const parsed = v.safeParse(caseFile, document.toJS({ maxAliasCount: -1 }));
  if (!parsed.success) return { cases: [], problems: parsed.issues.map((issue) => `${file}: ${wordsOf(issue)}`) };
  const { recorded, written, options } = parsed.output;
  const problems: string[] = [];
  if ((recorded === undefined) === (written === undefined)) {
    problems.push(`${file}: say where its answers come from: either "recorded: { date, versions }" or "written: true"`);
  }
  const cases = parsed.output.cases.flatMap((raw, index) => {
    const one = parseCase(raw);
    const name = typeof raw["name"] === "string" ? `"${raw["name"]}"` : `case ${index + 1}`;
    if ("problems" in one) {
      problems.push(...one.problems.map((problem) => `${file}: ${name}: ${problem}`));
      return [];
    }
    return [{ file, options: { ...options, ...(raw["options"] as object | undefined) }, ...one }];
  });
  return { cases, problems };
}

/** An alias that names no anchor before it; the parser would throw at it. */
function unknownAlias(document: Document.Parsed): string | undefined {
  let unknown: string | undefined;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      unknown = alias.source;
      return visit.BREAK;
    },
  });
  return unknown;
}

function parseCase(raw: object): { tool: ToolCase } | { runbook: RunbookCase } | { problems: string[] } {
  if ("runbook" in raw) {
    const parsed = v.safeParse(runbookCase, raw);
    if (!parsed.success) return { problems: parsed.issues.map(wordsOf) };
    const { applies, decision } = parsed.output;
    if (applies === (decision === undefined)) return { problems: ['expects either "decision" or "applies: false"'] };
    return { runbook: parsed.output };
  }
  const parsed = v.safeParse(toolCase, raw);
  if (!parsed.success) return { problems: parsed.issues.map(wordsOf) };
  return { tool: parsed.output };
}

/** One valibot issue in words: where, what was got, what is expected. */
export function wordsOf(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  return path === null ? issue.message : `${path}: ${issue.message}`;
}
