// Alertmanager's webhook, version 4 (Grafana sends the same): a group of alerts, each with a status of its own, so that a
// group called "firing" may hold resolved ones. Everything else about the group is for humans and is left aside.
// Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
import { createHash } from "node:crypto";
import * as v from "valibot";
import type { Alert } from "../alert.ts";
import { instant, shortened, storable } from "../text.ts";
import { ALERTS_MAX, ANNOTATION_CHARACTERS_MAX, LABEL_CHARACTERS_MAX, LABELS_MAX, SourceError } from "./source.ts";

/** `truncated`: alerts of the group that Alertmanager did not send (its own `max_alerts`). */
export type AlertmanagerBody = { alerts: Alert[]; truncated: number };

const label = v.pipe(
  v.string("expected text"),
  v.maxLength(LABEL_CHARACTERS_MAX, `expected ${LABEL_CHARACTERS_MAX} characters at most`),
  v.transform(storable),
);
const annotation = v.pipe(
  v.string("expected text"),
  v.transform((text) => shortened(text, ANNOTATION_CHARACTERS_MAX)),
);
const time = v.pipe(
  v.string("expected a time"),
  v.check((text) => instant(text) !== undefined, "expected a time like 2026-11-23T16:41:10Z"),
  v.transform((text) => instant(text) ?? ""),
);
/** A mapping of texts; to a record alone, a list would be one. */
function texts<S extends v.GenericSchema<unknown, string>>(what: string, value: S) {
  return v.pipe(
    v.unknown(),
    v.check((input) => !Array.isArray(input), `expected a mapping of ${what}`),
    v.record(label, value, `expected a mapping of ${what}`),
    v.maxEntries(LABELS_MAX, `expected ${LABELS_MAX} ${what} at most`),
  );
}
const alertShape = v.object(
  {
    status: v.picklist(["firing", "resolved"], "expected firing or resolved"),
    labels: texts("labels", label),
    annotations: v.nullish(texts("annotations", annotation), {}),
    startsAt: time,
    endsAt: v.nullish(time),
    fingerprint: v.nullish(label),
  },
  "expected an alert",
);
const bodyShape = v.object(
  {
    alerts: v.pipe(
      v.array(alertShape, "expected a list of alerts"),
      v.minLength(1, "expected one alert at least"),
      v.maxLength(ALERTS_MAX, `expected ${ALERTS_MAX} alerts at most`),
    ),
    truncatedAlerts: v.nullish(v.pipe(v.number("expected a number"), v.minValue(0, "expected 0 or more")), 0),
  },
  "expected an object",
);

/** Reads a whole body or throws SourceError; nothing is taken in half. */
export function parseAlertmanager(body: unknown): AlertmanagerBody {
  const read = v.safeParse(bodyShape, body, { abortEarly: true });
  if (!read.success) {
    const [issue] = read.issues;
    const place = v.getDotPath(issue) ?? "the body";
    throw new SourceError(`Cannot read Alertmanager's alerts: "${shortened(place, 200)}": ${missingOr(issue)}`);
  }
  return { alerts: read.output.alerts.map(alertOf), truncated: read.output.truncatedAlerts };
}

function missingOr(issue: v.BaseIssue<unknown>): string {
  return issue.input === undefined ? "is missing" : issue.message;
}

function alertOf(read: v.InferOutput<typeof alertShape>): Alert {
  const { status, labels, annotations, startsAt, endsAt, fingerprint } = read;
  // While an alert fires, Alertmanager's endsAt is the year 1 or a guess of its own: neither is an end.
  const ended = status === "resolved" && endsAt ? { endsAt } : {};
  return {
    source: "alertmanager",
    fingerprint: fingerprint || fingerprintOf(labels),
    status,
    name: labels["alertname"] || "unnamed",
    labels,
    annotations,
    startsAt,
    ...ended,
  };
}

/** Older versions send none: the labels are what makes an alert itself. */
function fingerprintOf(labels: Readonly<Record<string, string>>): string {
  const named = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(named)).digest("hex").slice(0, 16);
}
