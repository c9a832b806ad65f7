// The conformance kit is itself shown to bite: a plugin that passes, and the same one with one thing wrong, each caught
// by the check that is meant for it and by no other.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { newPlugin } from "../../core/cli/plugin/template.ts";
import { packing } from "../../core/packing/packing.ts";
import { checkPlugin, type Rule, whyBroken } from "../../core/plugin/conformance.ts";

const root = await mkdtemp(join(tmpdir(), "medic-bad-"));
after(() => rm(root, { recursive: true, force: true }));

type Edit = readonly [file: "plugin.ts" | "cases/fan.yaml", from: string, to: string];
/** `spreads`: nothing can be checked without it, so other checks fail with it. */
type Bad = { what: string; rule: Rule; why: RegExp; edits: readonly Edit[]; spreads?: true };

const inPlugin = (from: string, to: string): Edit => ["plugin.ts", from, to];
const inCases = (from: string, to: string): Edit => ["cases/fan.yaml", from, to];
const show = `[systemctl, show, "--property=LoadState,ActiveState,Result,InvocationID,Job", --, fan.service]`;

const bads: readonly Bad[] = [
  {
    what: "speaks another API version",
    rule: "loads",
    why: /apiVersion is 2, and this Medic knows 1 only/,
    edits: [inPlugin("apiVersion: 1", "apiVersion: 2 as 1")],
  },
  {
    what: "imports what is not its own",
    rule: "loads",
    why: /plugin\.ts:4: imports "node:fs"/,
    edits: [inPlugin('import * as v from "valibot"', 'import "node:fs"; import * as v from "valibot"')],
  },
  {
    what: "names a tool in capitals",
    rule: "loads",
    why: /tool "Fan_status": is not named/,
    edits: [inPlugin('name: "fan_status"', 'name: "Fan_status"')],
  },
  {
    what: "takes unknown keys as input",
    rule: "loads",
    why: /input is a "object": use v\.strictObject/,
    edits: [inPlugin("input: v.strictObject({}),\n  watch", "input: v.object({}),\n  watch")],
  },
  {
    what: "has a default that its own schema refuses",
    rule: "options",
    why: /defaults of the options/,
    spreads: true,
    edits: [
      inPlugin(
        "const options = v.strictObject({",
        'const options = v.strictObject({\n  port: v.optional(v.number(), "x" as never as number),',
      ),
    ],
  },
  {
    what: "reads an option that hosts.yaml cannot say",
    rule: "options",
    why: /reads the option "nuit"/,
    edits: [
      inPlugin(
        "heals: ({ unit }) =>",
        'heals: ({ unit, ...more }) => ((more as { nuit?: string }).nuit ?? "") + unit === "" ? [] :',
      ),
      inPlugin(
        "when: (incident, { unit }: Options) =>",
        "when: (incident, { unit, nuit }: Options & { nuit?: string }) => nuit === undefined &&",
      ),
    ],
  },
  {
    what: "has a case that does not hold",
    rule: "case",
    why: /'inactive'|"inactive"|inactive/,
    edits: [inPlugin("      active,\n", '      active: active === "active" ? "inactive" : active,\n')],
  },
  {
    what: "has a diagnostic without a case",
    rule: "has-cases",
    why: /no case has an answer/,
    edits: [
      inPlugin(
        "export const fanStart",
        'const fanNoise = diagnostic({ name: "fan_noise", description: "d", input: v.strictObject({}), command: () => ["true"], parse: () => ({}) });\n\nexport const fanStart',
      ),
      inPlugin("tools: [fanStatus,", "tools: [fanNoise, fanStatus,"),
    ],
  },
  {
    what: "takes what JSON Schema cannot say",
    rule: "schema",
    why: /date/,
    edits: [
      inPlugin(
        "input: v.strictObject({}),\n  command",
        "input: v.strictObject({ since: v.optional(v.date()) }),\n  command",
      ),
    ],
  },
  {
    what: "names a value as models do not accept",
    rule: "schema",
    why: /"how far" is not named/,
    edits: [
      inPlugin(
        "input: v.strictObject({}),\n  command",
        'input: v.strictObject({ "how far": v.optional(v.number()) }),\n  command',
      ),
    ],
  },
  {
    what: "names a value like an option of medic itself",
    rule: "schema",
    why: /"json" is an option of medic tool itself/,
    edits: [
      inPlugin(
        "input: v.strictObject({}),\n  command",
        "input: v.strictObject({ json: v.optional(v.boolean()) }),\n  command",
      ),
    ],
  },
  {
    what: "lets a flag pass for a name",
    rule: "hostile",
    why: /name takes "--help", which reaches the command/,
    edits: [...takingName("v.pipe(v.string(), v.maxLength(50), v.regex(/^[\\w.-]+$/))", '"--", name')],
  },
  {
    what: "builds a script's text from a value",
    rule: "hostile",
    why: /which becomes part of a script's text/,
    edits: [...takingName("v.pipe(v.string(), v.maxLength(50), v.regex(/^[a-z][\\w.-]*$/))", "`fan ${name}`", "sh")],
  },
  {
    what: "takes a text without an end",
    rule: "hostile",
    why: /takes 20000 characters: give it a maxLength/,
    edits: [...takingName("v.pipe(v.string(), v.regex(/^[a-z][a-z]*$/))", '"--", name')],
  },
  {
    what: "looks at the clock",
    rule: "pure",
    why: /parse uses Date\.now\(\)/,
    edits: [inPlugin("exists: load", "exists: Date.now() > 0 && load")],
  },
  {
    what: "makes another command each time",
    rule: "pure",
    why: /command gives something else the second time/,
    edits: [
      inPlugin("type Options =", "let asked = 0;\ntype Options ="),
      inPlugin('    "systemctl",\n', '    "systemctl",\n    `--lines=${++asked}`,\n'),
      inCases(`    command: ${show}\n`, ""),
      inCases(`    command: ${show.replace("fan.service", "other.service")}\n`, ""),
    ],
  },
  {
    what: "plans by chance",
    rule: "pure",
    why: /plan uses Math\.random\(\)/,
    edits: [inPlugin("    return { steps:", '    if (Math.random() > 2) return refuse("never");\n    return { steps:')],
  },
  {
    what: "decides by the time of day",
    rule: "pure",
    why: /decide uses new Date\(\)/,
    edits: [
      inPlugin(
        "if (incident.attempts.some(mayHaveRun))",
        "if (new Date().getTime() > 0 && incident.attempts.some(mayHaveRun))",
      ),
    ],
  },
  {
    what: "remembers what it was asked",
    rule: "pure",
    why: /healthy gives something else the second time/,
    edits: [
      inPlugin("type Options =", "let asked = 0;\ntype Options ="),
      inPlugin("healthy: ({ status }) => status", "healthy: ({ status }) => asked++ % 3 !== 1 && status"),
    ],
  },
  {
    what: "changes what it was shown",
    rule: "pure",
    why: /read only|readonly|not extensible|Cannot assign/,
    edits: [
      inPlugin(
        '    if (status.active === "active") return refuse',
        '    (status as { run: string }).run = "";\n    if (status.active === "active") return refuse',
      ),
    ],
  },
  {
    what: "follows a log for ever",
    rule: "ends",
    why: /follows a log \(-f\)/,
    edits: commanded('["journalctl", "-f", "--unit", unit]', "[journalctl, -f, --unit, fan.service]"),
  },
  {
    what: "restarts as it looks",
    rule: "reads-only",
    why: /runs "systemctl restart"/,
    edits: commanded('["root", "systemctl", "restart", "--", unit]', "[root, systemctl, restart, --, fan.service]"),
  },
  {
    what: "writes a file in a script",
    rule: "reads-only",
    why: /writes "\/tmp\/fan"/,
    edits: commanded(
      '["sh", "-c", "systemctl show -- \\"$1\\" >/tmp/fan", "medic", unit]',
      '[sh, -c, "systemctl show -- \\"$1\\" >/tmp/fan", medic, fan.service]',
    ),
  },
  {
    what: "calls it reading when sudo lets it start",
    rule: "reads-only",
    why: /sudoers: runs "\/usr\/bin\/systemctl start"|sudoers: runs "systemctl start"/,
    edits: [inPlugin("({ fixes: [", "({ reads: [")],
  },
  {
    what: "believes every answer",
    rule: "parse",
    why: /parse throws on/,
    edits: [
      inPlugin(
        "if (result.exit !== 0 || load === undefined || active === undefined) return",
        "if (result.exit !== 0 || load!.length + active!.length === 0) return",
      ),
    ],
  },
  {
    what: "finds what JSON cannot keep",
    rule: "parse",
    why: /what JSON cannot keep/,
    edits: [
      inPlugin("exists: load", 'age: load === "loaded" ? 0 : Number("no figure"),\n      exists: load'),
      ...findingToo("age: 0"),
    ],
  },
  {
    what: "keeps all that a host says",
    rule: "small",
    why: /a finding has 17\d+ bytes/,
    edits: [
      inPlugin("exists: load", 'said: "x".repeat(17_000),\n      exists: load'),
      ...findingToo(`said: ${"x".repeat(17_000)}`),
    ],
  },
  {
    what: "calls everything healthy",
    rule: "proof",
    why: /no case shows it not healthy afterwards/,
    edits: [
      inPlugin('healthy: ({ status }) => status.active === "active" && !status.isChanging', "healthy: () => true"),
      inCases("after: { status: *failed }\n    healthy: false", "after: { status: *failed }\n    healthy: true"),
    ],
  },
  {
    what: "names no run, and says nothing else that would prove a fix",
    rule: "proof",
    why: /has no marker: say what proves it/,
    edits: [...unmarked("")],
  },
  {
    what: "names a run and another proof as well",
    rule: "proof",
    why: /has a marker and a proof/,
    edits: [inPlugin("  healthy: ({ status }) =>", '  proof: "postcondition",\n  healthy: ({ status }) =>')],
  },
  {
    what: "proves a fix by a health that was there before it",
    rule: "proof",
    why: /"what failed is started" is healthy before it already/,
    edits: [
      ...unmarked('  proof: "postcondition",\n'),
      inPlugin('healthy: ({ status }) => status.active === "active" && ', "healthy: ({ status }) => status.exists && "),
      inCases(
        "after: { status: *failed }\n    healthy: false",
        "after: { status: { <<: *failed, exists: false } }\n    healthy: false",
      ),
    ],
  },
  {
    what: "says that a proof is something else",
    rule: "loads",
    why: /proof "hope" is neither/,
    edits: [...unmarked('  proof: "hope" as "postcondition",\n')],
  },
  {
    what: "gives up on everything that is not well yet",
    rule: "proof",
    why: /waiting would never be allowed/,
    edits: [
      inPlugin("  pending: ({ status })", '  hopeless: () => "it is not well",\n  pending: ({ status })'),
      inCases(
        "after: { status: *failed }\n    healthy: false",
        "after: { status: *failed }\n    healthy: false\n    hopeless: not well",
      ),
    ],
  },
  {
    what: "gives up, and shows nowhere when",
    rule: "proof",
    why: /no case shows it hopeless/,
    edits: [inPlugin("  pending: ({ status })", "  hopeless: () => undefined,\n  pending: ({ status })")],
  },
  {
    what: "asks for traces, and shows nowhere what they tell",
    rule: "proof",
    why: /no case shows what is pending: true/,
    edits: [
      inPlugin(
        "  pending: ({ status })",
        "  traces: () => ({ status: call(fanStatus, {}) }),\n  pending: ({ status })",
      ),
    ],
  },
  {
    what: "has a runbook that breaks where the host cannot tell",
    rule: "every-situation",
    why: /breaks.*TypeError/,
    edits: [
      inPlugin("need, refuse", "look, refuse"),
      inPlugin(
        "const { status } = yield* need({ status: call(fanStatus, {}) });",
        "const { status } = (yield* look({ status: call(fanStatus, {}) })) as { status: { active: string; result: string } };",
      ),
      inPlugin(
        "return { escalate: `it was started and is ${status.active} again",
        "return { escalate: `it was started and is ${status.active.trim()} again",
      ),
      inPlugin('if (status.active === "active") return { well', 'if (status.active.trim() === "active") return { well'),
    ],
  },
  {
    what: "has a runbook that breaks after a fix on what only a case of it knows",
    rule: "every-situation",
    why: /breaks after not-fixed, failed.*TypeError/s,
    edits: [
      inPlugin(
        "if (incident.attempts.some(mayHaveRun)) return",
        'if (incident.attempts.at(-1)?.outcome === "failed" && "sub" in status) (status.sub as { a?: string }).a!.trim();\n    if (incident.attempts.some(mayHaveRun)) return',
      ),
      inCases(
        "incident: { service: fan, attempts: [{ fix: fan_start, outcome: not-fixed }] }\n    answers: { status: *failed }",
        "incident: { service: fan, attempts: [{ fix: fan_start, outcome: not-fixed }] }\n    answers: { status: { <<: *failed, sub: {} } }",
      ),
    ],
  },
  {
    what: "has a runbook that asks for ever",
    rule: "every-situation",
    why: /never ends after unknown/,
    edits: [
      inPlugin(
        "if (incident.attempts.some(mayHaveRun)) return",
        'while (incident.attempts[0]?.outcome === "unknown") yield* need({ status: call(fanStatus, {}) });\n    if (incident.attempts.some(mayHaveRun)) return',
      ),
    ],
  },
  {
    what: "has a runbook that says nothing",
    rule: "every-situation",
    why: /ends without saying why after failed/,
    edits: [
      inPlugin(
        "if (incident.attempts.some(mayHaveRun)) return",
        'if (incident.attempts[0]?.outcome === "failed") return { escalate: " " };\n    if (incident.attempts.some(mayHaveRun)) return',
      ),
    ],
  },
];

