import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runCase } from "../../core/plugin/case-run.ts";
import { parseCases } from "../../core/plugin/cases.ts";
import type { Plugin } from "../../core/plugin/contract.ts";
import { toyPlugin } from "../support/toy.ts";

const toy = toyPlugin as unknown as Plugin;
const file = (cases: string, head = "written: true"): string => `${head}\ncases:\n${cases}\n`;

function problemsOf(text: string): string[] {
  return parseCases("a.yaml", text).problems;
}

describe("case files", () => {
  it("say where their answers come from, and only once", () => {
    const one = "  - { name: x, tool: t }";
    assert.deepEqual(problemsOf(file(one)), []);
    assert.deepEqual(problemsOf(file(one, 'recorded: { date: "2026-11-23", versions: { docker: "20.10.24" } }')), []);
    assert.match(
      problemsOf(file(one, "options: {}")).join(),
      /either "recorded: { date, versions }" or "written: true"/,
    );
    const both = 'written: true\nrecorded: { date: "2026-11-23", versions: {} }';
    assert.match(problemsOf(file(one, both)).join(), /either "recorded/);
  });

  it("name the case and the key that is wrong", () => {
    const problems = problemsOf(file("  - { name: lit, tool: t, anwser: {} }"));
    assert.match(problems.join(), /^a\.yaml: "lit": .*anwser/);
  });

  it("report the first mistake of broken YAML, not its echo", () => {
    const problems = problemsOf(file("  - { name: x, tool: t, refused: a [b }\n  - { name: y }"));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /^a\.yaml: .* at line 3/);
  });

  it("name an alias that stands for nothing", () => {
    const problems = problemsOf(file("  - { name: x, tool: t, answer: *nobody }"));
    assert.deepEqual(problems, ['a.yaml: "*nobody" stands before "&nobody", or without it']);
  });

  it("expect a decision of a runbook, or that it does not apply", () => {
    const without = "  - { name: x, runbook: r, incident: {} }";
    assert.match(problemsOf(file(without)).join(), /either "decision" or "applies: false"/);
    assert.deepEqual(problemsOf(file("  - { name: x, runbook: r, incident: {}, applies: false }")), []);
  });

  it("are read with the file's options, and the case's own over them", () => {
    const text = file("  - { name: x, tool: t, options: { b: 3 } }", "written: true\noptions: { a: 1, b: 2 }");
    assert.deepEqual(parseCases("a.yaml", text).cases[0]?.options, { a: 1, b: 3 });
  });

  it("keep dates as text", () => {
    const text = file("  - { name: x, tool: t, answer: {}, finding: { at: 2026-11-23 } }");
    const [one] = parseCases("a.yaml", text).cases;
    assert.deepEqual(one !== undefined && "tool" in one ? one.tool.finding : undefined, { at: "2026-11-23" });
  });
});

describe("running a case", () => {
  const run = (yaml: string): void => {
    const { cases, problems } = parseCases("a.yaml", file(yaml));
    assert.deepEqual(problems, []);
    for (const one of cases) runCase(toy, one);
  };

  it("fails for a tool the plugin does not have", () => {
    assert.throws(() => run("  - { name: x, tool: nothing }"), /has no tool "nothing"/);
  });

  it("fails for a runbook the plugin does not have", () => {
    assert.throws(() => run("  - { name: x, runbook: nothing, incident: {}, applies: false }"), /has no runbook/);
  });

  it("fails for a case that expects nothing", () => {
    const diagnostic = toy.tools.find(({ kind }) => kind === "diagnostic");
    assert.throws(() => run(`  - { name: x, tool: ${diagnostic?.name} }`), /expects nothing|does not take/);
  });
});
