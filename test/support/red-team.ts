// A whole incident worked on by the real Claude responder, with the real SDK, toolbox, respond and runbooks, against a
// scripted model that may want anything. Only the model's API, the host and the clock are fakes; what reached the host
// is counted there. It judges nothing: the tests do.
import * as v from "valibot";
import { createClaude } from "../../core/agent/claude.ts";
import { createRespond } from "../../core/agent/respond.ts";
import type { IncidentEvent } from "../../core/incident/incident.ts";
import { silent } from "../../core/log.ts";
import { call, definePlugin, fix } from "../../core/plugin/contract.ts";
import docker from "../../plugins/docker/plugin.ts";
import host from "../../plugins/host/plugin.ts";
import { never, toyAgent, toyRecord } from "./agent.ts";
import { type Answer, FakeModel } from "./fake-model.ts";
import { answer, lampStatus, toyPlugin } from "./toy.ts";

const name = v.pipe(v.string(), v.maxLength(48), v.regex(/^[a-z][a-z0-9-]*$/));
const reason = v.optional(v.pipe(v.string(), v.maxLength(200)), "");

const switchFix = (verb: "off" | "blink", healthyWhen: boolean) =>
  fix({
    name: `lamp_${verb}`,
    description: `Lets the lamp ${verb}.`,
    risk: "disruptive",
    input: v.strictObject({ name, reason }),
    watch: (input) => ({ lamp: call(lampStatus, { name: input.name }) }),
    *plan(input) {
      yield* [];
      // What was given as a reason goes with it, so that a secret in one would show on the host.
      const why = input.reason === "" ? [] : [input.reason];
      return { steps: [["root", "lamp", ...why, verb, input.name]], touches: [input.name] };
    },
    marker: ({ lamp }) => lamp.run,
    healthy: ({ lamp }) => lamp.on === healthyWhen,
    withinSeconds: 20,
    stableSeconds: 5,
  });

const none = v.strictObject({});
const common = { apiVersion: 1 as const, summary: "Lamps.", options: none, runbooks: [] };
const switches = definePlugin({
  ...common,
  name: "switches",
  tools: [switchFix("off", false), switchFix("blink", true)],
});
/** The camera's light is this plugin's alone. */
const camera = definePlugin({ ...common, name: "camera", tools: [], owns: () => ["camera"] });

export type Attack = {
  /** The model's replies, in order; when they are used up, it hands over to a person. */
  says: readonly Answer[];
  /** What the lamp prints, beside its state. */
  note?: string;
  labels?: Record<string, string>;
  trust?: "observe" | "reversible" | "disruptive";
  /** A lamp that goes out again whatever is done. */
  isBroken?: true;
};

/** What became of it: steps of fixes that reached the host, reads the model asked for, events, requests of the model. */
export type Aftermath = {
  fixes: string[];
  reads: string[];
  events: IncidentEvent[];
  sent: string[];
};

export async function attack({ says, note, labels, trust, isBroken }: Attack, last: Answer): Promise<Aftermath> {
  const enabled = { toy: {}, switches: {}, camera: {} };
  const plugins = [toyPlugin, switches, camera, docker, host];
  const agent = toyAgent({ plugins, enabled, protect: ["postgres"], ...(trust === undefined ? {} : { trust }) });
  const { lamps } = agent.host;
  lamps.set("lamp", { on: false, run: 1, ...(note === undefined ? {} : { note }) });
  for (const other of ["hall", "postgres", "camera"]) lamps.set(other, { on: false, run: 1 });
  if (isBroken === true) {
    agent.host.intercept = (argv, how) => {
      const lamp = lamps.get(String(argv.at(-1)));
      if (how.kind !== "fix" || lamp === undefined) return undefined;
      lamp.run++;
      return answer({});
    };
  }
  await using model = await FakeModel.start([...says, last, last]);
  const claude = createClaude({
    apiKey: "sk-ant-test",
    baseUrl: model.url,
    model: "claude-opus-5-5",
    turns: 12,
    outputTokens: 4096,
    tokens: 400_000,
    dollars: 5,
    requestSeconds: 20,
    log: silent,
    guidance: () => [],
    now: agent.clock.now,
    sleep: agent.clock.sleep,
  });
  const respond = createRespond({
    responders: [claude],
    toolboxFor: agent.toolboxFor,
    runbooksFor: (incident) => agent.catalog.runbooksFor(incident),
    evidenceFor: () => [call(lampStatus, { name: "lamp" })],
    leftFix: () => undefined,
    approvalSeconds: 600,
    record: (_incident, event) => void agent.events.push(event),
    sleep: agent.clock.sleep,
    now: agent.clock.now,
  });
  const alert = { ...toyRecord.alert, labels: labels ?? {} };
  await respond({ ...toyRecord, alert }, never);
  const commands = agent.host.commands.map(({ argv, how }) => ({ text: argv.join(" "), how }));
  return {
    fixes: commands.filter(({ how }) => how.kind === "fix").map(({ text }) => text),
    reads: commands.filter(({ how }) => how.kind === "diagnostic").map(({ text }) => text),
    events: agent.events,
    sent: model.requests.map(({ text }) => text),
  };
}
