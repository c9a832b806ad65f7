// The guard of all plugins is itself shown to bite: each rule has a tool that breaks it, and one that keeps it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { diagnostic, script, type Command, type Diagnostic } from "../../core/plugin/contract.ts";
import { endlessProblems } from "../../core/plugin/command-rules.ts";
import { parseProblems } from "../../core/plugin/garbage.ts";
import { hostileProblems } from "../../core/plugin/hostile.ts";

const identifier = v.pipe(v.string(), v.maxLength(48), v.regex(/^[a-zA-Z0-9][\w.-]*$/));
const text = v.pipe(v.string(), v.maxLength(200));

function tool(name: v.GenericSchema<string>, command: (name: string) => Command, parse?: () => object): Diagnostic {
  return diagnostic({
    name: "fan_status",
    description: "d",
    input: v.strictObject({ name }),
    command: (input) => command(input.name),
    parse: parse ?? (() => ({ well: true })),
  });
}

function problemsOf(subject: Diagnostic): string[] {
  return hostileProblems(subject, { name: "fan" }, (input) => {
    const command = subject.command(input, {});
    return "refused" in command ? command : [command];
  });
}

describe("hostile input", () => {
  it("is kept out by an identifier, in a script and in a plain command", () => {
    assert.deepEqual(problemsOf(tool(identifier, (name) => script('fan "$1"', name))), []);
    assert.deepEqual(problemsOf(tool(identifier, (name) => ["fan", "--", name])), []);
  });

  it("is found where a value becomes part of a script, even when the schema is narrow", () => {
    const problems = problemsOf(tool(identifier, (name) => script(`fan ${name}`)));
    assert.ok(problems.some((problem) => problem.includes("which becomes part of a script's text")));
  });

  it("is found where a flag passes for a name", () => {
    const flags = v.pipe(v.string(), v.maxLength(48), v.regex(/^[\w.-]+$/));
    const problems = problemsOf(tool(flags, (name) => ["fan", name]));
    assert.ok(problems.includes('name takes "--help", which reaches the command'), problems.join("\n"));
  });

  it("is found where a newline passes", () => {
    const problems = problemsOf(tool(text, (name) => ["fan", "--", name]));
    assert.ok(problems.includes('name takes "x\\nreboot", which reaches the command'), problems.join("\n"));
  });

  it("is found where free text becomes part of an argument", () => {
    const problems = problemsOf(tool(text, (name) => ["fan", `--name=${name}`]));
    assert.ok(problems.includes('name takes "$(reboot)", which becomes part of an argument'), problems.join("\n"));
  });

  it("may be free text where it reaches no command", () => {
    assert.deepEqual(problemsOf(tool(text, () => ["fan"])), []);
  });

  it("is found where a text has no end", () => {
    assert.deepEqual(problemsOf(tool(v.string(), () => ["fan"])), ["name takes 20000 characters: give it a maxLength"]);
  });

  it("is found where an unknown key passes", () => {
    const open = { ...tool(identifier, () => ["fan"]), input: v.object({ name: identifier }) };
    assert.deepEqual(problemsOf(open as unknown as Diagnostic), ['takes an unknown key "host"']);
  });
});

describe("answers that are none", () => {
  const answer = { exit: 0, stdout: '{"a":1}\n{"a":2}', stderr: "", cutBytes: 0 };

  it("are survived by a parser that says so", () => {
    assert.deepEqual(
      parseProblems(
        tool(identifier, () => ["fan"]),
        { name: "fan" },
        {},
        [answer],
      ),
      [],
    );
  });

  it("are found to break a parser that trusts them", () => {
    const trusting = {
      ...tool(identifier, () => ["fan"]),
      parse: (result: { stdout: string }) => JSON.parse(result.stdout),
    };
    const problems = parseProblems(trusting, { name: "fan" }, {}, [answer]);
    assert.ok(problems.some((problem) => problem.startsWith("parse throws on")));
    assert.ok(problems.some((problem) => problem.includes("which is no finding")));
  });
});

describe("commands without an end", () => {
  const endless: readonly Command[] = [
    ["journalctl", "-f"],
    ["docker", "logs", "--follow", "x"],
    script('tail -n 5 -f "$1"', "x"),
    script("tail -F /var/log/syslog"),
    ["docker", "events", "--since", "1h"],
    ["ping", "nas.lan"],
  ];
  for (const command of endless) {
    it(`are found: ${command.join(" ")}`, () => assert.equal(endlessProblems(command).length, 1));
  }

  const ending: readonly Command[] = [
    ["journalctl", "-n", "5"],
    ["docker", "logs", "--tail", "5", "x"],
    ["docker", "events", "--since", "1h", "--until", "0s"],
    ["ping", "-c", "2", "nas.lan"],
    ["ps", "-ef"],
    script('[ -f "$1" ] && tail -n 5 "$1"', "x"),
  ];
  for (const command of ending) {
    it(`are told from those with one: ${command.join(" ")}`, () => assert.deepEqual(endlessProblems(command), []));
  }
});
