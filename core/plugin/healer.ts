// How clearly a plugin heals a service: what decides whose incident an alert is, when several plugins could.
import { matches, type Plugin } from "./contract.ts";

/** 0: not at all. Owning a name counts more than naming it, naming it more than a glob, a long glob more than `*`. */
export function rankOf(plugin: Plugin, options: object, service: string): number {
  const heals = plugin.heals?.(options) ?? [];
  if (!matches(heals, service)) return 0;
  if (matches(plugin.owns?.(options) ?? [], service)) return 3_000;
  if (heals.includes(service)) return 2_000;
  const letters = heals.filter((glob) => matches([glob], service)).map((glob) => glob.replace(/[*?]/g, "").length);
  return 1 + Math.max(...letters);
}
