// What `medic plugin new` writes: a plugin for one systemd unit that is small, true and passes at once, so that its
// author changes something that works. Texts only; it knows no disk and no host.

/** The files of a new plugin, by their path in its folder. `medic`: where its repository lies; it has the types. */
export function newPlugin(name: string, medic: string | undefined): Readonly<Record<string, string>> {
  const words: Words = {
    name,
    tool: name.replaceAll("-", "_"),
    code: name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    title: name[0]?.toUpperCase() + name.slice(1),
  };
  return {
    "plugin.ts": pluginText(words),
    "README.md": readmeText(words),
    [`cases/${name}.yaml`]: casesText(words),
    ...(medic === undefined ? {} : { "tsconfig.json": `${JSON.stringify(editorSettings(medic), null, 2)}\n` }),
  };
}

type Words = { name: string; tool: string; code: string; title: string };

function pluginText({ name, tool, code, title }: Words): string {
  return `// The plugin for ${name}: what it can see and mend. It runs nothing itself: it says what to run and how to read the
// answer, and Medic does the rest.
import { call, definePlugin, diagnostic, fix, matches, mayHaveRun, need, refuse, runbook, unavailable } from "medic/plugin";
import * as v from "valibot";

/** What hosts.yaml may say under plugins.${name}; every option has a default. */
const options = v.strictObject({
  unit: v.optional(v.pipe(v.string(), v.maxLength(100), v.regex(/^[a-zA-Z0-9][\\w:.@-]*\\.service$/)), "${name}.service"),
});
type Options = v.InferOutput<typeof options>;

export const ${code}Status = diagnostic({
  name: "${tool}_status",
  description: "Whether ${title} runs: the state of its unit, how it last ended, and which run this is.",
  input: v.strictObject({}),
  command: (_input, { unit }: Options) => [
    "systemctl",
    "show",
    "--property=LoadState,ActiveState,Result,InvocationID,Job",
    "--",
    unit,
  ],
  parse(result) {
    const said = new Map(result.stdout.split("\\n").map((line) => [line.split("=", 1)[0], line.replace(/^.*?=/, "")]));
    const load = said.get("LoadState");
    const active = said.get("ActiveState");
    if (result.exit !== 0 || load === undefined || active === undefined) return unavailable(result);
    return {
      exists: load !== "not-found",
      active,
      result: said.get("Result") ?? "",
      run: said.get("InvocationID") ?? "",
      // While a job is pending, systemd still shows the run that ends. No job is 0, or nothing.
      isChanging: /^[1-9]/.test(said.get("Job") ?? ""),
    };
  },
});

export const ${code}Start = fix({
  name: "${tool}_start",
  description: "Starts ${title} when it is not running.",
  risk: "reversible",
  input: v.strictObject({}),
  watch: () => ({ status: call(${code}Status, {}) }),
  *plan(_input, { unit }: Options, { status }) {
    if (!status.exists) return refuse(\`there is no unit "\${unit}" on this host\`);
    if (status.active === "active") return refuse(\`"\${unit}" is running\`);
    if (status.isChanging) return refuse(\`"\${unit}" has a job pending: something else is changing it now\`);
    return { steps: [["root", "systemctl", "start", "--", unit]], touches: [unit] };
  },
  marker: ({ status }) => (status.isChanging || status.run === "" ? undefined : status.run),
  healthy: ({ status }) => status.active === "active" && !status.isChanging,
  pending: ({ status }) => status.isChanging,
  withinSeconds: 60,
  stableSeconds: 15,
});

export const ${code}NotRunning = runbook({
  title: "${title} is not running",
  guidance: "Start it once. When it ends again, somebody should read its journal.",
  when: (incident, { unit }: Options) => matches(["${name}", unit], incident.service),
  *decide(incident) {
    const { status } = yield* need({ status: call(${code}Status, {}) });
    if (status.active === "active") return { well: "its unit is active" };
    if (incident.attempts.some(mayHaveRun)) return { escalate: \`it was started and is \${status.active} again (\${status.result})\` };
    return { fix: call(${code}Start, {}) };
  },
});

export default definePlugin({
  name: "${name}",
  apiVersion: 1,
  summary: "${title}: sees whether it runs, and starts it.",
  options,
  tools: [${code}Status, ${code}Start],
  runbooks: [${code}NotRunning],
  heals: ({ unit }) => ["${name}", unit],
  owns: ({ unit }) => [unit],
  evidence: () => ({ status: call(${code}Status, {}) }),
  sudoers: ({ unit }) => ({ fixes: [\`/usr/bin/systemctl start -- \${unit}\`] }),
});
`;
}

