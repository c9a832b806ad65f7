// `medic tool HOST TOOL [--key value]`: one tool by hand, through the same gates as a responder's call. A fix needs
// `--yes`; while `serve` runs, it runs there, since the journal has one writer. Without a tool's name: what there is.
import * as v from "valibot";
import type { ToolOutcome } from "../agent/responder.ts";
import { createMemoryJournal } from "../incident/journal.ts";
import { silent } from "../log.ts";
import type { Fix, Diagnostic } from "../plugin/contract.ts";
import { composeHands } from "./compose.ts";
import { type Equipped, readEquipped } from "./config-file.ts";
import { type Context, type ExitCode, type Output, tableLines, UsageError } from "./context.ts";
import { commandText, printable } from "../incident/shown.ts";
import { requireKeys } from "./keys.ts";
import { callServe, openUnlessServed, readNote } from "./serve-client.ts";
import { defineVerb, equipArgs, jsonArg } from "./verb.ts";

export const tool = defineVerb({
  name: "tool",
  description: "Run one tool on a host; without its name, list the host's tools",
  args: {
    host: { type: "positional", description: "A host of hosts.yaml", required: true },
    tool: { type: "positional", description: "A tool, e.g. docker_status", required: false },
    yes: { type: "boolean", description: "Agree to a fix" },
    ...equipArgs,
    ...jsonArg,
  },
  takesMore: true,
  async run(args, context, rawArgs): Promise<ExitCode> {
    const equipped = await readEquipped(context, args);
    requireHost(equipped, args.host);
    if (args.tool === undefined) return list(equipped, args.host, args.json === true, context.out);
    const { known, input } = askedFor(equipped, args.host, args.tool, rawArgs);
    if (known.kind === "fix" && args.yes !== true) {
      throw new UsageError(`Cannot run "${known.name}": it changes "${args.host}" (${known.risk}). Add --yes to agree`);
    }
    const call = { host: args.host, tool: known.name, input, approved: args.yes === true };
    const outcome = await run(equipped, context, call, known.kind === "fix");
    if (args.json === true) context.out.json({ host: args.host, ...outcome });
    else for (const line of outcomeLines(outcome)) context.out.line(line);
    return exitCodeOf(outcome);
  },
});

/** The host has to be one of hosts.yaml. */
export function requireHost({ config }: Equipped, host: string): void {
  if (Object.hasOwn(config.hosts, host)) return;
  const names = Object.keys(config.hosts).join(", ");
  throw new UsageError(`Cannot run a tool on "${host}": no such host in hosts.yaml, it has ${names}`);
}

/** The tool that a call names and its input, valid by the tool's own schema. `valued`: options of the verb itself. */
export function askedFor(
  { catalog }: Equipped,
  host: string,
  name: string,
  rawArgs: readonly string[],
  valued: readonly string[] = [],
): { known: Diagnostic | Fix; input: object } {
  const known = catalog.tool(name);
  if (known === undefined) {
    throw new UsageError(`Cannot run "${name}": no tool is called so. See medic tool ${host}`);
  }
  const input = inputFrom(rawArgs, catalog.jsonSchema(known.name), valued);
  checkInput(known, input, host);
  return { known, input };
}

type Call = { host: string; tool: string; input: object; approved: boolean };

async function run(equipped: Equipped, context: Context, call: Call, isFix: boolean): Promise<ToolOutcome> {
  const { config, catalog } = equipped;
  await requireKeys(
    Object.values(config.hosts).filter(({ name }) => name === call.host),
    context.env,
  );
  const journal = isFix ? openUnlessServed(config.server.data) : createMemoryJournal({ now: Date.now });
  if (journal === undefined) return runAtServe(config.server.data, call, context.stop);
  const agentSocket = context.env["SSH_AUTH_SOCK"];
  const hands = composeHands({ config, catalog, journal, log: silent, agentSocket });
  try {
    return await hands.runTool(call, context.stop);
  } finally {
    await hands.transport.close();
    journal.close();
  }
}

