// Policy: may this plan run? Pure; it knows what the owner allows and what the plan disturbs, and nothing of hosts,
// models or time. Three answers: allow, ask (a person has to agree), refuse (nobody can agree through Medic).
import type { Plan, Risk } from "../plugin/contract.ts";
import { matches } from "../plugin/contract.ts";

/** How much a fix may disturb without asking; `observe` allows none. */
export type Trust = "observe" | "reversible" | "disruptive";

export type Verdict = { is: "allow" } | { is: "ask"; why: string } | { is: "refuse"; why: string };

export type Request = {
  host: string;
  /** The plugin whose fix it is. */
  plugin: string;
  tool: string;
  risk: Risk;
  plan: Pick<Plan, "touches" | "approval">;
  trust: Trust;
  /** Globs of names that no fix ever touches. */
  protect: readonly string[];
  /** Plugins that claim a name for themselves on this host. */
  ownersOf(name: string): readonly string[];
};

const disturbance = { observe: 0, reversible: 1, disruptive: 2 } as const;

/** What policy answers. Refusals are judged first, so that nobody is asked for what cannot be allowed. */
export function judge(request: Request): Verdict {
  for (const name of request.plan.touches) {
    const refusal = refusalFor(name, request);
    if (refusal !== undefined) return { is: "refuse", why: refusal };
  }
  if (request.plan.touches.length === 0) {
    return { is: "refuse", why: `"${request.tool}" does not say what it touches, so nothing can be checked` };
  }
  if (request.plan.approval !== undefined) return { is: "ask", why: request.plan.approval };
  // Destructive fixes are within no trust on purpose: a person always decides.
  if (request.risk === "destructive") return { is: "ask", why: `"${request.tool}" is destructive` };
  if (disturbance[request.risk] <= disturbance[request.trust]) return { is: "allow" };
  return {
    is: "ask",
    why: `"${request.tool}" is ${request.risk} and "${request.host}" has trust: ${request.trust} in hosts.yaml`,
  };
}

function refusalFor(name: string, request: Request): string | undefined {
  if (matches(request.protect, name)) return `"${name}" is protected on "${request.host}" in hosts.yaml`;
  const owners = request.ownersOf(name);
  if (owners.length === 0 || owners.includes(request.plugin)) return undefined;
  return `"${name}" on "${request.host}" belongs to the plugin "${owners.join('", "')}": use its own fixes`;
}