function casesText({ name, tool, title }: Words): string {
  return `# What is asked, what the host answers, what has to come of it. These are the plugin's tests: there is no test code.
# Replace the answers by recorded ones: medic plugin record HOST ${tool}_status
written: true
cases:
  - name: it runs
    tool: ${tool}_status
    command: [systemctl, show, "--property=LoadState,ActiveState,Result,InvocationID,Job", --, ${name}.service]
    answer:
      stdout: |
        Result=success
        LoadState=loaded
        ActiveState=active
        InvocationID=0ef9de1810df4131bc6c1ee34aadf4c1
        Job=
    finding: &runs
      { exists: true, active: active, result: success, run: 0ef9de1810df4131bc6c1ee34aadf4c1, isChanging: false }
  - name: it failed, under a unit of another name
    tool: ${tool}_status
    options: { unit: other.service }
    command: [systemctl, show, "--property=LoadState,ActiveState,Result,InvocationID,Job", --, other.service]
    answer: { stdout: "Result=exit-code\\nLoadState=loaded\\nActiveState=failed\\nInvocationID=aaaa\\nJob=\\n" }
    finding: &failed { exists: true, active: failed, result: exit-code, run: aaaa, isChanging: false }
  - name: systemd does not answer
    tool: ${tool}_status
    answer: { exit: 1, stderr: "Failed to connect to bus: No such file or directory" }
    unavailable: Failed to connect to bus

  - name: what failed is started
    tool: ${tool}_start
    before: { status: *failed }
    plan: { steps: [[root, systemctl, start, --, ${name}.service]], touches: [${name}.service] }
  - name: what runs is left alone
    tool: ${tool}_start
    before: { status: *runs }
    refused: is running
  - name: what is not there cannot be started
    tool: ${tool}_start
    before: { status: { <<: *failed, exists: false, active: inactive } }
    refused: there is no unit
  - name: what somebody else is changing is left alone
    tool: ${tool}_start
    before: { status: { <<: *failed, isChanging: true } }
    refused: job pending
  - name: active in a new run is well
    tool: ${tool}_start
    before: { status: *failed }
    after: { status: *runs }
    healthy: true
    marker: 0ef9de1810df4131bc6c1ee34aadf4c1
  - name: still failed is not
    tool: ${tool}_start
    before: { status: *failed }
    after: { status: *failed }
    healthy: false

  - name: somebody else's service
    runbook: ${title} is not running
    incident: { service: postgres }
    applies: false
  - name: it failed and is started
    runbook: ${title} is not running
    incident: { service: ${name} }
    answers: { status: *failed }
    decision: { fix: ${tool}_start }
  - name: it runs
    runbook: ${title} is not running
    incident: { service: ${name}.service }
    answers: { status: *runs }
    decision: { well: active }
  - name: a start did not help
    runbook: ${title} is not running
    incident: { service: ${name}, attempts: [{ fix: ${tool}_start, outcome: not-fixed }] }
    answers: { status: *failed }
    decision: { escalate: failed again }
`;
}

function readmeText({ name, tool, title }: Words): string {
  return `# ${name}

Sees whether ${title} runs, and starts it.

\`\`\`yaml
plugins:
  ${name}: {}
\`\`\`

| option | default | meaning |
| ------ | ------- | ------- |
| \`unit\` | \`${name}.service\` | The unit it runs as |

| tool | kind | what it does |
| ---- | ---- | ------------ |
| \`${tool}_status\` | diagnostic | Whether it runs, how it last ended, which run this is |
| \`${tool}_start\` | reversible | Starts it when it is not running |

**The runbook** starts it once. What ends again is escalated.

## What the host must allow

Starting it needs root: with \`privilege: sudo\`, \`medic doctor --sudoers\` prints the line. Reading needs nothing.
`;
}

/** Completion and types in the editor, from this Medic's own contract. */
function editorSettings(medic: string): object {
  return {
    compilerOptions: {
      target: "es2024",
      module: "esnext",
      moduleResolution: "bundler",
      lib: ["es2024"],
      types: [],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      paths: {
        "medic/plugin": [`${medic}core/plugin/contract.ts`],
        "medic/plugins/*": [`${medic}plugins/*/plugin.ts`],
        valibot: [`${medic}node_modules/valibot`],
      },
    },
    include: ["**/*.ts"],
  };
}