async function runAtServe(folder: string, call: Call, signal: AbortSignal): Promise<ToolOutcome> {
  const note = readNote(folder);
  if (note === undefined) throw new UsageError(`Cannot run "${call.tool}": another process uses "${folder}"`);
  const path = `/hosts/${encodeURIComponent(call.host)}/tools/${encodeURIComponent(call.tool)}`;
  const body = { input: call.input, approved: call.approved };
  const answer = await callServe(note, path, { method: "POST", body, signal });
  if (answer.status === 200) return answer.body as ToolOutcome;
  throw new UsageError(
    `Cannot run "${call.tool}": medic serve answers ${answer.status}: ${JSON.stringify(answer.body)}`,
  );
}

function list({ catalog }: Equipped, host: string, asJson: boolean, out: Output): ExitCode {
  const tools = catalog.toolsOn(host);
  if (asJson) {
    out.json({
      host,
      tools: tools.map(({ tool, plugin, schema }) => ({
        name: tool.name,
        kind: tool.kind,
        plugin,
        ...(tool.kind === "fix" ? { risk: tool.risk } : {}),
        description: tool.description,
        input: schema,
      })),
    });
    return 0;
  }
  const rows = tools.map(({ tool, schema }) => [
    tool.name,
    tool.kind === "fix" ? `fix, ${tool.risk}` : "reads",
    Object.keys(propertiesOf(schema))
      .map((key) => `--${key}`)
      .join(" "),
    tool.description,
  ]);
  for (const line of tableLines(["tool", "kind", "input", "what it does"], rows)) out.line(line);
  return 0;
}

/** `--key value`, `--key=value` and `--flag`, typed by the tool's own schema. `valued`: options that are not the tool's. */
export function inputFrom(
  rawArgs: readonly string[],
  schema: object,
  valued: readonly string[] = [],
): Record<string, unknown> {
  const takingValues = new Set(["config", "plugins", ...valued]);
  const own = new Set(["yes", "json", ...takingValues]);
  const properties = propertiesOf(schema);
  const input: Record<string, unknown> = {};
  for (let index = 0; index < rawArgs.length; index++) {
    const raw = rawArgs[index] ?? "";
    if (!raw.startsWith("--")) continue;
    const [key, inline] = splitOnce(raw.slice(2));
    const takesValue = takingValues.has(key) || (!own.has(key) && properties[key]?.type !== "boolean");
    const value = inline ?? (takesValue ? rawArgs[++index] : "true");
    if (own.has(key)) continue;
    if (value === undefined) throw new UsageError(`Cannot read "--${key}": it needs a value`);
    input[key] = typed(value, properties[key]);
  }
  return input;
}

type Property = { type?: string; items?: Property };

function propertiesOf(schema: object): Record<string, Property> {
  return "properties" in schema ? (schema.properties as Record<string, Property>) : {};
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function typed(value: string, property: Property | undefined): unknown {
  switch (property?.type) {
    case "number":
    case "integer":
      return value.trim() === "" || Number.isNaN(Number(value)) ? value : Number(value);
    case "boolean":
      return value === "true" ? true : value === "false" ? false : value;
    case "array":
      return value.split(",").map((item) => typed(item, property.items));
    default:
      return value;
  }
}

function checkInput(tool: Diagnostic | Fix, input: object, host: string): void {
  const parsed = v.safeParse(tool.input, input);
  if (parsed.success) return;
  const problems = parsed.issues.map((issue) => `--${v.getDotPath(issue) ?? ""}: ${issue.message}`);
  throw new UsageError(`Cannot run "${tool.name}": ${problems.join("; ")}. See medic tool ${host}`);
}

function outcomeLines(outcome: ToolOutcome): string[] {
  if (outcome.kind === "diagnostic") {
    return outcome.outcome === "found"
      ? JSON.stringify(outcome.finding, null, 2).split("\n")
      : [`${outcome.outcome}: ${printable(outcome.why)}`];
  }
  const steps = (outcome.planned?.steps ?? []).map((step) => `  $ ${commandText(step)}`);
  return [`${outcome.outcome}: ${printable(outcome.why)}`, ...steps];
}

function exitCodeOf({ outcome }: ToolOutcome): ExitCode {
  if (outcome === "found" || outcome === "fixed" || outcome === "recovered") return 0;
  return outcome === "unavailable" || outcome === "unknown" || outcome === "unverified" ? 3 : 1;
}
