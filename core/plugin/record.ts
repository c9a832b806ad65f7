// Makes cases of what a real host answered. Knows the form of a case and what goes into one; who asks the host is given.
// Findings are read from the redacted answer, so that the case holds as it stands.
import { Document } from "yaml";
import type { Call, Calls, Command, Diagnostic, Fix, Result, Seen } from "./contract.ts";
import { conclude } from "./inquiry.ts";

export type Asking = {
  /** Asks the host; answers with the command that ran and what came back, unread. */
  ask(tool: Diagnostic, input: object): Promise<{ command: Command; result: Result }>;
  /** The options of the tool's plugin on the host: as its schema makes them, and as hosts.yaml says them. */
  optionsOf(tool: Diagnostic | Fix): { parsed: object; written: object };
  redact(text: string): string;
  /** Whether both belong to one plugin: another plugin's tools have their cases there. */
  isOwn(tool: Diagnostic, of: Diagnostic | Fix): boolean;
};

/** One case, as it is written. */
export type Recorded = Record<string, unknown>;

/** The cases of one call: of a diagnostic its answer; of a fix those of what it watches, and then its plan. */
export async function record(tool: Diagnostic | Fix, input: object, name: string, asking: Asking): Promise<Recorded[]> {
  if (tool.kind === "diagnostic") return [(await recordAnswer(tool, input, name, asking)).written];
  const cases: Recorded[] = [];
  const options = asking.optionsOf(tool);
  const see = async <C extends Calls>(calls: C): Promise<Seen<C>> => {
    const seen: Record<string, object> = {};
    for (const [key, call] of Object.entries<Call>(calls)) {
      // One after the other: the answers of a case come in the order they were asked in.
      // oxlint-disable-next-line no-await-in-loop
      const { finding, written } = await recordAnswer(call.tool, call.input, name, asking);
      seen[key] = finding;
      if (asking.isOwn(call.tool, tool)) cases.push(written);
    }
    return seen as Seen<C>;
  };
  const before = await see(tool.watch(input, options.parsed));
  const blind = Object.entries(before).find(([, finding]) => "unavailable" in finding);
  if (blind !== undefined) return cases;
  const answers: Record<string, object> = {};
  const end = await conclude(tool.plan(input, options.parsed, before as never), {
    async ask(calls) {
      const seen = await see(calls);
      Object.assign(answers, seen);
      return seen;
    },
    pause: () => Promise.resolve(),
  });
  if ("blind" in end) return cases;
  const plan = end.concluded;
  cases.push({
    ...headOf(tool, input, name, options.written),
    before,
    ...(Object.keys(answers).length === 0 ? {} : { answers }),
    ...("refused" in plan ? { refused: plan.refused } : { plan }),
  });
  return cases;
}

/** A case file: where its answers come from, and the cases. */
export function casesText(cases: readonly Recorded[], recorded: { date: string; versions: object }): string {
  const document = new Document({ recorded, cases }, { aliasDuplicateObjects: false });
  return document.toString({ lineWidth: 0, blockQuote: "literal" });
}

async function recordAnswer(
  tool: Diagnostic,
  input: object,
  name: string,
  asking: Asking,
): Promise<{ finding: object; written: Recorded }> {
  const options = asking.optionsOf(tool);
  const { command, result } = await asking.ask(tool, input);
  const answer = { ...result, stdout: asking.redact(result.stdout), stderr: asking.redact(result.stderr) };
  const finding = tool.parse(answer, input, options.parsed);
  const written = {
    ...headOf(tool, input, name, options.written),
    ...(command[0] === "sh" ? argumentsIn(command) : { command }),
    answer: said(answer),
    ...("unavailable" in finding ? { unavailable: finding.unavailable } : { finding: asJson(finding) }),
  };
  return { finding, written };
}

function headOf(tool: Diagnostic | Fix, input: object, name: string, options: object): Recorded {
  const has = (value: object): boolean => Object.keys(value).length > 0;
  return { name, tool: tool.name, ...(has(input) ? { input } : {}), ...(has(options) ? { options } : {}) };
}

/** Of a script, the values: its text is the tool's own and would be written twice. */
function argumentsIn(command: Command): { arguments?: string[] } {
  const values = command.slice(4);
  return values.length === 0 ? {} : { arguments: values };
}

function said({ exit, stdout, stderr, cutBytes }: Result): Partial<Result> {
  return {
    ...(exit === 0 ? {} : { exit }),
    stdout,
    ...(stderr === "" ? {} : { stderr }),
    ...(cutBytes === 0 ? {} : { cutBytes }),
  };
}

function asJson(finding: object): unknown {
  return JSON.parse(JSON.stringify(finding));
}
