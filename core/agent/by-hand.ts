// One tool, asked for by a person. It passes the same gates as a responder's call; only what policy would *ask* is
// answered beforehand. A fix gets an incident of its own, so that the journal has everything that ever changed a host.
import type { IncidentEvent } from "../incident/incident.ts";
import type { Tools } from "./diagnosis.ts";
import type { Toolbox, ToolOutcome } from "./responder.ts";
import type { Errand } from "./toolbox.ts";

export type ByHand = { host: string; tool: string; input: object; approved: boolean };

export type ByHandParts = {
  tools: Pick<Tools, "tool" | "pluginOf">;
  toolboxFor(errand: Errand): Toolbox;
  /** Opens an incident for a fix by hand; returns its key and how to write to it. */
  open(call: ByHand, plugin: string): { key: string; record(event: IncidentEvent): void };
};

/** Runs it and says what became of it. A fix is in the journal with its intent, its verdict and its end. */
export async function runByHand(parts: ByHandParts, call: ByHand, signal: AbortSignal): Promise<ToolOutcome> {
  const isFix = parts.tools.tool(call.tool)?.kind === "fix";
  const incident = isFix
    ? parts.open(call, parts.tools.pluginOf(call.tool))
    : { key: `${call.host}/-`, record: () => undefined };
  const tools = parts.toolboxFor({ ...incident, host: call.host, attempts: [], approved: call.approved });
  const [outcome] = await tools.turn([{ tool: call.tool, input: call.input }], signal);
  if (outcome === undefined) throw new Error(`Cannot run "${call.tool}": the toolbox gave no answer`);
  if (outcome.kind === "fix") incident.record(endOf(outcome));
  return outcome;
}

function endOf({ tool, outcome, why, planned }: Extract<ToolOutcome, { kind: "fix" }>): IncidentEvent {
  const said = `${tool}: ${outcome}: ${why}`;
  switch (outcome) {
    case "fixed":
      return { kind: "resolved", by: "medic", why };
    case "recovered":
      return { kind: "resolved", by: "itself", why };
    case "refused":
      // Nothing was changed, so there is nothing for anybody to look after.
      return { kind: "dismissed", reason: said };
    default:
      return { kind: "escalated", reason: said, ...(planned === undefined ? {} : { planned }) };
  }
}
