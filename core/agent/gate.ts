// The gates of a plan between planning and running: policy (may it?), maintenance and what is under way (may it now?) and
// budgets (has it been enough?). It answers with a refusal or lets the plan through; it writes nothing and runs nothing.
import type { PlannedFix } from "../incident/incident.ts";
import type { Fix, Plan } from "../plugin/contract.ts";
import type { Tools } from "./diagnosis.ts";
import { judge, type Trust } from "./policy.ts";

export type Ownership = { trust: Trust; protect: readonly string[] };
export type FixBudget = {
  fixesPerService: number;
  fixesPerHost: number;
  fixesInAll: number;
  fixWindow: number;
  /** So many services of one host that fixes did not help, within so many seconds (0: not counted). */
  breakerServices: number;
  breakerWindow: number;
};

export type GateParts = {
  tools: Pick<Tools, "pluginOf" | "ownersOf">;
  ownership(host: string): Ownership;
  limits: FixBudget;
  /**
   * Fixes started since a time, over all incidents: of this service (by its key, or by a name that is touched), on this
   * host, on all hosts, and one of this service whose end nobody knows.
   */
  fixesSince(
    host: string,
    of: { key: string; touches: readonly string[] },
    sinceMs: number,
  ): { service: number; host: number; all: number; open?: { tool: string; incident: string } };
  /** Services of a host that fixes did not help since a time, or since a person looked at the host itself. */
  unhelpedSince(host: string, sinceMs: number): readonly string[];
  /** The maintenance that is on for one of these services of a host, or for all of it, in words. */
  maintenanceOf(host: string, services: readonly string[]): string | undefined;
  now(): number;
};

/** Who asks, and what a person has agreed to. */
export type Asking = {
  key: string;
  host: string;
  /** Why no fix is wanted: the alert says so. */
  hold?: string | undefined;
  /** Plans and judges, but runs no fix. */
  dryRun?: boolean;
  /** A person agreed beforehand to what would only be asked. */
  approved?: boolean;
  /** A person agreed to exactly this plan, made anew now. */
  agreedTo?: ((planned: PlannedFix) => boolean) | undefined;
  /** A person said no in this incident. */
  refusal?: string | undefined;
};

/** `planned`: it would run but for the dry run (`isDry`), or if a person agreed (`planned.asks`). */
export type Stopped = { why: string; planned?: PlannedFix; isDry?: true };

/** `objection`: asked again right before it begins, since other fixes and maintenance may have begun meanwhile. */
export type LetThrough = { objection(): string | undefined };

const DRY = "dry run: nothing is changed";

/** Policy and budgets. */
export function gate(parts: GateParts, asking: Asking, tool: Fix, input: object, plan: Plan): Stopped | LetThrough {
  const { host, dryRun, approved, refusal } = asking;
  if (refusal !== undefined) return { why: refusal };
  const { tools, ownership } = parts;
  const planned: PlannedFix = { tool: tool.name, input, steps: plan.steps, touches: plan.touches, risk: tool.risk };
  const verdict = judge({
    host,
    plugin: tools.pluginOf(tool.name),
    tool: tool.name,
    risk: tool.risk,
    plan,
    ...ownership(host),
    ownersOf: (name) => tools.ownersOf(host, name),
  });
  if (verdict.is === "refuse") return { why: verdict.why };
  const isAgreed = approved === true || asking.agreedTo?.(planned) === true;
  if (verdict.is === "ask" && !isAgreed) {
    // A person's yes would not lift these, so nobody is asked.
    const enough = enoughOf(parts, asking, plan);
    if (enough !== undefined) return { why: enough };
    const asked = { why: `a person has to agree: ${verdict.why}`, planned: { ...planned, asks: verdict.why } };
    return dryRun === true
      ? { ...asked, why: `${DRY}, and a person would be asked: ${verdict.why}`, isDry: true }
      : asked;
  }
  const objection = (): string | undefined =>
    (isAgreed ? undefined : unwantedNow(parts, asking, plan)) ?? enoughOf(parts, asking, plan);
  const why = objection() ?? (isAgreed ? undefined : hostTrouble(parts, asking));
  if (why !== undefined) return { why };
  return dryRun === true ? { why: DRY, planned, isDry: true } : { objection };
}

function unwantedNow({ maintenanceOf }: GateParts, { host, hold }: Asking, { touches }: Plan): string | undefined {
  const held = hold ?? maintenanceOf(host, touches);
  return held === undefined ? undefined : `no fix is wanted now: ${held}`;
}

/** One that may be under way, or as many as the owner allows; nobody's yes lifts the latter. */
function enoughOf({ limits, fixesSince, now }: GateParts, asking: Asking, { touches }: Plan): string | undefined {
  const { host, key, approved } = asking;
  const started = fixesSince(host, { key, touches }, now() - limits.fixWindow * 1000);
  if (started.open !== undefined && approved !== true) {
    const { tool: last, incident } = started.open;
    return `what became of "${last}" in incident ${incident} is not known, so it may be under way: a person should look`;
  }
  const window = `in the last ${Math.round(limits.fixWindow / 60)} min (limits in hosts.yaml): a person should look`;
  if (started.service >= limits.fixesPerService) return `${started.service} fixes of "${touches.join(", ")}" ${window}`;
  if (started.host >= limits.fixesPerHost) return `${started.host} fixes on "${host}" ${window}`;
  return started.all >= limits.fixesInAll ? `${started.all} fixes on all hosts together ${window}` : undefined;
}

/** One cause behind several services: more fixes of them would be a row of restarts. The host's own may still be fixed. */
function hostTrouble({ limits, unhelpedSince, now }: GateParts, { host, key }: Asking): string | undefined {
  if (limits.breakerWindow === 0 || key === `${host}/-`) return undefined;
  const services = unhelpedSince(host, now() - limits.breakerWindow * 1000);
  if (services.length < limits.breakerServices) return undefined;
  const minutes = Math.round(limits.breakerWindow / 60);
  const what = `fixes of ${services.join(", ")} did not help in the last ${minutes} min (limits.breakerServices in hosts.yaml)`;
  return `look at "${host}" itself first: ${what}. medic investigate --host ${host} says that somebody does`;
}
