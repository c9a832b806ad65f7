// What every plugin has to keep, whoever wrote it: its cases hold, every tool and runbook has one, its functions are
// pure, hostile input stays an argument, a diagnostic ends and changes nothing, a fix can be proved. Yields named checks,
// so that a test runner shows each and `medic plugin test` prints them. Needs no host.
import assert from "node:assert/strict";
import * as v from "valibot";
import { answered, runCase, validInput, validOptions } from "./case-run.ts";
import { readCases, wordsOf, type Case, type ToolCase } from "./cases.ts";
import { endlessProblems, mutatingProblems } from "./command-rules.ts";
import type { Command, Diagnostic, Fix, Plugin, Runbook, Schema } from "./contract.ts";
import { parseProblems, sizeProblems } from "./garbage.ts";
import { hostileProblems } from "./hostile.ts";
import { loadPlugin, type Shipped } from "./load.ts";
import { frozen, purityProblem, watchedOptions } from "./purity.ts";
import { schemaProblem } from "./schema.ts";
import { findingsOf, planProblems, runbookProblems } from "./situations.ts";
import { proofProblems } from "./proof.ts";

/** What a check is about; docs/plugins.md tells what each asks for. */
export type Rule =
  | "loads"
  | "case"
  | "has-cases"
  | "options"
  | "schema"
  | "hostile"
  | "pure"
  | "ends"
  | "reads-only"
  | "parse"
  | "small"
  | "proof"
  | "every-situation";

/** One thing a plugin has to keep; `run` throws when it does not. */
export type Check = { rule: Rule; name: string; run(): void };

/** Why a check does not hold; undefined when it does. */
export function whyBroken({ run }: Check): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

/** All checks of the plugin in a folder. A folder that holds none gives one check, which says why. */
export async function checkPlugin(shipped: Shipped, folder: string): Promise<{ plugin: string; checks: Check[] }> {
  const loaded = await loadPlugin(shipped, folder);
  if ("why" in loaded) {
    return { plugin: folder, checks: [check("loads", "is a plugin", () => assert.fail(loaded.why))] };
  }
  const { plugin } = loaded;
  const { cases, problems } = await readCases(folder);
  return {
    plugin: plugin.name,
    checks: [
      check("has-cases", "has case files that can be read", () => assert.deepEqual(problems, [])),
      check("options", "takes no options at all, or says which are vital", () => checkDefaults(plugin)),
      check("options", "reads only options that its schema has", () => none(unknownOptions(plugin, cases))),
      check("reads-only", "reads nothing by sudo that is known to change a host", () => none(changingReads(plugin))),
      ...cases.map((one) => check("case", titleOf(one), () => runCase(plugin, one))),
      ...plugin.tools.flatMap((tool) => toolChecks(plugin, tool, cases)),
      ...plugin.runbooks.flatMap((runbook) => [
        check("has-cases", `has a case for the runbook "${runbook.title}"`, () =>
          assert.ok(cases.some((one) => "runbook" in one && one.runbook.runbook === runbook.title)),
        ),
        check("pure", `the runbook "${runbook.title}" decides from what it is given alone`, () =>
          none(impureDecisions(plugin, runbook, cases)),
        ),
        check("every-situation", `the runbook "${runbook.title}" comes to an end in every situation`, () =>
          none(runbookProblems(plugin, runbook, cases, findingsOf(plugin, cases))),
        ),
      ]),
    ],
  };
}

/** One case of a tool with what it runs on. */
type Prepared = { one: ToolCase; input: object; options: object };

function toolChecks(plugin: Plugin, tool: Diagnostic | Fix, all: readonly Case[]): Check[] {
  const cases = casesOf(all, tool.name);
  const prepared = (): Prepared[] =>
    cases.map(({ one, options }) => ({
      one,
      input: frozen(validInput(tool, one.input)),
      options: frozen(validOptions(plugin, options)),
    }));
  return [
    check("schema", `${tool.name} takes what JSON Schema can say`, () => none(schemaProblems(tool.input))),
    check("hostile", `${tool.name} keeps hostile input out of its commands`, () => {
      const problems = cases.flatMap(({ one, options }) => {
        const commands = commandsOf(tool, one, validOptions(plugin, options));
        return commands === undefined ? [] : hostileProblems(tool, one.input, commands);
      });
      none(problems);
    }),
    check("has-cases", `${tool.name} has the cases that its kind needs`, () => none(missingCases(tool, cases))),
    ...(tool.kind === "diagnostic" ? diagnosticChecks(tool, prepared) : fixChecks(plugin, tool, prepared, all)),
  ];
}