describe("the conformance kit", () => {
  it("finds nothing wrong with a plugin that keeps the contract", async () => {
    assert.deepEqual(await broken(good()), []);
  });

  for (const proof of ["postcondition", "never-retry"]) {
    it(`takes "${proof}" in place of a marker`, async () => {
      assert.deepEqual(await broken(edited(good(), unmarked(`  proof: "${proof}",\n`))), []);
    });
  }

  for (const { what, rule, why, edits, spreads } of bads) {
    it(`catches a plugin that ${what}`, async () => {
      const failed = await broken(edited(good(), edits));
      const rules = [...new Set(failed.map((one) => one.rule))];
      assert.deepEqual(spreads === true ? rules.slice(0, 1) : rules, [rule], JSON.stringify(failed, null, 2));
      assert.match(failed.map((one) => one.why).join("\n"), why);
    });
  }
});

/** A fix without a marker, and what stands in its place. */
function unmarked(instead: string): Edit[] {
  return [
    inPlugin('  marker: ({ status }) => (status.isChanging || status.run === "" ? undefined : status.run),\n', instead),
    inCases("    marker: 0ef9de1810df4131bc6c1ee34aadf4c1\n", ""),
  ];
}

function good(): Record<string, string> {
  return { ...newPlugin("fan", "/medic") };
}

