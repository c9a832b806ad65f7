// One tool, asked for by a person. It passes the same gates as a responder's call; only what policy would *ask* is
// answered beforehand. A fix gets an incident of its own, so that the journal has everything that ever changed a host:
// evidence, intent, verdict and end, also when it is broken off in the middle.
import { endOfFix } from "../incident/ending.ts";
import type { IncidentEvent } from "../incident/incident.ts";
import type { Call, Incident } from "../plugin/contract.ts";
import { nothingKnown } from "./apply.ts";
import { messageOf, type Tools } from "./diagnosis.ts";
import { redactWords } from "./redact.ts";
import { gather } from "./respond.ts";
import type { Toolbox, ToolOutcome } from "./responder.ts";
import type { Errand } from "./toolbox.ts";

export type ByHand = { host: string; tool: string; input: object; approved: boolean };

export type ByHandParts = {
  tools: Pick<Tools, "tool" | "pluginOf">;
  toolboxFor(errand: Errand): Toolbox;
  /** What to keep before the fix: the plugin's evidence and the host's own. */
  evidenceFor(incident: Incident, plugin: string): readonly Call[];
  /** Opens an incident for a fix by hand; returns its key and how to write to it. */
  open(call: ByHand, plugin: string): { key: string; record(event: IncidentEvent): void };
  now(): number;
};

/** Why a signal is aborted by a process that ends and has a next one. */
export class LeftToNext extends Error {
  override readonly name = "LeftToNext";
}

/** Runs it and says what became of it. Throws when aborted or when the journal fails. */
export async function runByHand(parts: ByHandParts, call: ByHand, signal: AbortSignal): Promise<ToolOutcome> {
  if (parts.tools.tool(call.tool)?.kind === "fix") return runFix(parts, call, signal);
  return askFor(parts, call, { key: `${call.host}/-`, record: () => undefined }, signal);
}

async function runFix(parts: ByHandParts, call: ByHand, signal: AbortSignal): Promise<ToolOutcome> {
  const plugin = parts.tools.pluginOf(call.tool);
  const { key, record } = parts.open(call, plugin);
  const written: IncidentEvent[] = [];
  const write = (event: IncidentEvent): void => {
    written.push(event);
    record(redactWords(event));
  };
  const evidence: Pick<Errand, "beforeFix"> = {
    beforeFix: async ([service]) => {
      const calls = parts.evidenceFor(incidentOf(parts, call, plugin, service), plugin);
      const errand = { key, host: call.host, attempts: [], record: write };
      await gather(calls, parts.toolboxFor(errand), write, parts.now, signal);
    },
  };
  try {
    const outcome = await askFor(parts, call, { key, record: write, ...evidence }, signal);
    if (outcome.kind === "fix") write(endOfFix(outcome));
    return outcome;
  } catch (error) {
    // What began is followed by the next process, as every fix is.
    if (signal.reason instanceof LeftToNext && written.some(({ kind }) => kind === "fix-started")) throw error;
    // Nobody else takes it up: an incident without an end would say for ever that a fix is under way.
    for (const event of brokenOff(written, messageOf(error))) write(event);
    throw error;
  }
}

async function askFor(
  { toolboxFor }: ByHandParts,
  { host, tool, input, approved }: ByHand,
  errand: Pick<Errand, "key" | "record" | "beforeFix">,
  signal: AbortSignal,
): Promise<ToolOutcome> {
  const [outcome] = await toolboxFor({ ...errand, host, attempts: [], approved }).turn([{ tool, input }], signal);
  if (outcome === undefined) throw new Error(`Cannot run "${tool}": the toolbox gave no answer`);
  return outcome;
}

function incidentOf({ now }: ByHandParts, { host, tool }: ByHand, plugin: string, service?: string): Incident {
  const startsAt = new Date(now()).toISOString();
  return { host, service, plugin, alert: { name: tool, labels: {}, annotations: {}, startsAt }, attempts: [] };
}

/** How it ends when it was thrown out of its way. What began and was not judged, nobody has watched to its end. */
function brokenOff(written: readonly IncidentEvent[], why: string): IncidentEvent[] {
  const started = written.findLast((event) => event.kind === "fix-started");
  if (started === undefined) return [{ kind: "dismissed", reason: `broken off before the fix began: ${why}` }];
  const reason = `"${started.tool}" was broken off: ${why}. Look at the host`;
  if (written.some(({ kind }) => kind === "fix-judged")) return [{ kind: "escalated", reason }];
  const outcome = written.some(({ kind }) => kind === "fix-dispatched") ? "unverified" : "unknown";
  const { tool, input } = started;
  return [
    { kind: "fix-judged", tool, input, outcome, facts: nothingKnown, why: `broken off: ${why}` },
    { kind: "escalated", reason },
  ];
}
