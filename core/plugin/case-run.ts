// Runs one case of a plugin: what was asked, what the host answered, what has to come of it. Everything here is pure
// and synchronous: a case needs no host. Throws an AssertionError, or an Error in words for the plugin's author.
import assert from "node:assert/strict";
import * as v from "valibot";
import type { Case, RunbookCase, ToolCase } from "./cases.ts";
import { wordsOf } from "./cases.ts";
import type { Command, Diagnostic, Fix, Inquiry, Plugin, Runbook } from "./contract.ts";
import { blindSpots } from "./inquiry.ts";

/** Runs a case against its plugin; `seen` may put something between the plugin and its options. */
export function runCase(plugin: Plugin, one: Case, seen = (options: object): object => options): void {
  const options = seen(validOptions(plugin, one.options));
  if ("runbook" in one) return runRunbook(findRunbook(plugin, one.runbook.runbook), one.runbook, options);
  const tool = findTool(plugin, one.tool.tool);
  if (one.tool.invalid !== undefined) return expectInvalid(tool, one.tool.input, one.tool.invalid);
  const input = validInput(tool, one.tool.input);
  if (tool.kind === "diagnostic") runDiagnostic(tool, input, options, one.tool);
  else runFix(tool, input, options, one.tool);
}

/** The options of a case, as the plugin's schema makes them. */
export function validOptions(plugin: Plugin, raw: object): object {
  const parsed = v.safeParse(plugin.options, raw);
  if (parsed.success) return parsed.output;
  throw new Error(`The options of this case are not valid: ${parsed.issues.map(wordsOf).join("; ")}`);
}

/** A tool's input, as its schema makes it. */
export function validInput(tool: Diagnostic | Fix, raw: object): object {
  const parsed = v.safeParse(tool.input, raw);
  if (parsed.success) return parsed.output;
  throw new Error(`"${tool.name}" does not take ${JSON.stringify(raw)}: ${parsed.issues.map(wordsOf).join("; ")}`);
}

function expectInvalid(tool: Diagnostic | Fix, raw: object, key: string): void {
  const parsed = v.safeParse(tool.input, raw);
  assert.equal(parsed.success, false, `"${tool.name}" takes ${JSON.stringify(raw)}, expected a refusal at "${key}"`);
  const paths = (parsed.issues ?? []).map((issue) => v.getDotPath(issue) ?? "");
  assert.ok(
    paths.some((path) => path === key || path.startsWith(`${key}.`)),
    `"${tool.name}" refuses it at "${paths.join('", "')}", expected "${key}"`,
  );
}

function runDiagnostic(tool: Diagnostic, input: object, options: object, one: ToolCase): void {
  onlyKeys(one, ["arguments", "command", "answer", "finding", "unavailable", "refused"]);
  const command = tool.command(input, options);
  if ("refused" in command) {
    assert.ok(one.refused !== undefined, `"${tool.name}" refuses: ${command.refused}`);
    return saying(command.refused, one.refused);
  }
  assert.equal(one.refused, undefined, `"${tool.name}" does not refuse, it runs ${JSON.stringify(command)}`);
  if (one.command !== undefined) assert.deepEqual([...command], one.command);
  if (one.arguments !== undefined) assert.deepEqual(argumentsOf(command), one.arguments);
  if (one.answer === undefined) {
    assert.ok(one.command ?? one.arguments, 'this case expects nothing: add "answer" with "finding" or "unavailable"');
    return;
  }
  const finding = tool.parse(one.answer, input, options);
  if (one.unavailable !== undefined) {
    assert.ok("unavailable" in finding, `expected unavailable, found ${JSON.stringify(finding)}`);
    return saying(finding.unavailable, one.unavailable);
  }
  assert.ok(one.finding !== undefined, `expects nothing of the answer: found ${JSON.stringify(finding)}`);
  assert.deepEqual(asJson(finding), one.finding);
}

function runFix(tool: Fix, input: object, options: object, one: ToolCase): void {
  onlyKeys(one, [
    "before",
    "answers",
    "plan",
    "refused",
    "after",
    "healthy",
    "marker",
    "traces",
    "pending",
    "hopeless",
  ]);
  const watched = tool.watch(input, options);
  for (const call of Object.values(watched)) validInput(call.tool, call.input);
  const keys = Object.keys(watched).toSorted();
  assert.ok(keys.length > 0, `"${tool.name}" watches nothing, so it can prove nothing`);
  const before = one.before ?? {};
  assert.deepEqual(Object.keys(before).toSorted(), keys, '"before" has to give a finding for each key it watches');
  if (one.after !== undefined) {
    assert.deepEqual(Object.keys(one.after).toSorted(), keys, '"after" has to give a finding for each key it watches');
    assert.ok(
      (one.healthy ?? one.marker ?? one.pending ?? one.hopeless) !== undefined,
      'a case with "after" expects "healthy", "marker", "pending" or "hopeless"',
    );
    if (one.healthy !== undefined) assert.equal(tool.healthy(one.after, before, input), one.healthy, "healthy");
    if (one.marker !== undefined) assert.equal(tool.marker?.(one.after), one.marker, "marker");
    const hopeless = tool.hopeless?.(one.after, before, input);
    if (one.hopeless !== undefined) saying(hopeless ?? "", one.hopeless);
    else if (one.healthy === false) assert.equal(hopeless, undefined, "hopeless: the case does not expect it");
    if (one.pending !== undefined) assert.equal(isPending(tool, input, options, one), one.pending, "pending");
    return;
  }
  const plan = answered(tool.plan(input, options, before), one.answers);
  if ("refused" in plan) {
    assert.ok(one.refused !== undefined, `"${tool.name}" refuses: ${plan.refused}`);
    return saying(plan.refused, one.refused);
  }
  assert.equal(one.refused, undefined, `"${tool.name}" does not refuse, it plans ${JSON.stringify(plan.steps)}`);
  assert.ok(one.plan !== undefined, 'a case of a fix expects "plan", "refused" or "after"');
  assert.ok(plan.touches.length > 0, `"${tool.name}" plans without saying what it touches`);
  assert.ok(plan.steps.length > 0, `"${tool.name}" plans no step: refuse instead`);
  assert.deepEqual(asJson(plan.steps), one.plan.steps);
  assert.deepEqual(asJson(plan.touches), one.plan.touches);
  assert.equal(plan.withinSeconds, one.plan.withinSeconds, "withinSeconds");
  if (one.plan.approval === undefined) assert.equal(plan.approval, undefined, "approval");
  else saying(plan.approval ?? "", one.plan.approval);
}