async function broken(files: Record<string, string>): Promise<{ rule: Rule; name: string; why: string }[]> {
  const folder = await mkdtemp(join(root, "fan-"));
  for (const [path, text] of Object.entries(files)) {
    // oxlint-disable-next-line no-await-in-loop
    await mkdir(dirname(join(folder, path)), { recursive: true });
    // oxlint-disable-next-line no-await-in-loop
    await writeFile(join(folder, path), text);
  }
  const { checks } = await checkPlugin(packing, folder);
  return checks.flatMap((check) => {
    const why = whyBroken(check);
    return why === undefined ? [] : [{ rule: check.rule, name: check.name, why }];
  });
}

/** Each place has to be there exactly once, so that no edit goes wrong unseen. */
function edited(files: Record<string, string>, edits: readonly Edit[]): Record<string, string> {
  const result = { ...files };
  for (const [file, from, to] of edits) {
    const parts = (result[file] ?? "").split(from);
    assert.equal(parts.length, 2, `${file} has ${parts.length - 1} times: ${from}`);
    result[file] = parts.join(to);
  }
  return result;
}

/** One more key in what fan_status finds. */
function findingToo(pair: string): Edit[] {
  return [
    inCases("finding: &runs\n      { exists", `finding: &runs\n      { ${pair}, exists`),
    inCases("finding: &failed { exists", `finding: &failed { ${pair}, exists`),
  ];
}

