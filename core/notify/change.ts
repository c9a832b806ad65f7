// Which of an incident's events are changes that somebody may want to hear of. Pure.
import type { JournalEvent } from "../incident/incident.ts";

/** As hosts.yaml names them. */
export const changeNames = [
  "opened",
  "approval",
  "approved",
  "fixing",
  "fixed",
  "resolved",
  "escalated",
  "dismissed",
] as const;
export type Change = (typeof changeNames)[number];

/** Every one of these makes what came before it in its incident old news. */
export const changeKinds = [
  "incident-opened",
  "reopened",
  "approval-requested",
  "approval-given",
  "fix-started",
  "resolved",
  "escalated",
  "dismissed",
] as const;

/** `fixed`: resolved, and proven to be by Medic; `resolved`: well again without it. */
export function changeOf(event: JournalEvent): Change | undefined {
  switch (event.kind) {
    case "incident-opened":
    case "reopened":
      return "opened";
    case "approval-requested":
      return "approval";
    case "approval-given":
      return "approved";
    case "fix-started":
      return "fixing";
    case "resolved":
      return event.by === "medic" ? "fixed" : "resolved";
    case "escalated":
    case "dismissed":
      return event.kind;
    default:
      return undefined;
  }
}
