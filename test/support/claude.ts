// The Claude responder as it works on one incident of the toy host: the real SDK speaks to a fake model over a real
// socket, and the real toolbox stands behind it. Waits take no time and are returned.
import { createClaude, type ClaudeSettings } from "../../core/agent/claude.ts";
import type { Conclusion } from "../../core/agent/responder.ts";
import { silent } from "../../core/log.ts";
import { never, toyAgent, toyIncident } from "./agent.ts";
import type { FakeModel, Said } from "./fake-model.ts";

export const status = { name: "lamp_status", input: { name: "lamp" } };
export const on = { name: "lamp_on", input: { name: "lamp" } };
export const concluded = (verdict: string, summary = "The lamp was off. It is on now."): Said => ({
  calls: [{ id: "toolu_end", name: "conclude", input: { verdict, summary } }],
});
export const well = concluded("well");

type Bend = Partial<ClaudeSettings> & { signal?: AbortSignal; service?: string };

/** One incident of the toy host, worked on by the real responder with the real SDK and the real toolbox. */
export async function work(model: FakeModel, bend: Bend = {}, agent = toyAgent()) {
  const waits: number[] = [];
  const { signal = never, service = "lamp", ...settings } = bend;
  const claude = createClaude({
    apiKey: "sk-ant-test",
    baseUrl: model.url,
    model: "claude-opus-5-5",
    turns: 12,
    outputTokens: 4096,
    tokens: 200_000,
    dollars: 1,
    requestSeconds: 20,
    log: silent,
    guidance: () => ["Switch it on once."],
    now: agent.clock.now,
    sleep: async (milliseconds, waiting) => {
      waits.push(milliseconds / 1000);
      await agent.clock.sleep(milliseconds, waiting);
    },
    ...settings,
  });
  const tools = agent.toolboxFor(agent.errand);
  const outcomes = await tools.turn([{ tool: "lamp_status", input: { name: "lamp" } }], never);
  const evidence = outcomes
    .filter((outcome) => outcome.kind === "diagnostic")
    .map(({ kind: _kind, ...asked }) => asked);
  agent.host.commands.length = 0;
  const conclusion = await claude.work({ ...toyIncident, service }, tools, {
    evidence,
    record: agent.errand.record,
    signal,
  });
  return { ...agent, conclusion, waits };
}

/** Why it ended, whichever way it did. */
export function reasonOf(conclusion: Conclusion): string {
  return "reason" in conclusion ? conclusion.reason : conclusion.why;
}
