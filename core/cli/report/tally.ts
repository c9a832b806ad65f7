// What the journal says of each host since a time: how incidents ended, what became of fixes, what a dry run would have
// done, what people answered. Pure: incidents with their events in, numbers out.
import type { IncidentRecord, JournalEvent } from "../../incident/incident.ts";
import type { Risk } from "../../plugin/contract.ts";

export type Counts = Record<string, number>;

/** How often it was good that a fix of this risk ran, or would have been; see suggestion.ts. */
export type Cases = {
  /** Fixes that helped. */
  helped: number;
  /** Plans of a dry run whose service did not recover by itself. */
  needed: number;
  /** Fixes that did not help, or of which nobody knows. */
  failed: number;
  /** Services that recovered by themselves, beside a fix or without the planned one. */
  needless: number;
  /** Questions that a person answered with no. */
  denied: number;
};

export type HostTally = {
  host: string;
  incidents: number;
  /** `medic`, `itself`, `monitor`: resolved by; `person`: left to one; `dismissed`; `open`. */
  ends: Counts;
  /** Incidents that were left to a person at some time, whatever became of them. */
  escalated: number;
  /** Real ones, by outcome. */
  fixes: Counts;
  /** Of incidents in a dry run; `open`: not seen to the end. */
  planned: { incidents: number; recovered: number; notRecovered: number; unseen: number; open: number };
  approvals: { asked: number; given: number; denied: number; expired: number };
  cases: Record<"reversible" | "disruptive", Cases>;
};

/** Adds one incident; those without a host are of none. */
export function tally(
  hosts: Map<string, HostTally>,
  of: IncidentRecord,
  events: readonly JournalEvent[],
  risks: Risks,
): void {
  const name = of.target.host;
  if (name === undefined) return;
  const host = hosts.get(name) ?? emptyTally(name);
  hosts.set(name, host);
  host.incidents++;
  add(host.ends, endOf(of));
  if (of.onlyPlans !== true && events.some(({ kind }) => kind === "escalated")) host.escalated++;
  // What a person runs by hand is their own judgement.
  const isOurs = of.byHand !== true;
  if (isOurs) planOf(host, events);
  for (const event of events) {
    if (event.kind === "fix-judged") {
      add(host.fixes, event.outcome);
      // One that never began tells nothing of whether it would have helped. The first Medic noted no facts.
      if (isOurs && event.facts?.began !== "no") addCase(host, risks(event.tool), CASE_OF[event.outcome] ?? "failed");
    } else if (event.kind === "approval-requested") host.approvals.asked++;
    else if (event.kind === "approval-given") host.approvals.given++;
    else if (event.kind === "approval-expired") host.approvals.expired++;
    else if (event.kind === "approval-denied") {
      host.approvals.denied++;
      addCase(host, risks(event.tool), "denied");
    }
  }
}

const CASE_OF: Readonly<Record<string, keyof Cases>> = { fixed: "helped", recovered: "needless" };

/** How much a tool disturbs; undefined when it is not known here. */
export type Risks = (tool: string) => Risk | undefined;

export function emptyTally(host: string): HostTally {
  const none = (): Cases => ({ helped: 0, needed: 0, failed: 0, needless: 0, denied: 0 });
  return {
    host,
    incidents: 0,
    ends: {},
    escalated: 0,
    fixes: {},
    planned: { incidents: 0, recovered: 0, notRecovered: 0, unseen: 0, open: 0 },
    approvals: { asked: 0, given: 0, denied: 0, expired: 0 },
    cases: { reversible: none(), disruptive: none() },
  };
}

/** One incident counts once, however many plans a responder made for it: by its first one. */
function planOf({ planned, cases }: HostTally, events: readonly JournalEvent[]): void {
  const plan = events.find((event) => event.kind === "fix-planned");
  if (plan === undefined) return;
  planned.incidents++;
  const seen = events.find((event) => event.kind === "plan-observed");
  if (seen === undefined) planned.open++;
  else if (seen.came === "unseen") planned.unseen++;
  else {
    const isNeedless = seen.came === "recovered";
    if (isNeedless) planned.recovered++;
    else planned.notRecovered++;
    if (plan.risk !== "destructive") cases[plan.risk][isNeedless ? "needless" : "needed"]++;
  }
}

function addCase({ cases }: HostTally, risk: Risk | undefined, what: keyof Cases): void {
  if (risk === "reversible" || risk === "disruptive") cases[risk][what]++;
}

function endOf({ state }: IncidentRecord): string {
  if (state.is === "resolved") return state.by;
  if (state.is === "escalated" || state.is === "awaiting-approval") return "person";
  return state.is === "dismissed" ? "dismissed" : "open";
}

function add(counts: Counts, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
