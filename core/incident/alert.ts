// What a monitor said, in Medic's own words. Sources (one file per monitor) produce it, the desk consumes it.

import { createHash } from "node:crypto";
import { redactText, redactValue } from "../secrets/redact.ts";

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

/**
 * The same alert as it is kept, logged and shown: monitors put URLs, queries and whole log lines into their texts. A
 * fingerprint that holds a secret is told by its hash, since it has to stay the same from firing to resolved.
 */
export function withoutSecrets(alert: Alert): Alert {
  const { fingerprint } = alert;
  const isSecret = redactText(fingerprint) !== fingerprint;
  return {
    ...alert,
    fingerprint: isSecret ? `sha256:${createHash("sha256").update(fingerprint).digest("hex")}` : fingerprint,
    name: redactText(alert.name),
    labels: redactValue(alert.labels) as Alert["labels"],
    annotations: redactValue(alert.annotations) as Alert["annotations"],
  };
}

/** Where an alert points, after hosts.yaml was asked. `unclear` says why Medic will not guess. */
export type Target =
  | { host: string; plugin: string; service: string }
  | { host: string; plugin?: undefined; service?: undefined }
  | { unclear: string; host?: string; service?: string };

/**
 * `host/plugin:service`, or `host/-` for the host itself. An unclear target begins with `?`, which no host's name does;
 * one that names neither host nor service is told apart by `fingerprint`, so that strangers do not fold into each other.
 */
export function incidentKey(target: Target, fingerprint = ""): string {
  if (!("unclear" in target)) {
    return target.service === undefined ? `${target.host}/-` : `${target.host}/${target.plugin}:${target.service}`;
  }
  const named = target.host !== undefined || target.service !== undefined;
  return named ? `?${target.host ?? ""}/${target.service ?? ""}` : `?/${fingerprint}`;
}

/** Whether a person asked; such an alert is over when Medic says so, since no monitor will. */
export function isFromPerson(alert: Alert): boolean {
  return alert.source === "person";
}

// Prometheus allows no dots in labels; docker's labels, as some exporters hand them on, have one.
const HOLD_LABELS = ["medic_hold", "medic.hold"];

/** The label by which an alert asks for no fix, in words; undefined when it has none. */
export function holdOf({ labels }: Alert): string | undefined {
  const label = HOLD_LABELS.find((name) => Object.hasOwn(labels, name) && labels[name] === "true");
  return label === undefined ? undefined : `the alert has the label ${label}="true"`;
}

/** The label of `medic selftest`'s own alert. It points to no host, whatever rules there are, and nobody is told of it. */
export const CANARY_LABEL = "medic_selftest";

export function isCanary({ labels }: Alert): boolean {
  return Object.hasOwn(labels, CANARY_LABEL);
}

/**
 * The key of the incident that an alert is for. Nobody is told of a canary's, so no other alert may fold into it, whoever
 * sends them and whatever it says: no host and nothing unclear begins as this key does.
 */
export function keyOf(alert: Alert, target: Target): string {
  return isCanary(alert) ? `!selftest/${alert.fingerprint}` : incidentKey(target, alert.fingerprint);
}
