// `medic approve ID` and `medic deny ID`: a person's answer, given to the running `serve`. Shows first what would run and
// what was seen. Without an id: what waits for an answer.
import * as v from "valibot";
import { approvalAnswerShape, approvalsShape } from "../http/shapes.ts";
import { readConfig } from "./config-file.ts";
import { CannotTell, type Context, type ExitCode, tableLines, UsageError } from "./context.ts";
import { callServe, errorOf, readNote, type ServeNote } from "./serve-client.ts";
import { commandText, printable } from "../incident/shown.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

type Approval = v.InferOutput<typeof approvalAnswerShape>["approval"];
type Decision = "approve" | "deny";

export const approve = answering("approve", "Say yes to a fix that waits for a person; without ID, list what waits");
export const deny = answering("deny", "Say no to a fix that waits for a person; without ID, list what waits");

function answering(decision: Decision, description: string) {
  return defineVerb({
    name: decision,
    description,
    args: {
      id: { type: "positional", description: "An approval's or an incident's id", required: false },
      yes: { type: "boolean", description: "Do not ask again" },
      ...configArg,
      ...jsonArg,
    },
    async run(args, context): Promise<ExitCode> {
      const { data } = readConfig(context, args.config).config.server;
      const note = readNote(data);
      if (note === undefined) {
        throw new CannotTell(`Cannot ${decision}: no medic serve runs on "${data}". Start it, then answer`);
      }
      if (args.id === undefined) return list(note, context, args.json === true);
      const asked = await find(note, args.id, context);
      if (args.json !== true) for (const line of questionLines(asked)) context.out.line(line);
      if (args.yes !== true && !(await isMeant(decision, context))) {
        context.out.note("Nothing was answered.");
        return 1;
      }
      // By its own id: what was shown is what is answered.
      const { status, body } = await callServe(note, `/approvals/${encodeURIComponent(asked.id)}`, {
        method: "POST",
        body: { decision, ...(context.env["USER"] === undefined ? {} : named(context.env["USER"])) },
        signal: context.stop,
      });
      if (args.json === true) context.out.json(body);
      if (status !== 200) {
        context.out.note(errorOf(body));
        return 1;
      }
      if (args.json !== true) context.out.line(doneText(decision, asked));
      return 0;
    },
  });
}

async function list(note: ServeNote, { out, stop }: Context, asJson: boolean): Promise<ExitCode> {
  const { body } = await callServe(note, "/approvals", { signal: stop });
  const { approvals } = v.parse(approvalsShape, body);
  if (asJson) out.json({ approvals });
  else if (approvals.length === 0) out.line("Nothing waits for an answer.");
  else {
    const rows = approvals.map(({ id, key, tool, expiresAt }) => [id, key, tool, expiresAt.slice(0, 19)]);
    for (const line of tableLines(["id", "what", "fix", "until (UTC)"], rows)) out.line(line);
  }
  return 0;
}

async function find(note: ServeNote, id: string, { stop }: Context): Promise<Approval> {
  const { status, body } = await callServe(note, `/approvals/${encodeURIComponent(id)}`, { signal: stop });
  if (status !== 200) throw new UsageError(errorOf(body));
  return v.parse(approvalAnswerShape, body).approval;
}

function questionLines(asked: Approval): string[] {
  return [
    `${asked.tool} (${asked.risk}) on ${asked.host}, for ${asked.key}, touching ${asked.touches.map(printable).join(", ")}`,
    ...asked.steps.map((step) => `  $ ${commandText(step as [string, ...string[]])}`),
    `It asks because ${printable(asked.why)}`,
    ...(asked.said === undefined ? [] : [`Concluded: ${printable(asked.said)}`]),
    ...(asked.evidence.length === 0 ? [] : ["Seen:", ...asked.evidence.map((line) => `  ${printable(line)}`)]),
    `An answer counts until ${asked.expiresAt}.`,
  ];
}

async function isMeant(decision: Decision, { ask }: Context): Promise<boolean> {
  if (ask === undefined) throw new UsageError(`Cannot ask here whether to ${decision}: add --yes`);
  return /^y(es)?$/i.test((await ask(decision === "approve" ? "Run it? [y/N] " : "Say no? [y/N] ")).trim());
}

function doneText(decision: Decision, { tool, incident }: Approval): string {
  return decision === "approve"
    ? `Agreed: ${tool} is planned anew and runs if it is still the same. medic explain ${incident} tells what became of it`
    : `Refused: ${tool} does not run, and incident ${incident} is left to you`;
}

/** A name that says who sat there; one of another form is left out. */
function named(user: string): { by?: string } {
  return /^[\w.@-]{1,64}$/.test(user) ? { by: user } : {};
}
