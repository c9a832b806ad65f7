// An incident's story for people: what was seen, done, proven, and why nothing more. Pure: a record and its events in,
// lines out; `explain`, `investigate` and the demo's timeline print them.
import type { Asked, IncidentRecord, JournalEvent } from "../incident/incident.ts";
import { commandText, printable } from "../incident/shown.ts";
import { type Command, type Facts, mayHaveRun } from "../plugin/contract.ts";
import type { Output } from "./context.ts";

type Paint = Output["paint"];

/** The whole story, oldest first. */
export function storyLines(record: IncidentRecord, events: readonly JournalEvent[], paint: Paint): string[] {
  const began = Date.parse(record.openedAt);
  return [
    paint("bold", `${record.key}  ${stateInWords(record)}`),
    `incident ${record.id}, opened ${record.openedAt} by ${record.alert.source} alert "${printable(record.alert.name)}"`,
    "",
    ...events.flatMap((event) =>
      eventLines(event, paint).map((line, index) => `${index === 0 ? when(event.at, began) : " ".repeat(10)}${line}`),
    ),
    "",
    `Why nothing more: ${whyNothingMore(record)}`,
  ];
}

/** One event in words; the first line says what happened, further ones are details. */
export function eventLines(event: JournalEvent, paint: Paint): string[] {
  switch (event.kind) {
    case "incident-opened":
      return [`alert: ${printable(event.alert.name)} ${printable(event.alert.annotations["summary"] ?? "")}`.trimEnd()];
    case "alert-folded":
      return [`the alert came again${event.stale === true ? " (stale: it was resolved a moment ago)" : ""}`];
    case "alert-resolved":
      return [
        `the monitor says "${printable(event.alert.name)}" is over${event.allResolved ? "" : ", others still fire"}`,
      ];
    case "reopened":
      return [paint("yellow", `opened again: ${printable(event.why)}`)];
    case "clearing-dropped":
      return [`the end of its alert is not awaited any more: ${printable(event.why)}`];
    case "held":
      return [paint("yellow", `waiting, no fix is wanted now: ${printable(event.why)}`)];
    case "released":
      return [`taken up: ${printable(event.why)}`];
    case "investigation-started":
      return [event.resumed ? "looking again, after a restart of Medic" : "looking"];
    case "evidence-gathered":
      return [
        `evidence kept: ${event.findings.length} diagnostics in parallel, ${event.seconds.toFixed(2)} s`,
        ...event.findings.map((asked) => findingLine(asked, paint)),
      ];
    case "responder-started":
      return [`responder ${event.responder}`];
    case "diagnosed":
      return [
        `${event.responder} asked ${event.findings.length} diagnostics, ${event.seconds.toFixed(2)} s`,
        ...event.findings.map((asked) => findingLine(asked, paint)),
      ];
    case "responder-said":
      return [`${event.responder}: ${printable(event.text)}`];
    case "responder-usage":
      return [
        `${event.model}: ${event.inputTokens} tokens in, ${event.outputTokens} out, $${event.dollars.toFixed(4)}`,
      ];
    case "responder-turn":
      return event.calls.flatMap((call) =>
        call.is === "not-run"
          ? [paint("yellow", `${event.responder}: ${printable(call.tool)}: ${printable(call.why)}`)]
          : [],
      );
    case "reply-discarded":
      return [paint("yellow", `nothing of a reply was used: ${printable(event.why)}`)];
    case "responder-finished":
      return [`${event.responder} concludes: ${printable(event.conclusion)}`];
    case "fix-refused":
      return [paint("yellow", `fix refused: ${event.tool}: ${printable(event.why)}`)];
    case "fix-planned":
      return [
        paint(
          "yellow",
          `dry run, so nothing is run: ${event.tool}, touching ${event.touches.map(printable).join(", ")}`,
        ),
        ...(event.asks === undefined ? [] : [`  a person would be asked: ${printable(event.asks)}`]),
        ...stepLines(event.steps),
      ];
    case "plan-observed":
      return [`without ${event.tool}: ${printable(event.why)}`];
    case "approval-requested":
      return [
        paint("yellow", `a person is asked for ${event.tool}, until ${event.expiresAt}: ${printable(event.why)}`),
        ...stepLines(event.steps),
      ];
    case "approval-given":
      return [paint("green", `${printable(event.by)} said yes to ${event.tool}`)];
    case "approval-denied":
      return [paint("yellow", `${printable(event.by)} said no to ${event.tool}`)];
    case "approval-expired":
      return [paint("yellow", `nobody answered for ${event.tool}: silence is a no`)];
    case "approval-withdrawn":
      return [`nobody has to agree to ${event.tool} any more: ${printable(event.why)}`];
    case "fix-overtaken":
      return [`fix not begun: ${event.tool}: ${printable(event.why)}`];
    case "fix-started":
      return [
        `fix ${paint("bold", event.tool)}, touching ${event.touches.map(printable).join(", ")} (on disk before it leaves)`,
        ...stepLines(event.steps),
      ];
    case "fix-dispatched":
      return [dispatchInWords(event.dispatch)];
    case "fix-judged":
      return [
        `${outcomeInColour(event.outcome, paint)}: ${printable(event.why)}`,
        // An older Medic kept none.
        ...("facts" in event ? [factsInWords(event.facts)] : []),
      ];
    case "notification-sent":
      return [`told to ${event.channel}`];
    case "notification-given-up":
      return [paint("yellow", `${event.channel} could not be told: ${printable(event.why)}`)];
    case "resolved":
      return [paint("green", `resolved by ${event.by}: ${printable(event.why)}`)];
    case "escalated":
      return [paint("red", `left to a person: ${printable(event.reason)}`), ...stepLines(event.planned?.steps ?? [])];
    case "dismissed":
      return [`dismissed: ${printable(event.reason)}`];
    default:
      return [];
  }
}

