// Where an alert points. The owner's rules first, then the labels; names and addresses are compared whole. What fits no
// host or no plugin is unclear, with the reason and the setting that would make it clear: Medic never guesses a host.
import { matches } from "../plugin/contract.ts";
import { type Alert, isCanary, type Target } from "./alert.ts";
import { shortened } from "./text.ts";

/** The part of hosts.yaml that is about alerts. */
export type AlertSettings = {
  /** Labels that name the host, or the service; the first one present counts. */
  host: readonly string[];
  service: readonly string[];
  rules: readonly AlertRule[];
};

export type AlertRule = {
  /** Labels and globs; all have to match. */
  match: Readonly<Record<string, string>>;
  host?: string;
  /** `-` means the host itself. */
  service?: string;
  plugin?: string;
  ignore?: boolean;
};

/** What there is to point at. */
export type Known = {
  hosts: Readonly<Record<string, { address: string }>>;
  /** The plugin that heals this service there; undefined when none does, or more than one might. */
  healerOf(host: string, service: string): string | undefined;
};

const HOST_ITSELF = "-";
/** As an address in a label they mean the monitor's own machine, which need not be ours. */
const LOOPBACKS = new Set(["localhost", "127.0.0.1", "::1"]);

/** `ignored`: a rule of the owner's drops this alert. */
export function targetOf(alert: Alert, settings: AlertSettings, known: Known): Target | "ignored" {
  if (isCanary(alert)) return { unclear: "medic selftest asked whether alerts are taken; nothing is wrong" };
  const rule = settings.rules.find((rule) => fits(rule, alert));
  if (rule?.ignore === true) return "ignored";
  const host = rule?.host ?? firstLabel(alert, settings.host);
  const service = rule?.service ?? firstLabel(alert, settings.service);
  if (host === undefined) {
    const wanted = settings.host.join(", ");
    return {
      unclear: `no label names the host (${wanted}). Set one in the monitor, or alerts.rules`,
      ...named(service),
    };
  }
  const hostName = hostNamed(host, known);
  if (hostName !== undefined) return targetFor(hostName, service, known, rule?.plugin);
  const why = `no host in hosts.yaml, or more than one, has the name or address "${shortened(host, 200)}"`;
  return { unclear: `${why}. Add it, or map it with alerts.rules`, host, ...named(service) };
}

/** The target of a host's exact name and a service; for what a person names, and for what an alert was found to name. */
export function targetFor(host: string, service: string | undefined, known: Known, plugin?: string): Target {
  if (!Object.hasOwn(known.hosts, host)) {
    return { unclear: `hosts.yaml has no host "${shortened(host, 200)}"`, host, ...named(service) };
  }
  if (service === undefined || service === HOST_ITSELF) return { host };
  const healer = plugin ?? known.healerOf(host, service);
  if (healer !== undefined) return { host, plugin: healer, service };
  const why = `no plugin of "${host}" heals "${shortened(service, 200)}", or more than one might`;
  return { unclear: `${why}. Enable one under hosts.${host}.plugins, or name it with alerts.rules`, host, service };
}

function fits(rule: AlertRule, alert: Alert): boolean {
  return Object.entries(rule.match).every(([label, glob]) => matches([glob], ownLabel(alert, label)));
}

function firstLabel(alert: Alert, names: readonly string[]): string | undefined {
  return names.map((name) => ownLabel(alert, name)).find((value) => value !== undefined && value !== "");
}

function ownLabel(alert: Alert, name: string): string | undefined {
  return Object.hasOwn(alert.labels, name) ? alert.labels[name] : undefined;
}

/** The one host with this name, else the one with this name or address once port and scheme are taken off. */
function hostNamed(said: string, { hosts }: Known): string | undefined {
  if (Object.hasOwn(hosts, said)) return said;
  const bare = withoutPort(said);
  if (Object.hasOwn(hosts, bare)) return bare;
  if (LOOPBACKS.has(bare)) return undefined;
  const [found, another] = Object.entries(hosts).filter(([, { address }]) => address === bare);
  return another === undefined ? found?.[0] : undefined;
}

/** `nexus:9100`, `[2001:db8::1]:9100` and `https://nexus:10443/login` name the same hosts as without all that. */
function withoutPort(said: string): string {
  const place = /^https?:\/\/([^/?#@\s]+)(?:[/?#].*)?$/s.exec(said)?.[1] ?? said;
  return /^\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?$/.exec(place)?.[1] ?? /^([^:]+):\d{1,5}$/.exec(place)?.[1] ?? place;
}

function named(service: string | undefined): { service?: string } {
  return service === undefined ? {} : { service };
}
