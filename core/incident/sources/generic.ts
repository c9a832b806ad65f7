// Any monitor that can send JSON: hosts.yaml says where in the body the things stand that make an alert. Nothing is
// searched for or guessed; what is not where it should be is named and the body refused.
import type { Alert } from "../alert.ts";
import { instant, shortened, storable } from "../text.ts";
import { ANNOTATION_CHARACTERS_MAX, LABEL_CHARACTERS_MAX, SourceError } from "./source.ts";

/** Dotted paths into the body; `firing` and `resolved` are the values that `status` may have. */
export type GenericMapping = {
  status: string;
  firing: readonly string[];
  resolved: readonly string[];
  name: string;
  host: string;
  /** May be null or empty in the body: then the alert is about the host itself. */
  service: string;
  /** What stays the same from firing to resolved. */
  key: string;
  startsAt?: string;
};

/** The labels under which host and service are kept, so that they are looked up like any alert's. */
export type LabelNames = { host: string; service: string };

/** Reads one alert out of a body, or throws SourceError. `receivedAt` (ISO 8601) stands in for a beginning nobody says. */
export function parseGeneric(body: unknown, mapping: GenericMapping, names: LabelNames, receivedAt: string): Alert {
  const read = (setting: keyof GenericMapping, path: string): string => {
    const text = optionalAt(body, setting, path);
    if (text === "") throw refused(setting, path, "is empty");
    return text;
  };
  const name = read("name", mapping.name);
  const service = optionalAt(body, "service", mapping.service);
  return {
    source: "generic",
    fingerprint: `generic:${read("key", mapping.key)}`,
    status: statusOf(read("status", mapping.status), mapping),
    name,
    labels: {
      alertname: name,
      [names.host]: read("host", mapping.host),
      ...(service === "" ? {} : { [names.service]: service }),
    },
    annotations: { body: shortened(JSON.stringify(body), ANNOTATION_CHARACTERS_MAX) },
    startsAt:
      mapping.startsAt === undefined ? receivedAt : timeOf(read("startsAt", mapping.startsAt), mapping.startsAt),
  };
}

function statusOf(said: string, { status, firing, resolved }: GenericMapping): Alert["status"] {
  if (firing.includes(said)) return "firing";
  if (resolved.includes(said)) return "resolved";
  throw refused(
    "status",
    status,
    `is "${shortened(said, 100)}", which alerts.generic names neither firing nor resolved`,
  );
}

function timeOf(said: string, path: string): string {
  const time = instant(said);
  if (time === undefined) throw refused("startsAt", path, `is "${shortened(said, 100)}", which is no time`);
  return time;
}

/** The text at a path; empty for null. */
function optionalAt(body: unknown, setting: string, path: string): string {
  const value = at(body, path);
  if (value === undefined) throw refused(setting, path, "is missing");
  if (value === null) return "";
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    throw refused(setting, path, "is not a text, a number or a truth value");
  }
  const text = storable(String(value));
  if (text.length > LABEL_CHARACTERS_MAX)
    throw refused(setting, path, `is longer than ${LABEL_CHARACTERS_MAX} characters`);
  return text;
}

function at(body: unknown, path: string): unknown {
  let value = body;
  for (const key of path.split(".")) {
    // Own keys only: a path never reaches what every object inherits.
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function refused(setting: string, path: string, why: string): SourceError {
  return new SourceError(`Cannot read the alert: "${path}" (alerts.generic.${setting}) ${why}`);
}
