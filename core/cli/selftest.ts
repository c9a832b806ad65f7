// `medic selftest`: one alert of its own through the door that monitors use, from the request to the disk to the end of its
// incident. It points to no host, so none is touched, and nobody is told. Says which step failed; the steps after it are not
// tried.
import * as v from "valibot";
import { acceptedShape, incidentStoryShape } from "../http/shapes.ts";
import { CANARY_LABEL } from "../incident/alert.ts";
import { JournalError } from "../incident/journal-error.ts";
import { readJournal } from "../incident/journal.ts";
import { readConfig } from "./config-file.ts";
import { CannotTell, type ExitCode } from "./context.ts";
import { callServe, errorOf, readNote, type ServeNote } from "./serve-client.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

const WITHIN_SECONDS = 15;

type Status = "firing" | "resolved";
/** Each step answers with what was seen, or throws NotWell. */
type Step = { name: string; try(): Promise<string> | string };
type Tried = { step: string; ok: boolean; says: string };

class NotWell extends Error {}

export const selftest = defineVerb({
  name: "selftest",
  description: "Send the running serve an alert of its own and follow it to its end; touches no host",
  args: { ...configArg, ...jsonArg },
  async run(args, context): Promise<ExitCode> {
    const { data } = readConfig(context, args.config).config.server;
    const signal = AbortSignal.any([context.stop, AbortSignal.timeout(WITHIN_SECONDS * 1000)]);
    const tried = await tryAll(stepsOf(data, signal), context.stop);
    const isWell = tried.every(({ ok }) => ok);
    if (args.json === true) context.out.json({ well: isWell, steps: tried });
    else {
      for (const { step, ok, says } of tried) {
        const mark = ok ? context.out.paint("green", "ok   ") : context.out.paint("red", "wrong");
        context.out.line(`${mark}  ${step.padEnd(9)}  ${says}`);
      }
    }
    return isWell ? 0 : 1;
  },
});

function stepsOf(data: string, signal: AbortSignal): Step[] {
  const began = new Date();
  // Of this one call alone, so that it folds into no other.
  const fingerprint = `medic-selftest-${began.getTime()}-${Math.floor(Math.random() * 1e6)}`;
  let note: ServeNote | undefined;
  let id = "";
  const send = async (status: Status): Promise<string> => {
    if (note === undefined) throw new NotWell(`no medic serve runs on "${data}"`);
    const body = bodyOf(fingerprint, status, began);
    const answer = await callServe(note, "/webhooks/alertmanager", { method: "POST", body, signal });
    if (answer.status !== 202) throw new NotWell(`answered ${answer.status}: ${errorOf(answer.body)}`);
    const { accepted, incidents } = v.parse(acceptedShape, answer.body);
    const [taken] = incidents;
    if (accepted !== 1 || taken === undefined) throw new NotWell("the alert was answered, and made no incident");
    return taken.id;
  };
  return [
    {
      name: "running",
      try() {
        note = readNote(data);
        if (note === undefined) throw new NotWell(`no medic serve runs on "${data}"`);
        return `${note.url}, process ${note.pid}`;
      },
    },
    {
      name: "answered",
      async try() {
        id = await send("firing");
        return `incident ${id}`;
      },
    },
    {
      name: "journaled",
      try() {
        const journal = readJournal(data, { now: Date.now });
        try {
          const [opening] = journal.events(id);
          if (opening === undefined) throw new NotWell(`it was answered, and "${data}" has nothing of it`);
          return `event ${opening.sequence}`;
        } finally {
          journal.close();
        }
      },
    },
    {
      name: "ended",
      async try() {
        const ended = await send("resolved");
        if (note === undefined || ended !== id) throw new NotWell(`its end went to incident ${ended}`);
        const { body } = await callServe(note, `/incidents/${id}`, { signal });
        const { incident, events } = v.parse(incidentStoryShape, body);
        if (incident.state.is !== "resolved") throw new NotWell(`the incident is ${incident.state.is}`);
        return `resolved after ${events.length} events; no host was asked`;
      },
    },
  ];
}

async function tryAll(steps: readonly Step[], stop: AbortSignal): Promise<Tried[]> {
  const tried: Tried[] = [];
  for (const step of steps) {
    try {
      tried.push({ step: step.name, ok: true, says: await step.try() });
    } catch (error) {
      stop.throwIfAborted();
      tried.push({ step: step.name, ok: false, says: whyOf(error) });
      break;
    }
  }
  return tried;
}

function whyOf(error: unknown): string {
  if (error instanceof NotWell || error instanceof CannotTell || error instanceof JournalError) return error.message;
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${WITHIN_SECONDS} s`;
  if (v.isValiError(error)) return `the answer has another form than this Medic knows: ${error.message}`;
  throw error;
}

/** As Alertmanager sends it. */
function bodyOf(fingerprint: string, status: Status, began: Date): object {
  const alert = {
    status,
    labels: { alertname: "MedicSelftest", [CANARY_LABEL]: "true" },
    annotations: { summary: "Medic asks itself whether alerts are taken" },
    startsAt: began.toISOString(),
    endsAt: status === "firing" ? "0001-01-01T00:00:00Z" : new Date().toISOString(),
    generatorURL: "",
    fingerprint,
  };
  return { version: "4", receiver: "medic", status, groupKey: fingerprint, truncatedAlerts: 0, alerts: [alert] };
}
