// What a model is given for an incident, for people and for programs: `explain --as-model`. It makes it anew from the
// journal with the functions that made it for the model, and says so where plugins, rules or hosts.yaml changed since.
import { digestOf, type Message, type Retold, retold } from "../agent/conversation.ts";
import { incidentOf } from "../agent/respond.ts";
import type { IncidentRecord, JournalEvent } from "../incident/incident.ts";
import type { Catalog } from "../plugin/catalog.ts";
import { type Output, UsageError } from "./context.ts";

type Conversation = Retold & {
  /** `sent`: as it was; `changed`: it was, but from other rules, tools or guidance; `unsent`: no model was asked. */
  is: "sent" | "changed" | "unsent";
};

/** Every conversation of the incident. Throws UsageError for one that points nowhere: no model is asked about that. */
export function conversationsOf(
  catalog: Catalog,
  record: IncidentRecord,
  events: readonly JournalEvent[],
): Conversation[] {
  const { target } = record;
  if ("unclear" in target) {
    throw new UsageError(
      `Cannot show incident "${record.id}" as a model sees it: no model is asked, ${target.unclear}`,
    );
  }
  const told = retold(record, events, (evidence, attempts) => {
    const incident = incidentOf(record, target, attempts);
    return { incident, evidence, guidance: catalog.guidanceFor(incident), tools: catalog.toolsOn(target.host) };
  });
  return told.map((one) => {
    const is = one.digest === undefined ? "unsent" : one.digest === digestOf(one) ? "sent" : "changed";
    return { ...one, is };
  });
}

/** The same as lines; what a terminal would obey is escaped. */
export function modelLines(conversations: readonly Conversation[], paint: Output["paint"]): string[] {
  return conversations.flatMap((one, at) => [
    paint("bold", `conversation ${at + 1} of ${conversations.length}: ${NOTES[one.is]}`),
    "",
    paint("bold", "system"),
    ...lines(one.system),
    ...one.tools.flatMap(({ name, description, input_schema: schema }) => [
      "",
      paint("bold", `tool ${name}`),
      ...lines(description),
      ...lines(JSON.stringify(schema)),
    ]),
    ...one.messages.flatMap((message, place) => ["", paint("bold", `${place + 1} ${message.role}`), ...said(message)]),
    "",
  ]);
}

const NOTES = {
  sent: "what was sent, byte for byte; of the model's own replies, what the journal keeps",
  changed: "what would be sent now; rules, tools or guidance were others when it was sent",
  unsent: "no model was asked; it would be given this",
} as const;

function said({ content }: Message): string[] {
  if (typeof content === "string") return lines(content);
  return content.flatMap((block) => {
    switch (block.type) {
      case "text":
        return lines(block.text);
      case "tool_use":
        return lines(`calls ${block.name} (${block.id}) ${JSON.stringify(block.input)}`);
      default:
        return lines(`result of ${block.tool_use_id}${block.is_error === true ? ", an error" : ""}: ${block.content}`);
    }
  });
}

function lines(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped));
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
