// One change of one incident as a message: short, redacted, the same for every channel. Its id is the change's, so whoever
// gets it twice can tell. Pure. It refuses to know how messages travel.
import type { IncidentRecord, JournalEvent } from "../incident/incident.ts";
import { commandInBrief, printable } from "../incident/shown.ts";
import { redactText } from "../secrets/redact.ts";
import { type Change, changeOf } from "./change.ts";

export type Message = {
  /** Stable: another try of the same change has the same. Letters, digits and dashes, 64 at most. */
  id: string;
  /** `test`: nothing happened, somebody tries the channel. */
  change: Change | "test";
  /** When it happened; ISO 8601, UTC. */
  at: string;
  title: string;
  text: string;
  incident?: string;
  key?: string;
  host?: string;
  service?: string;
  /** The journal's last event and its hash, for `medic audit verify --head`. */
  head?: string;
  question?: AskedFor;
};

/** What a person is asked. */
export type AskedFor = {
  approval: string;
  tool: string;
  risk: string;
  commands: readonly string[];
  expiresAt: string;
  /** Signed; whoever has it may answer. */
  link?: string;
  /** All commands are in the text, so that an answer without looking further is an answer to all of them. */
  isWhole: boolean;
};

const WHY_CHARACTERS_MAX = 300;
const COMMANDS_CHARACTERS_MAX = 800;

/** Undefined for an event that is no change. */
export function messageOf(
  { id, key, target }: IncidentRecord,
  event: JournalEvent,
  beside: { head: { sequence: number; hash: string }; linkTo(approval: string): string | undefined },
): Message | undefined {
  const change = changeOf(event);
  if (change === undefined) return undefined;
  const head = `${beside.head.sequence}:${beside.head.hash}`;
  const question = event.kind === "approval-requested" ? askedFor(event, beside.linkTo(event.approval)) : undefined;
  const lines = [
    why(event),
    ...(question === undefined ? [] : shownCommands(question)),
    `incident ${id}`,
    `journal ${head}`,
  ];
  return {
    id: `${id}-${event.sequence}`,
    change,
    at: event.at,
    title: title(event, key),
    text: lines.filter((line) => line !== "").join("\n"),
    incident: id,
    key,
    ...(target.host === undefined ? {} : { host: target.host }),
    ...(target.service === undefined ? {} : { service: target.service }),
    head,
    ...(question === undefined ? {} : { question }),
  };
}

/** For `medic notify test`. */
export function testMessage(nowMs: number): Message {
  return {
    id: `test-${nowMs}`,
    change: "test",
    at: new Date(nowMs).toISOString(),
    title: "Medic can reach you here",
    text: "This is a test: nothing happened.",
  };
}

function title(event: JournalEvent, key: string): string {
  switch (event.kind) {
    case "incident-opened":
      return `${key}: ${short(event.alert.name, 80)}`;
    case "reopened":
      return `${key}: again`;
    case "approval-requested":
      return `Run ${event.tool} on ${event.host}?`;
    case "approval-given":
      return `${key}: ${event.by} said yes to ${event.tool}`;
    case "fix-started":
      return `${key}: running ${event.tool}`;
    case "resolved":
      return event.by === "medic" ? `${key}: fixed` : `${key}: well again`;
    case "escalated":
      return `${key} needs you`;
    default:
      return `${key}: dismissed`;
  }
}

function why(event: JournalEvent): string {
  switch (event.kind) {
    case "incident-opened":
      return short(event.alert.annotations["summary"] ?? "");
    case "reopened":
      return short(event.why);
    case "approval-requested":
      return short(event.said ?? event.why);
    case "resolved":
      return short(event.by === "medic" ? event.why : `not by Medic: ${event.why}`);
    case "escalated":
    case "dismissed":
      return short(event.reason);
    default:
      return "";
  }
}

function askedFor(event: Extract<JournalEvent, { kind: "approval-requested" }>, link: string | undefined): AskedFor {
  const { approval, tool, risk, steps, expiresAt } = event;
  const commands = steps.map(commandInBrief);
  const isWhole = commands.join("\n").length <= COMMANDS_CHARACTERS_MAX;
  return { approval, tool, risk, commands, expiresAt, ...(link === undefined ? {} : { link }), isWhole };
}

function shownCommands({ commands, isWhole, approval, risk, expiresAt, link }: AskedFor): string[] {
  return [
    ...(isWhole ? commands.map((command) => `$ ${command}`) : [`${commands.length} commands, too long for here`]),
    `${risk}; no answer until ${expiresAt.slice(11, 16)} UTC is a no`,
    ...(link === undefined ? [`medic approve ${approval}, or medic deny ${approval}`] : []),
  ];
}

function short(text: string, charactersMax = WHY_CHARACTERS_MAX): string {
  const plain = printable(redactText(text));
  return plain.length > charactersMax ? `${plain.slice(0, charactersMax).toWellFormed()}…` : plain;
}