/** A state in a few words. */
export function stateInWords(record: IncidentRecord): string {
  const { state, durationSeconds } = record;
  const healthy = durationSeconds === undefined ? "" : `, healthy ${durationSeconds.toFixed(1)} s after the alert`;
  switch (state.is) {
    case "resolved":
      return `resolved by ${state.by}${healthy}${isDry(record) ? ", in a dry run" : ""}`;
    case "escalated":
      return `${isDry(record) ? "nothing was run" : "left to a person"}: ${printable(state.reason)}`;
    case "dismissed":
      return `${record.onlyPlans === true ? "nothing was run" : "dismissed"}: ${printable(state.reason)}`;
    case "open":
      return state.held === undefined ? state.is : `waiting: ${printable(state.held.why)}`;
    case "fixing":
    case "verifying":
    case "awaiting-approval":
      return `${state.is} ${state.fix}`;
    default:
      return state.is;
  }
}

function isDry({ dryRun, onlyPlans }: IncidentRecord): boolean {
  return dryRun === true || onlyPlans === true;
}

function whyNothingMore(record: IncidentRecord): string {
  const { state, attempts } = record;
  if (isDry(record)) return "it was a dry run: Medic looked and planned, and nothing was run";
  const tried = attempts.filter(mayHaveRun).length;
  switch (state.is) {
    case "resolved":
      return state.by === "medic"
        ? `the host shows the service well after ${tried === 1 ? "one fix" : `${tried} fixes`}`
        : `the service is well again, and not by a fix of Medic's`;
    case "escalated":
      return state.planned === undefined
        ? `a person should look: ${printable(state.reason)}`
        : `the owner has not allowed ${state.planned.tool} (${state.planned.risk}); agree with medic tool … --yes, or raise trust in hosts.yaml`;
    case "dismissed":
      return printable(state.reason);
    case "awaiting-approval":
      return `a person has to agree until ${state.expiresAt}: medic approve ${state.approval}, or medic deny ${state.approval}`;
    case "open":
      return state.held === undefined ? "Medic is not done: it is open" : `it waits: ${printable(state.held.why)}`;
    default:
      return `Medic is not done: it is ${state.is}`;
  }
}

function findingLine(asked: Asked, paint: Paint): string {
  const text =
    asked.outcome === "found"
      ? printable(JSON.stringify(asked.finding))
      : paint("yellow", `${asked.outcome}: ${printable(asked.why)}`);
  const short = text.length > 180 ? `${text.slice(0, 180)}…` : text;
  return `  ${asked.tool.padEnd(26)} ${asked.seconds.toFixed(2).padStart(5)} s  ${short}`;
}

function stepLines(steps: readonly Command[]): string[] {
  return steps.map((step) => `  $ ${commandText(step)}`);
}

function dispatchInWords(dispatch: Extract<JournalEvent, { kind: "fix-dispatched" }>["dispatch"]): string {
  switch (dispatch.is) {
    case "done":
      return `its steps ended well after ${dispatch.seconds.toFixed(1)} s; watching the host`;
    case "failed":
      return `step ${dispatch.step + 1} ended with ${dispatch.exit}: ${printable(dispatch.said)}`;
    case "not-sent":
      return `nothing ran: ${printable(dispatch.why)}`;
    case "not-applied":
      return `nothing ran, and nothing will: ${printable(dispatch.why)}`;
    case "applied":
      return `no answer, but the host shows that it ran: ${printable(dispatch.why)}; watching the host`;
    case "rebooted":
      return `not known whether it ran: ${printable(dispatch.why)}; watching the host`;
    default:
      return `not known ${dispatch.steps === undefined ? "whether it ran" : "what it came to"}: ${printable(dispatch.why)}; watching the host`;
  }
}

/** What an outcome stands on. */
function factsInWords({ began, changed, healthy }: Facts): string {
  return `  began: ${began}   changed: ${changed}   healthy: ${healthy}`;
}

function outcomeInColour(outcome: string, paint: Paint): string {
  if (outcome === "fixed") return paint("green", outcome);
  return outcome === "recovered" ? outcome : paint("yellow", outcome);
}

function when(at: string, began: number): string {
  return `${`+${((Date.parse(at) - began) / 1000).toFixed(1)}s`.padStart(8)}  `;
}
