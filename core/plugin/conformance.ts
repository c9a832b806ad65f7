// What every plugin has to keep, whoever wrote it: its cases hold, every tool and runbook has one, its commands are
// pure and end by themselves, hostile input stays an argument, and its parsers survive what is no answer. Yields named
// checks, so that a test runner shows each and `medic plugin check` prints them. Needs no host.
import assert from "node:assert/strict";
import * as v from "valibot";
import { runCase, validInput, validOptions } from "./case-run.ts";
import { readCases, wordsOf, type Case, type ToolCase } from "./cases.ts";
import type { Command, Diagnostic, Fix, Plugin } from "./contract.ts";
import { endlessProblems, hostileProblems, isDeterministic, parseProblems } from "./hostile.ts";
import { loadPlugin } from "./load.ts";

/** One thing a plugin has to keep; `run` throws when it does not. */
export type Check = { name: string; run(): void };

/** All checks of the plugin in a folder. A folder that holds none gives one check, which says why. */
export async function checkPlugin(folder: string): Promise<{ plugin: string; checks: Check[] }> {
  const loaded = await loadPlugin(folder);
  if ("why" in loaded) {
    return { plugin: folder, checks: [check("is a plugin", () => assert.fail(loaded.why))] };
  }
  const { plugin } = loaded;
  const { cases, problems } = await readCases(folder);
  return {
    plugin: plugin.name,
    checks: [
      check("has case files that can be read", () => assert.deepEqual(problems, [])),
      check("takes no options at all, or says which are vital", () => checkDefaults(plugin)),
      ...cases.map((one) => check(titleOf(one), () => runCase(plugin, one))),
      ...plugin.tools.flatMap((tool) => toolChecks(plugin, tool, casesOf(cases, tool.name))),
      ...plugin.runbooks.map(({ title }) =>
        check(`has a case for the runbook "${title}"`, () =>
          assert.ok(cases.some((one) => "runbook" in one && one.runbook.runbook === title)),
        ),
      ),
    ],
  };
}

type CaseOfTool = { one: ToolCase; options: object };

function toolChecks(plugin: Plugin, tool: Diagnostic | Fix, cases: readonly CaseOfTool[]): Check[] {
  const valid = cases.filter(({ one }) => one.invalid === undefined);
  const needed = tool.kind === "diagnostic" ? "an answer" : "a plan and one for what comes after it";
  return [
    check(`${tool.name} has a case with ${needed}`, () => {
      if (tool.kind === "diagnostic") return assert.ok(valid.some(({ one }) => one.answer !== undefined));
      assert.ok(
        valid.some(({ one }) => one.plan !== undefined),
        "no case expects a plan",
      );
      assert.ok(
        valid.some(({ one }) => one.after !== undefined),
        "no case judges what comes after the fix",
      );
    }),
    check(`${tool.name} keeps hostile input out of its commands`, () => {
      const problems = valid.flatMap(({ one, options }) => {
        const commands = commandsOf(tool, one, validOptions(plugin, options));
        return commands === undefined ? [] : hostileProblems(tool, one.input, commands);
      });
      assert.deepEqual([...new Set(problems)], []);
    }),
    ...(tool.kind === "diagnostic" ? diagnosticChecks(plugin, tool, valid) : []),
  ];
}

function diagnosticChecks(plugin: Plugin, tool: Diagnostic, cases: readonly CaseOfTool[]): Check[] {
  const prepared = () =>
    cases.map(({ one, options }) => ({
      one,
      input: validInput(tool, one.input),
      options: validOptions(plugin, options),
    }));
  return [
    check(`${tool.name} gives one command per input, and one that ends by itself`, () => {
      for (const { input, options } of prepared()) {
        assert.ok(
          isDeterministic(() => tool.command(input, options)),
          "another command the second time",
        );
        const command = tool.command(input, options);
        assert.deepEqual("refused" in command ? [] : endlessProblems(command), []);
      }
    }),
    check(`${tool.name} survives answers that are none`, () => {
      const problems = prepared().flatMap(({ one, input, options }) =>
        parseProblems(tool, input, options, one.answer === undefined ? [] : [one.answer]),
      );
      assert.deepEqual([...new Set(problems)], []);
    }),
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

function checkDefaults(plugin: Plugin): void {
  const parsed = v.safeParse(plugin.options, {});
  const wrong = (parsed.issues ?? []).filter((issue) => issue.input !== undefined);
  assert.deepEqual(wrong.map(wordsOf), [], "the defaults of the options are not valid themselves");
}

function casesOf(cases: readonly Case[], tool: string): CaseOfTool[] {
  return cases.flatMap((one) =>
    "tool" in one && one.tool.tool === tool ? [{ one: one.tool, options: one.options }] : [],
  );
}

function titleOf(one: Case): string {
  return "tool" in one ? `${one.tool.tool}: ${one.tool.name}` : `runbook: ${one.runbook.name}`;
}

function check(name: string, run: () => void): Check {
  return { name, run };
}
