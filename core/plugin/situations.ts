// Runs a plugin's inquiries in every situation its cases know: each runbook after each outcome of each fix, each plan on
// each finding, and all of them where the host cannot tell. They may escalate or refuse; they may not break, and they
// have to come to an end.
import * as v from "valibot";
import { validInput, validOptions } from "./case-run.ts";
import type { Case } from "./cases.ts";
import type { Call, Decision, Diagnostic, Fix, FixOutcome, Incident, Inquiry, Plugin, Runbook } from "./contract.ts";

const outcomes: readonly FixOutcome[] = [
  "fixed",
  "recovered",
  "not-fixed",
  "unverified",
  "refused",
  "failed",
  "unknown",
];
const ROUNDS_MAX = 50;
/** More findings of one tool show nothing new, and everything is tried with each. */
const FINDINGS_MAX = 30;

/** Findings by tool, as its parser makes them of the answers in the cases. */
export type Findings = ReadonlyMap<string, readonly object[]>;

/** What the plugin's own diagnostics find in its cases. */
export function findingsOf(plugin: Plugin, cases: readonly Case[]): Findings {
  const found = new Map<string, object[]>();
  for (const one of cases) {
    if (!("tool" in one) || one.tool.answer === undefined || one.tool.invalid !== undefined) continue;
    const tool = plugin.tools.find(({ name }) => name === one.tool.tool);
    if (tool?.kind !== "diagnostic") continue;
    const list = found.get(tool.name) ?? [];
    if (list.length < FINDINGS_MAX) {
      list.push(tool.parse(one.tool.answer, validInput(tool, one.tool.input), validOptions(plugin, one.options)));
    }
    found.set(tool.name, list);
  }
  return found;
}

/** Where a runbook breaks, never ends, or decides what nobody can do: one sentence each. */
export function runbookProblems(
  plugin: Plugin,
  runbook: Runbook,
  cases: readonly Case[],
  findings: Findings,
): string[] {
  const fixes = plugin.tools.filter((tool) => tool.kind === "fix");
  const own = cases.flatMap((one) => ("runbook" in one && one.runbook.runbook === runbook.title ? [one] : []));
  const applying = own.filter((one) => one.runbook.applies);
  const incidents = unlike(
    applying.map((one) => ({
      incident: { ...one.runbook.incident, service: one.runbook.incident.service },
      options: one.options,
    })),
  );
  const problems = new Set<string>();
  const told = unlike(applying.map((one) => one.runbook.answers)).map(answerOf);
  for (const { incident, options } of incidents) {
    const settings = validOptions(plugin, options);
    for (const attempts of [incident.attempts, ...fixes.flatMap((fix) => attemptsOf(fix, incident))]) {
      const now: Incident = { ...incident, attempts };
      for (const answer of [...answersOf(findings), ...told]) {
        const after = attempts.length === 0 ? "" : ` after ${attempts.map((one) => one.outcome).join(", ")}`;
        try {
          const end = concluded(runbook.decide(now, settings), answer);
          const problem = end === "endless" ? "never ends" : decisionProblem(end);
          if (problem !== undefined) problems.add(`${problem}${after}`);
        } catch (error) {
          problems.add(`breaks${after}: ${String(error)}`);
        }
      }
    }
  }
  return [...problems];
}

/** Where a fix's plan, marker or health breaks on a finding: one sentence each. */
export function planProblems(fix: Fix, input: object, options: object, findings: Findings): string[] {
  const problems = new Set<string>();
  const watched = Object.entries(fix.watch(input, options));
  for (const answer of answersOf(findings)) {
    const seenOf = (calls: readonly [string, Call][]) =>
      Object.fromEntries(calls.map(([key, call]) => [key, answer(call, key)]));
    const before = seenOf(watched);
    // Core refuses a fix that is blind, so it never plans on what could not be seen.
    if (Object.values(before).some((finding) => "unavailable" in finding)) continue;
    try {
      if (concluded(fix.plan(input, options, before), answer) === "endless") problems.add("plan never ends");
      fix.marker?.(before);
      const traces = Object.entries(fix.traces?.(input, options, 60) ?? {});
      fix.pending?.(before, seenOf(traces));
      fix.healthy(before, before, input);
      fix.hopeless?.(before, before, input);
    } catch (error) {
      problems.add(`breaks on ${JSON.stringify(before).slice(0, 200)}: ${String(error)}`);
    }
  }
  return [...problems];
}

type Answer = (call: Call, key: string) => object;

const blind: Answer = ({ tool }) => ({ unavailable: `"${tool.name}" cannot tell` });

/** What a case says that was found, also by another plugin's tools; it knows them by what the runbook calls them. */
function answerOf(answers: Readonly<Record<string, object | object[]>>): Answer {
  return (call, key) => {
    const given = answers[key];
    return (Array.isArray(given) ? given.at(-1) : given) ?? blind(call, key);
  };
}

/** Each once: cases differ in their answers more than in their incidents, and everything is tried with each. */
function unlike<T>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

/** A host that cannot tell; then one that shows, for each tool, its first finding, its second, and so on. */
function answersOf(findings: Findings): Answer[] {
  const most = Math.max(0, ...[...findings.values()].map((list) => list.length));
  return [
    blind,
    ...Array.from({ length: most }, (_, index): Answer => (call, key) => {
      const list = findings.get(call.tool.name) ?? [];
      return list[index % Math.max(1, list.length)] ?? blind(call, key);
    }),
  ];
}

function attemptsOf(fix: Fix, { attempts }: Incident): Incident["attempts"][] {
  const after = { fix: fix.name, input: {}, why: "as the kit says" };
  const neverBegan = { outcome: "failed", facts: { began: "no", changed: "no", healthy: "unknown" } } as const;
  return [...outcomes.map((outcome) => ({ outcome })), neverBegan].map((became) => [
    ...attempts,
    { ...after, ...became },
  ]);
}

function concluded<T>(inquiry: Inquiry<T>, answer: Answer): T | "blind" | "endless" {
  let step = inquiry.next();
  for (let round = 0; step.done !== true; round++) {
    if (round >= ROUNDS_MAX) return "endless";
    const question = step.value;
    if ("pauseSeconds" in question) {
      step = inquiry.next();
      continue;
    }
    const seen = Object.fromEntries(
      Object.entries(question.ask).map(([key, call]) => {
        requireInput(call.tool, call.input);
        return [key, answer(call, key)];
      }),
    );
    if (question.must && Object.values(seen).some((finding) => "unavailable" in finding)) return "blind";
    step = inquiry.next(seen);
  }
  return step.value;
}

function decisionProblem(decision: Decision | "blind"): string | undefined {
  if (decision === "blind") return undefined;
  if ("fix" in decision) {
    const { tool, input } = decision.fix;
    return v.is(tool.input, input) ? undefined : `decides for "${tool.name}" with an input that it does not take`;
  }
  const words = "well" in decision ? decision.well : decision.escalate;
  return typeof words === "string" && words.trim() !== "" ? undefined : "ends without saying why";
}

function requireInput(tool: Diagnostic, input: object): void {
  if (!v.is(tool.input, input)) throw new Error(`asks "${tool.name}" with an input that it does not take`);
}
