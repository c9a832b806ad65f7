// The log's form: one line an event, `2026-11-23 22:55:01 [info] event key=value`, names as in the incident that began
// Medic, so the greps published with it work on ours. Rooms take a `Log` as an argument; LogTape does the writing.
import { configure, getLogger, type LogRecord, type Sink } from "@logtape/logtape";
import { redactValue } from "./secrets/redact.ts";

export type Fields = Record<string, unknown>;
export type Log = Record<"debug" | "info" | "warning" | "error", (event: string, fields?: Fields) => void>;
export type LogLevel = keyof Log;

/** Says nothing; for tests and for verbs whose output is their own. */
export const silent: Log = { debug() {}, info() {}, warning() {}, error() {} };

/** Configures LogTape once for this process. `write` gets whole lines; `json` makes each one JSON object. */
export async function createLog(options: { level: LogLevel; json: boolean; write(line: string): void }): Promise<Log> {
  const sink: Sink = (record) => options.write(options.json ? jsonLine(record) : textLine(record));
  await configure({
    reset: true,
    sinks: { out: sink },
    loggers: [
      { category: "medic", lowestLevel: options.level, sinks: ["out"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["out"] },
    ],
  });
  const logger = getLogger("medic");
  return {
    debug: (event, fields = {}) => logger.debug(event, fields),
    info: (event, fields = {}) => logger.info(event, fields),
    warning: (event, fields = {}) => logger.warn(event, fields),
    error: (event, fields = {}) => logger.error(event, fields),
  };
}

function textLine(record: LogRecord): string {
  const at = new Date(record.timestamp).toISOString().slice(0, 19).replace("T", " ");
  const fields = Object.entries(redactedFields(record)).map(([key, value]) => ` ${key}=${textValue(value)}`);
  return `${at} [${record.level}] ${String(record.rawMessage)}${fields.join("")}`;
}

function textValue(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined");
  // Values come from hosts and alerts: a quoted one cannot forge another line or field.
  return /^[\w./:@+%,{}[\]#-]+$/.test(text) ? text : JSON.stringify(text);
}

function jsonLine(record: LogRecord): string {
  const at = new Date(record.timestamp).toISOString();
  return JSON.stringify({ at, level: record.level, event: String(record.rawMessage), ...redactedFields(record) });
}

/** Whatever a room hands over: what a host or a monitor said may be in it. */
function redactedFields(record: LogRecord): Fields {
  return redactValue(record.properties) as Fields;
}