/** Another command for fan_status, in the plugin and in its cases. */
function commanded(command: string, inCase: string): Edit[] {
  const text = good()["plugin.ts"] ?? "";
  const from = text.slice(text.indexOf('[\n    "systemctl"'), text.indexOf("  parse(result)"));
  return [
    inPlugin(from, `${command},\n`),
    inCases(`command: ${show}`, `command: ${inCase}`),
    inCases(
      `command: ${show.replace("fan.service", "other.service")}`,
      `command: ${inCase.replace("fan.service", "other.service")}`,
    ),
  ];
}

/** A name as input of fan_status, which its command uses. */
function takingName(schema: string, use: string, program = "systemctl"): Edit[] {
  const command = program === "sh" ? `["sh", "-c", ${use}]` : `["systemctl", "show", ${use}]`;
  const inCase = program === "sh" ? "[sh, -c, fan web]" : "[systemctl, show, --, web]";
  const changed = commanded(command, inCase).map(([file, from, to]): Edit => [
    file,
    from,
    to.replace("(_input, {", "({ name }, {"),
  ]);
  return [
    ...changed,
    inPlugin(
      "input: v.strictObject({}),\n  command: (_input, { unit }: Options)",
      `input: v.strictObject({ name: ${schema} }),\n  command: ({ name })`,
    ),
    inPlugin(
      "  watch: () => ({ status: call(fanStatus, {}) })",
      '  watch: () => ({ status: call(fanStatus, { name: "web" }) })',
    ),
    inPlugin("need({ status: call(fanStatus, {}) })", 'need({ status: call(fanStatus, { name: "web" }) })'),
    inPlugin(
      "evidence: () => ({ status: call(fanStatus, {}) })",
      'evidence: () => ({ status: call(fanStatus, { name: "web" }) })',
    ),
    inCases(
      "- name: it runs\n    tool: fan_status\n",
      "- name: it runs\n    tool: fan_status\n    input: { name: web }\n",
    ),
    inCases("    options: { unit: other.service }\n", "    input: { name: web }\n"),
    inCases(
      "- name: systemd does not answer\n    tool: fan_status\n",
      "- name: systemd does not answer\n    tool: fan_status\n    input: { name: web }\n",
    ),
  ];
}