function missingCases({ kind }: Diagnostic | Fix, cases: readonly { one: ToolCase }[]): string[] {
  const needed = {
    diagnostic: [["answer", "no case has an answer and what it finds in it"]],
    fix: [
      ["plan", "no case expects a plan"],
      ["after", "no case judges what comes after the fix"],
    ],
  } as const;
  return needed[kind].flatMap(([key, why]) => (cases.some(({ one }) => one[key] !== undefined) ? [] : [why]));
}

function diagnosticChecks(tool: Diagnostic, prepared: () => Prepared[]): Check[] {
  const commands = ({ input, options }: Prepared): Command[] => {
    const command = tool.command(input, options);
    return "refused" in command ? [] : [command];
  };
  const answers = ({ one }: Prepared) => (one.answer === undefined ? [] : [frozen(one.answer)]);
  return [
    check("pure", `${tool.name} makes its command and reads its answer from what it is given alone`, () =>
      none(
        prepared().flatMap((each) => [
          purityProblem("command", () => tool.command(each.input, each.options)),
          ...answers(each).map((answer) => purityProblem("parse", () => tool.parse(answer, each.input, each.options))),
        ]),
      ),
    ),
    check("ends", `${tool.name} ends by itself`, () => none(prepared().flatMap(commands).flatMap(endlessProblems))),
    check("reads-only", `${tool.name} runs nothing that is known to change a host`, () =>
      none(prepared().flatMap(commands).flatMap(mutatingProblems)),
    ),
    check("parse", `${tool.name} survives answers that are none`, () =>
      none(prepared().flatMap((each) => parseProblems(tool, each.input, each.options, answers(each)))),
    ),
    check("small", `${tool.name} keeps its findings small`, () =>
      none(prepared().flatMap((each) => sizeProblems(tool, each.input, each.options, answers(each)))),
    ),
  ];
}

function fixChecks(plugin: Plugin, fix: Fix, prepared: () => Prepared[], all: readonly Case[]): Check[] {
  return [
    check("pure", `${fix.name} plans and judges from what it is given alone`, () =>
      none(
        prepared().flatMap(({ one, input, options }) => {
          const before = frozen(one.before ?? {});
          const after = one.after === undefined ? undefined : frozen(one.after);
          if (after !== undefined) {
            const traces = frozen(one.traces ?? {});
            return [
              purityProblem("healthy", () => fix.healthy(after, before, input)),
              purityProblem("marker", () => fix.marker?.(after)),
              // What was noted stands in the cases that are about it.
              fix.traces !== undefined && one.traces === undefined
                ? undefined
                : purityProblem("pending", () => fix.pending?.(after, traces)),
              purityProblem("traces", () => fix.traces?.(input, options, 60)),
              purityProblem("hopeless", () => fix.hopeless?.(after, before, input)),
            ];
          }
          const steps = commandsOf(fix, { ...one, before }, options);
          return steps === undefined ? [] : [purityProblem("plan", () => steps(input))];
        }),
      ),
    ),
    check("proof", `${fix.name} can be proved, and can be seen to fail`, () => {
      none(proofProblems(fix, prepared()));
    }),
    check("every-situation", `${fix.name} plans or refuses in every situation`, () =>
      none(prepared().flatMap(({ input, options }) => planProblems(fix, input, options, findingsOf(plugin, all)))),
    ),
  ];
}

/** How a case makes a tool's commands: a diagnostic's own; of a fix, the steps it plans on what the case has seen. */
export function commandsOf(
  tool: Diagnostic | Fix,
  one: ToolCase,
  options: object,
): ((input: object) => readonly Command[] | { refused: string }) | undefined {
  if (tool.kind === "diagnostic") {
    return (input) => {
      const command = tool.command(input, options);
      return "refused" in command ? command : [command];
    };
  }
  const { before, plan } = one;
  if (before === undefined || plan === undefined) return undefined;
  return (input) => {
    const inquiry = tool.plan(input, options, before);
    let step = inquiry.next();
    while (step.done !== true) step = inquiry.next("ask" in step.value ? one.answers : undefined);
    return "refused" in step.value ? step.value : step.value.steps;
  };
}

