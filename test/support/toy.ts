// A toy plugin and a toy host: one lamp that can be on or off, so that the agent's rules are tested without any real
// service. Commands are plain argv that the toy host understands; each is counted.
import * as v from "valibot";
import {
  call,
  definePlugin,
  diagnostic,
  fix,
  matches,
  mayHaveRun,
  need,
  refuse,
  runbook,
  unavailable,
} from "../../core/plugin/contract.ts";
import type { Command, Result } from "../../core/plugin/contract.ts";
import type { How } from "../../core/agent/diagnosis.ts";

const lamp = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]*$/));
export const options = v.strictObject({ lamps: v.optional(v.array(v.string()), ["lamp"]) });
type Options = v.InferOutput<typeof options>;

export const lampStatus = diagnostic({
  name: "lamp_status",
  description: "Whether the lamp is on.",
  input: v.strictObject({ name: lamp }),
  command: ({ name }) => ["lamp", "status", name],
  parse(result) {
    if (result.exit !== 0) return unavailable(result);
    return JSON.parse(result.stdout) as { on: boolean; run: string; note?: string };
  },
});

export const lampOn = fix({
  name: "lamp_on",
  description: "Switches the lamp on.",
  risk: "disruptive",
  input: v.strictObject({ name: lamp }),
  watch: ({ name }) => ({ lamp: call(lampStatus, { name }) }),
  *plan({ name }, _options: Options, { lamp }) {
    yield* [];
    if (lamp.on) return refuse("the lamp is on");
    return { steps: [["root", "lamp", "on", name]], touches: [name] };
  },
  marker: ({ lamp }) => lamp.run,
  healthy: ({ lamp }) => lamp.on,
  withinSeconds: 20,
  stableSeconds: 5,
});

export const lampSmash = fix({
  name: "lamp_smash",
  description: "Replaces the lamp by force.",
  risk: "destructive",
  input: v.strictObject({ name: lamp }),
  watch: ({ name }) => ({ lamp: call(lampStatus, { name }) }),
  *plan({ name }) {
    yield* [];
    return { steps: [["root", "lamp", "smash", name]], touches: [name] };
  },
  marker: ({ lamp }) => lamp.run,
  healthy: ({ lamp }) => lamp.on,
  withinSeconds: 20,
  stableSeconds: 5,
});

export const darkness = runbook({
  title: "It is dark",
  guidance: "Switch it on once; if it goes out again, somebody should look at the bulb.",
  when: (incident, options: Options) => matches(options.lamps, incident.service),
  *decide(incident) {
    const { status } = yield* need({ status: call(lampStatus, { name: incident.service ?? "lamp" }) });
    if (status.on) return { well: "the lamp is on" };
    if (incident.attempts.some(mayHaveRun)) return { escalate: "it stays dark" };
    return { fix: call(lampOn, { name: incident.service ?? "lamp" }) };
  },
});

export const toyPlugin = definePlugin({
  name: "toy",
  apiVersion: 1,
  summary: "Lamps.",
  options,
  tools: [lampStatus, lampOn, lampSmash],
  runbooks: [darkness],
  heals: ({ lamps }) => lamps,
  evidence: (incident) => ({ status: call(lampStatus, { name: incident.service ?? "lamp" }) }),
  hints: [[/burnt/, "replace the bulb"]],
});

type Lamp = { on: boolean; run: number; note?: string };

/** The machine's own words, which a test may change under Medic. */
type Machine = { id: string; boot: string; isFull: boolean };

/** What a test may bend: each hook sees the command and may answer or throw in the host's place. */
export class ToyHost {
  readonly lamps = new Map<string, Lamp>([["lamp", { on: false, run: 1 }]]);
  readonly commands: { argv: Command; how: How }[] = [];
  readonly machine: Machine = { id: "toy", boot: "boot-1", isFull: false };
  /** What lies in the folders of claims, by path: a dispatch's folder or Medic's file. */
  readonly claims = new Map<string, "folder" | "file">();
  /** Whether the process that took a claim is still there. */
  isRunning = false;
  inFlight = 0;
  inFlightMax = 0;
  intercept: (argv: Command, how: How) => Promise<Result | undefined> | Result | undefined = () => undefined;

  async run(_host: string, argv: Command, how: How): Promise<Result> {
    this.commands.push({ argv, how });
    this.inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    try {
      await new Promise((resolve) => setImmediate(resolve));
      const answered = await this.intercept(argv, how);
      if (answered !== undefined) return answered;
      if (how.claim !== undefined) this.take(how.claim);
      return how.tool.startsWith("claims_") ? this.#ofClaims(how.tool, argv.slice(4)) : this.#answer(argv);
    } finally {
      this.inFlight--;
    }
  }

  /** How often this verb reached the host. */
  count(verb: string): number {
    return this.commands.filter(({ argv }) => argv.includes(verb)).length;
  }

  /** What a dispatch does first; a test may do it in place of a dispatch whose answer is lost. */
  take(claim: string): void {
    const folder = claim.slice(0, claim.lastIndexOf("/"));
    const isRefused = this.machine.isFull || !this.claims.has(folder);
    if (this.claims.has(claim)) throw transportError("ClaimTaken", true);
    if (isRefused) throw transportError("ClaimRefused", false);
    this.claims.set(claim, "folder");
  }

  /** Core's own scripts, which a real sh reads in test/agent/claim.test.ts. */
  #ofClaims(tool: string, [place = "", from = "0", steps = "0"]: readonly string[]): Result {
    const who = [`machine ${this.machine.id}`, `boot ${this.machine.boot}`];
    if (tool === "claims_prepare") {
      if (this.machine.isFull) return text(who);
      this.claims.set(`/tmp/medic-${place}`, "folder");
      return text([`place /tmp/medic-${place}`, ...who]);
    }
    if (tool === "claims_drop") {
      for (const path of this.claims.keys()) if (path.startsWith(place)) this.claims.delete(path);
      return text([]);
    }
    if (!this.claims.has(place)) return text(who);
    const lines = [...who, "folder there"];
    for (let step = Number(from); step < Number(steps); step++) {
      const claim = `${place}/${step}`;
      if (!this.claims.has(claim) && !this.machine.isFull) this.claims.set(claim, "file");
      const is = this.claims.get(claim);
      const taken = `claim taken ${this.isRunning ? "yes" : "no"}`;
      lines.push(is === "folder" ? taken : is === "file" ? "claim ours" : "claim not-made");
    }
    return text(lines);
  }

  #answer(argv: Command): Result {
    const [verb = "", name = ""] = argv.slice(-2);
    const lamp = this.lamps.get(name);
    if (lamp === undefined) return { exit: 1, stdout: "", stderr: `no lamp ${name}`, cutBytes: 0 };
    if (["on", "off", "blink", "smash"].includes(verb)) {
      lamp.on = verb !== "off";
      lamp.run++;
    }
    return answer({ on: lamp.on, run: String(lamp.run), ...(lamp.note === undefined ? {} : { note: lamp.note }) });
  }
}

function text(lines: readonly string[]): Result {
  return { exit: 0, stdout: lines.map((line) => `${line}\n`).join(""), stderr: "", cutBytes: 0 };
}

export function answer(value: object): Result {
  return { exit: 0, stdout: JSON.stringify(value), stderr: "", cutBytes: 0 };
}

/** An error as the transport throws it. */
export function transportError(name: string, dispatched: boolean): Error {
  return Object.assign(new Error(`Cannot finish "lamp" on "toy-host": ${name}`), { name, dispatched });
}