/** What a host that cannot tell noted is unavailable: a case has to say so. */
function isPending(tool: Fix, input: object, options: object, one: ToolCase): boolean {
  const asked = tool.traces?.(input, options, 60) ?? {};
  for (const call of Object.values(asked)) validInput(call.tool, call.input);
  const [keys, given] = [Object.keys(asked), Object.keys(one.traces ?? {})];
  assert.deepEqual(given.toSorted(), keys.toSorted(), '"traces" has to give a finding for each key it asks for');
  return tool.pending?.(one.after ?? {}, one.traces ?? {}) ?? false;
}

function runRunbook(runbook: Runbook, one: RunbookCase, options: object): void {
  const incident = { ...one.incident, service: one.incident.service };
  assert.equal(runbook.when(incident, options), one.applies, `whether "${runbook.title}" applies`);
  if (one.decision === undefined) return;
  const decision = answered(runbook.decide(incident, options), one.answers);
  if ("fix" in decision) {
    const { tool, input } = decision.fix;
    validInput(tool, input);
    assert.ok("fix" in one.decision, `decides for the fix "${tool.name}", expected ${JSON.stringify(one.decision)}`);
    assert.equal(tool.name, one.decision.fix);
    if (one.decision.input !== undefined) assert.deepEqual(asJson(input), one.decision.input);
    return;
  }
  const expected = one.decision;
  if ("well" in decision) {
    assert.ok("well" in expected, `finds it well (${decision.well}), expected ${JSON.stringify(expected)}`);
    return saying(decision.well, expected.well);
  }
  assert.ok("escalate" in expected, `escalates (${decision.escalate}), expected ${JSON.stringify(expected)}`);
  saying(decision.escalate, expected.escalate);
}

/** Drives an inquiry with a case's answers; every answer has to be asked for, and every question answered. */
export function answered<T>(inquiry: Inquiry<T>, answers: ToolCase["answers"]): T {
  const asked = new Map<string, number>();
  let step = inquiry.next();
  while (step.done !== true) {
    const question = step.value;
    if ("pauseSeconds" in question) {
      step = inquiry.next();
      continue;
    }
    const seen = Object.fromEntries(
      Object.entries(question.ask).map(([key, { tool, input }]) => {
        validInput(tool, input);
        const given = answers[key];
        const times = asked.get(key) ?? 0;
        asked.set(key, times + 1);
        const finding = Array.isArray(given) ? given[times] : given;
        assert.ok(finding !== undefined, `asks for "${key}" (${tool.name}), and the case's "answers" do not have it`);
        return [key, finding];
      }),
    );
    const blind = question.must ? blindSpots(question.ask, seen) : [];
    assert.deepEqual(blind, [], "ends blind: it needed these answers");
    step = inquiry.next(seen);
  }
  const unasked = Object.keys(answers).filter((key) => !asked.has(key));
  assert.deepEqual(unasked, [], "these answers of the case were never asked for");
  return step.value;
}

/** Of a script, the values after its text and name; of a plain command, what follows the program. */
function argumentsOf(command: Command): string[] {
  return command[0] === "sh" && command[1] === "-c" ? command.slice(4) : command.slice(1);
}

function findTool(plugin: Plugin, name: string): Diagnostic | Fix {
  const tool = plugin.tools.find((each) => each.name === name);
  assert.ok(tool !== undefined, `"${plugin.name}" has no tool "${name}"`);
  return tool;
}

function findRunbook(plugin: Plugin, title: string): Runbook {
  const runbook = plugin.runbooks.find((each) => each.title === title);
  assert.ok(runbook !== undefined, `"${plugin.name}" has no runbook "${title}"`);
  return runbook;
}

function onlyKeys(one: ToolCase, allowed: readonly string[]): void {
  const known = new Set(["name", "options", "tool", "input", "answers", ...allowed]);
  const wrong = Object.keys(one).filter((key) => !known.has(key));
  assert.deepEqual(wrong, [], `these keys mean nothing for this kind of tool`);
}

function saying(text: string, expected: string): void {
  assert.ok(text.includes(expected), `says ${JSON.stringify(text)}, expected it to hold ${JSON.stringify(expected)}`);
}

/** A finding is kept as JSON, so that is how it is compared. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