/** What is impure about a runbook in its cases. One that a case does not hold for is that case's to tell. */
function impureDecisions(plugin: Plugin, runbook: Runbook, cases: readonly Case[]): (string | undefined)[] {
  return cases.flatMap((one) => {
    if (!("runbook" in one) || one.runbook.runbook !== runbook.title || whyCaseFails(plugin, one) !== undefined)
      return [];
    const { applies, answers } = one.runbook;
    const incident = frozen({ ...one.runbook.incident, service: one.runbook.incident.service });
    const [options, given] = [frozen(validOptions(plugin, one.options)), frozen(answers)];
    const decide = (): unknown => answered(runbook.decide(incident, options), given);
    return [
      purityProblem("when", () => runbook.when(incident, options)),
      applies ? purityProblem("decide", decide) : undefined,
    ];
  });
}

function whyCaseFails(plugin: Plugin, one: Case): string | undefined {
  return whyBroken(check("case", titleOf(one), () => runCase(plugin, one)));
}

function checkDefaults(plugin: Plugin): void {
  const parsed = v.safeParse(plugin.options, {});
  const wrong = (parsed.issues ?? []).filter((issue) => issue.input !== undefined);
  assert.deepEqual(wrong.map(wordsOf), [], "the defaults of the options are not valid themselves");
}

/** Options that the plugin reads in its cases and hosts.yaml cannot say: a wrong annotation, or a misspelt key. */
function unknownOptions(plugin: Plugin, cases: readonly Case[]): string[] {
  const unknown = new Set<string>();
  const watched = (options: object): object =>
    watchedOptions(options, plugin.options, (key) => unknown.add(`reads the option "${key}", which its schema lacks`));
  for (const one of cases) {
    // Whether the case holds, its own check tells.
    whyBroken(check("case", titleOf(one), () => runCase(plugin, one, watched)));
  }
  const defaults = v.safeParse(plugin.options, {});
  if (defaults.success) {
    const options = watched(defaults.output);
    plugin.heals?.(options);
    plugin.owns?.(options);
    plugin.sudoers?.(options);
  }
  return [...unknown];
}

/** Of what the plugin's sudoers patterns call reading; a pattern may be one regular expression. */
function changingReads(plugin: Plugin): string[] {
  const defaults = v.safeParse(plugin.options, {});
  const given = defaults.success ? plugin.sudoers?.(defaults.output) : undefined;
  if (given === undefined || "length" in given) return [];
  return (given.reads ?? []).flatMap((pattern) => {
    const [program = "", ...rest] = pattern.replace(" ^", " ").split(" ");
    return mutatingProblems([program, ...rest]).map((problem) => `sudoers: ${problem}`);
  });
}

const optionsOfMedic = new Set(["config", "help", "json", "plugins", "yes"]);

function schemaProblems(schema: Schema): string[] {
  const { entries = {} } = schema as { entries?: object };
  const taken = Object.keys(entries).filter((name) => optionsOfMedic.has(name));
  // What models accept as the name of a value.
  const names = Object.keys(entries).filter((name) => !/^[a-zA-Z][a-zA-Z0-9_]{0,63}$/.test(name));
  const problem = schemaProblem(schema);
  return [
    ...names.map((name) => `"${name}" is not named [a-zA-Z][a-zA-Z0-9_]* with at most 64 characters`),
    ...taken.map((name) => `"${name}" is an option of medic tool itself, so nobody could say it there`),
    ...(problem === undefined ? [] : [problem]),
  ];
}

function casesOf(cases: readonly Case[], tool: string): { one: ToolCase; options: object }[] {
  return cases.flatMap((one) =>
    "tool" in one && one.tool.tool === tool && one.tool.invalid === undefined
      ? [{ one: one.tool, options: one.options }]
      : [],
  );
}

function titleOf(one: Case): string {
  return "tool" in one ? `${one.tool.tool}: ${one.tool.name}` : `runbook: ${one.runbook.name}`;
}

function check(rule: Rule, name: string, run: () => void): Check {
  return { rule, name, run };
}

function none(problems: readonly (string | undefined)[]): void {
  assert.deepEqual([...new Set(problems.filter((problem) => problem !== undefined))], []);
}
