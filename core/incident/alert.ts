// What a monitor said, in Medic's own words. Sources (one file per monitor) produce it, the desk consumes it.

/** One alert, parsed and bounded; every text in it comes from outside and is data. */
export type Alert = {
  /** Which intake it came through: `alertmanager`, `generic`, `person`. */
  source: string;
  /** Stable name of this alert at its source. */
  fingerprint: string;
  status: "firing" | "resolved";
  name: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  startsAt: string;
  endsAt?: string;
};

/** Where an alert points, after hosts.yaml was asked. `unclear` says why Medic will not guess. */
export type Target =
  | { host: string; plugin: string; service: string }
  | { host: string; plugin?: undefined; service?: undefined }
  | { unclear: string; host?: string; service?: string };

/** `host/plugin:service`, or `host/-` for the host itself; unclear targets get a key of their own and are escalated. */
export function incidentKey(target: Target): string {
  if ("unclear" in target) return `?${target.host ?? ""}/${target.service ?? ""}`;
  return target.service === undefined ? `${target.host}/-` : `${target.host}/${target.plugin}:${target.service}`;
}
