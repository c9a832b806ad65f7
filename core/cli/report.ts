// `medic report`: what Medic did, or in a dry run would have done, on each host, and how far the owner might trust it
// there. Reads only, also beside a running `serve`.
import { type Journal, readJournal } from "../incident/journal.ts";
import { type Equipped, readEquipped } from "./config-file.ts";
import type { ExitCode, Output } from "./context.ts";
import { type Suggestion, suggestTrust } from "./report/suggestion.ts";
import { type Counts, emptyTally, type HostTally, tally } from "./report/tally.ts";
import { sinceOf } from "./since.ts";
import { equipArgs, defineVerb, jsonArg } from "./verb.ts";

type HostReport = HostTally & { trust: string | undefined; suggestion: Suggestion | undefined };

export const report = defineVerb({
  name: "report",
  description: "Tell per host what was fixed, what a dry run would have fixed, and how far to trust Medic there",
  args: {
    since: { type: "string", description: "How far back, e.g. 30d or 2026-11-01", valueHint: "time", default: "30d" },
    ...equipArgs,
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const { out } = context;
    const sinceMs = sinceOf(args.since, Date.now());
    const equipped = await readEquipped(context, args);
    const journal = readJournal(equipped.config.server.data, { now: Date.now });
    try {
      const hosts = reportOf(journal, equipped, sinceMs);
      const since = new Date(sinceMs).toISOString();
      if (args.json === true) out.json({ since, hosts });
      else for (const line of textLines(since, hosts, out.paint)) out.line(line);
      return 0;
    } finally {
      journal.close();
    }
  },
});

/** The hosts of hosts.yaml, and those that the journal knows beside them. */
function reportOf(journal: Journal, { config, catalog }: Equipped, sinceMs: number): HostReport[] {
  const hosts = new Map(Object.keys(config.hosts).map((name) => [name, emptyTally(name)]));
  const risks = (name: string): ReturnType<Parameters<typeof tally>[3]> => {
    const tool = catalog.tool(name);
    return tool?.kind === "fix" ? tool.risk : undefined;
  };
  for (const record of journal.incidents()) {
    if (Date.parse(record.openedAt) >= sinceMs) tally(hosts, record, journal.events(record.id), risks);
  }
  return [...hosts.values()].map((host) => {
    const trust = Object.hasOwn(config.hosts, host.host) ? config.hosts[host.host]?.trust : undefined;
    return { ...host, trust, suggestion: trust === undefined ? undefined : suggestTrust(host, trust) };
  });
}

function textLines(since: string, hosts: readonly HostReport[], paint: Output["paint"]): string[] {
  return [`Since ${since.slice(0, 10)}:`, ...hosts.flatMap((host) => ["", ...hostLines(host, paint)])];
}

function hostLines({ host, trust, suggestion, ...counted }: HostReport, paint: Output["paint"]): string[] {
  const { incidents, ends, escalated, fixes, planned, approvals } = counted;
  const rows: [string, string][] = [
    ["incidents", incidents === 0 ? "none" : `${incidents}: ${countsText(ends, ENDS)}`],
  ];
  if (escalated > 0) rows.push(["escalated", `${escalated}: ${ends["person"] ?? 0} still with a person`]);
  if (planned.incidents > 0) rows.push(["dry run", plannedText(planned)]);
  const real = Object.values(fixes).reduce((sum, count) => sum + count, 0);
  if (real > 0) rows.push(["fixes", `${real}: ${countsText(fixes)}`]);
  if (approvals.asked > 0) {
    const { asked, given, denied, expired } = approvals;
    rows.push(["approvals", `${asked} asked: ${countsText({ yes: given, no: denied, "without an answer": expired })}`]);
  }
  if (suggestion !== undefined) {
    const what = suggestion.trust === trust ? `keep trust: ${trust}` : `trust: ${suggestion.trust}`;
    rows.push(["suggestion", `${what} (${suggestion.why})`]);
  }
  const name = trust === undefined ? "no longer in hosts.yaml" : `trust: ${trust}`;
  return [`${paint("bold", host)} (${name})`, ...rows.map(([label, text]) => `  ${label.padEnd(10)}  ${text}`)];
}

const ENDS: Readonly<Record<string, string>> = {
  medic: "fixed by Medic",
  itself: "well by themselves",
  monitor: "over as their monitor says",
  person: "left to a person",
};

function countsText(counts: Counts, names: Readonly<Record<string, string>> = {}): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.map(([name, count]) => `${count} ${names[name] ?? name}`).join(", ") || "none answered yet";
}

/** "would have fixed 7; 5 recovered by themselves, 2 did not" */
function plannedText({ incidents, recovered, notRecovered, unseen, open }: HostTally["planned"]): string {
  const rest = [
    ...(unseen > 0 ? [`${unseen} could not be seen`] : []),
    ...(open > 0 ? [`${open} not watched to the end`] : []),
  ];
  const ended = [`${recovered} recovered by themselves`, `${notRecovered} did not`, ...rest];
  return `would have fixed ${incidents}; ${ended.join(", ")}`;
}
