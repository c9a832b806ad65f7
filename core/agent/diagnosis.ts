// The reading half of the toolbox: one call of one diagnostic, through its gates (known? valid? permitted?), over the
// transport, into a finding or the reason why there is none. It never throws for a call, except when aborted.
import * as v from "valibot";
import type { Asked } from "../incident/incident.ts";
import type { Command, Diagnostic, Fix, Refusal, Result, Schema, Unavailable } from "../plugin/contract.ts";
import { keepNewest, presentable, redactText } from "./redact.ts";
import type { OfferedTool, ToolCall } from "./responder.ts";

/** How commands reach a host. Throws an Error that says whether the command was `dispatched`. */
export interface Reach {
  run(host: string, command: Command, how: How): Promise<Result>;
}
export type How = {
  kind: "diagnostic" | "fix";
  tool: string;
  /** The host's own commandTimeout when absent. */ commandSeconds?: number;
  signal?: AbortSignal;
  /** The path on the host that the command has to take before it runs. Refused: nothing ran (not `dispatched`). */
  claim?: string;
};

/** What the toolbox asks of the plugins. */
export interface Tools {
  tool(name: string): Diagnostic | Fix | undefined;
  /** The plugin a tool belongs to. */
  pluginOf(tool: string): string;
  /** The validated options of the tool's plugin on this host. */
  optionsFor(tool: string, host: string): { options: object } | Unavailable;
  toolsOn(host: string): readonly OfferedTool[];
  /** Plugins enabled on the host that claim this name for themselves. */
  ownersOf(host: string, name: string): readonly string[];
  /** Advice for the text of a failed command. */
  hintFor(tool: string, text: string): string | undefined;
}

export type DiagnosisParts = { reach: Reach; tools: Tools; limits: { findingBytes: number }; now(): number };

/** `asked` is for the journal and the model (redacted, bounded); `finding` is exact, for plugins to decide from. */
export type Answer = { asked: Asked; finding: object | Unavailable };

const REASON_CHARACTERS_MAX = 2000;
/** What is asked for is written down whether it exists or not, so whoever asks must not choose how much that is. */
const NAME_CHARACTERS_MAX = 100;
const INPUT_BYTES_MAX = 8_000;

/** Asks one diagnostic. */
export async function diagnose(
  parts: DiagnosisParts,
  host: string,
  call: ToolCall,
  signal: AbortSignal,
): Promise<Answer> {
  const began = parts.now();
  const bytesMax = parts.limits.findingBytes;
  const asked = (): Pick<Asked, "tool" | "input" | "seconds"> => ({
    tool: keepNewest(redactText(call.tool), NAME_CHARACTERS_MAX),
    input: presentable(asObject(call.input), Math.min(bytesMax, INPUT_BYTES_MAX)),
    seconds: (parts.now() - began) / 1000,
  });
  const refused = (why: string): Answer => ({
    asked: { ...asked(), outcome: "refused", why: keepNewest(redactText(why), REASON_CHARACTERS_MAX) },
    finding: { unavailable: why },
  });
  const known = knownCall(parts.tools, host, call);
  if ("refused" in known) return refused(known.refused);
  const { tool, input, options } = known;
  if (tool.kind !== "diagnostic") return refused(`"${tool.name}" is a fix, and only diagnostics may be asked here`);
  const command = tool.command(input, options);
  if ("refused" in command) return refused(command.refused);
  const result = await runTwiceIfLost(parts.reach, host, tool, command, signal);
  const finding = "unavailable" in result ? result : read(tool, result, input, options);
  if ("unavailable" in finding) {
    // What a failed command printed last may be one endless line.
    const said = String(finding.unavailable);
    const unavailable = advised(parts.tools, tool.name, keepNewest(said, REASON_CHARACTERS_MAX));
    // Redacted before it is cut: half a secret is not known as one.
    const why = advised(parts.tools, tool.name, keepNewest(redactText(said), REASON_CHARACTERS_MAX));
    return { asked: { ...asked(), outcome: "unavailable", why }, finding: { unavailable } };
  }
  return { asked: { ...asked(), outcome: "found", finding: presentable(finding, bytesMax) }, finding };
}

/** Asks one of core's own diagnostics, which no catalog has. */
export async function askOwn<S extends Schema, F extends object>(
  reach: Reach,
  host: string,
  tool: Diagnostic<S, F>,
  input: v.InferOutput<S>,
  signal: AbortSignal,
): Promise<F | Unavailable> {
  const command = tool.command(input, {});
  if ("refused" in command) return { unavailable: command.refused };
  const result = await runTwiceIfLost(reach, host, tool, command, signal);
  return "unavailable" in result ? result : tool.parse(result, input, {});
}

/** Known, enabled on this host, and its input valid: the tool, the parsed input, its plugin's options here. */
export function knownCall(
  tools: Tools,
  host: string,
  call: ToolCall,
): { tool: Diagnostic | Fix; input: object; options: object } | Refusal {
  const tool = tools.tool(call.tool);
  if (tool === undefined) return { refused: `no tool is called "${call.tool}"` };
  const options = tools.optionsFor(tool.name, host);
  if ("unavailable" in options) return { refused: options.unavailable };
  // The key is core's, whatever a plugin's schema takes: an incident has one host, and no input can name another.
  if (Object.hasOwn(asObject(call.input), "host")) {
    return { refused: `"${tool.name}" takes no host: it runs on "${host}" and nowhere else` };
  }
  const parsed = v.safeParse(tool.input, call.input);
  if (parsed.success) return { tool, input: parsed.output, options: options.options };
  const problems = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? "input"}: ${issue.message}`);
  return { refused: `invalid input for "${call.tool}": ${problems.join("; ")}` };
}

/** The text of a failed command with the plugin's advice behind it, where it has any. */
export function advised(tools: Pick<Tools, "hintFor">, tool: string, text: string): string {
  const hint = tools.hintFor(tool, text);
  return hint === undefined ? text : `${text} (${hint})`;
}

export function asObject(input: unknown): object {
  return typeof input === "object" && input !== null ? input : { value: input };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A diagnostic reads only, so a lost link may ask again; a host that was too slow would be too slow again. */
async function runTwiceIfLost(
  reach: Reach,
  host: string,
  tool: Pick<Diagnostic, "name" | "timeoutSeconds">,
  command: Command,
  signal: AbortSignal,
): Promise<Result | Unavailable> {
  const how: How = { kind: "diagnostic", tool: tool.name, commandSeconds: tool.timeoutSeconds ?? 20, signal };
  for (let attempt = 1; ; attempt++) {
    try {
      return await reach.run(host, command, how);
    } catch (error) {
      signal.throwIfAborted();
      const lost = error instanceof Error && error.name === "ConnectionLost";
      if (!lost || attempt === 2) return { unavailable: messageOf(error) };
    }
  }
}

function read(tool: Diagnostic, result: Result, input: object, options: object): object | Unavailable {
  // sudo's own "no" must never be read as the program's answer: an empty list would look like "port free".
  const sudo = /^sudo: .*/m.exec(result.stderr)?.[0];
  if (sudo !== undefined) return { unavailable: sudo };
  try {
    return tool.parse(result, input, options);
  } catch (error) {
    return { unavailable: `"${tool.name}" cannot read this answer: ${messageOf(error)}` };
  }
}
