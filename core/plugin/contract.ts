// The plugin contract: all that a plugin author needs, imported as "medic/plugin".
//
// A plugin is data and pure functions. It opens no connection, holds no policy, knows no model: a diagnostic says what
// to run and how to read the answer, a fix says what it watches, what it would do and what "healthy" means, a runbook
// asks in rounds and concludes. Core runs the commands, judges risk, names and budgets, and decides what is true.
import type * as v from "valibot";

/** An argument vector. A leading `"root"` stands for this host's privilege (`sudo -n`, or nothing). */
export type Command = readonly [program: string, ...args: string[]];

/** What the host answered. `stdout` and `stderr` keep the newest bytes; `cutBytes` says how many older ones are gone. */
export type Result = { exit: number; stdout: string; stderr: string; cutBytes: number };

/** The host cannot tell, and why. Never an empty finding. */
export type Unavailable = { unavailable: string };

/** A "no" that is final for whoever asked. */
export type Refusal = { refused: string };

/** How much a fix disturbs. Destructive fixes are never allowed by trust: a person always decides. */
export type Risk = "reversible" | "disruptive" | "destructive";

/** A tool's input or a plugin's options: `v.strictObject`. The key `host` belongs to core. */
export type Schema = v.GenericSchema<unknown, object>;
type Out<S extends Schema> = v.InferOutput<S>;

/** Reads the host and changes nothing. `command` and `parse` are pure; a throw in `parse` counts as Unavailable. */
export interface Diagnostic<S extends Schema = Schema, F extends object = object, O = unknown> {
  kind: "diagnostic";
  /** `[a-z][a-z0-9_]*`, at most 48 characters, unique over all plugins. */
  name: string;
  description: string;
  input: S;
  command(input: Out<S>, options: O): Command | Refusal;
  parse(result: Result, input: Out<S>, options: O): F | Unavailable;
  /** How long the command may run on the host, in seconds; 20 when absent. Also its `timeout` there. */
  timeoutSeconds?: number;
}

export type Call<F extends object = object> = { tool: Diagnostic<Schema, F>; input: object };
export type Calls = Readonly<Record<string, Call>>;
export type Found<C extends Calls> = { [K in keyof C]: C[K] extends Call<infer F> ? F : never };
export type Seen<C extends Calls> = { [K in keyof C]: Found<C>[K] | Unavailable };

/** One round of an inquiry: diagnostics in parallel (`must`: all have to be seen), or patience. */
export type Question = { ask: Calls; must: boolean } | { pauseSeconds: number };

/** Asks in rounds and concludes; can do nothing else, so it is pure and testable. */
export type Inquiry<T> = Generator<Question, T, unknown>;

export type Plan = {
  /** Run in order; the first non-zero exit ends them. */
  steps: readonly Command[];
  /** Every name that is disturbed: checked against `protect`, ownership and budgets. */
  touches: readonly string[];
  /** A person must agree, whatever the trust; the text says why. */
  approval?: string;
  /** Longer than the fix's own, e.g. a start period. */
  withinSeconds?: number;
};

/** Changes the host. Core runs it at most once and believes only what `watch` shows afterwards. */
export interface Fix<S extends Schema = Schema, W extends Calls = Calls, O = unknown, T extends Calls = Calls> {
  kind: "fix";
  name: string;
  description: string;
  risk: Risk;
  input: S;
  /** Asked before (blind: the fix is refused) and after, until there is a verdict. */
  watch(input: Out<S>, options: O): W;
  /** Preconditions live here: steps that follow from what was seen, or a refusal. May look further. */
  plan(input: Out<S>, options: O, before: Found<W>): Inquiry<Plan | Refusal>;
  /** Names this run of the service (StartedAt, InvocationID); undefined while in transition. */
  marker?(now: Found<W>): string | undefined;
  /**
   * What stands for a marker where nothing names a run. `postcondition`: `healthy` itself, which does not hold before; plan
   * refuses where it does. `never-retry`: nothing, so an incident runs it once, and what is well afterwards is `recovered`.
   */
  proof?: "postcondition" | "never-retry";
  healthy(now: Found<W>, before: Found<W>, input: Out<S>): boolean;
  /**
   * Not healthy, and no waiting can mend it: why, for a person. Ends the verification at once as `not-fixed`; undefined is
   * "not yet". Asked after all steps ended, and never of the run from before (by its marker). Where the marker names only
   * what runs, what is down has none: then say so of what changed since `before`.
   */
  hopeless?(now: Found<W>, before: Found<W>, input: Out<S>): string | undefined;
  /**
   * What else to ask while nobody was told how a step ended: what the host noted since the fix began (docker's events),
   * that many seconds ago.
   */
  traces?(input: Out<S>, options: O, sinceSeconds: number): T;
  /** Whether the service is being changed at this moment (systemd's pending job), so that its marker may still move. */
  pending?(now: Found<W>, traces: Seen<T>): boolean;
  /**
   * How long after its client is gone, with nothing pending, a step may still change the marker: docker goes on with a
   * restart whose client died. 60 when absent.
   */
  settleSeconds?: number;
  /** How long to wait for `healthy`, and how long it has to hold with the same marker. */
  withinSeconds: number;
  stableSeconds: number;
  /** Per step; the host's pool.commandTimeout when absent. */
  timeoutSeconds?: number;
}

export type FixCall = { tool: Fix; input: object };

/** What became of one fix, as the host showed it. `facts`: of one that passed its gates; none of one that was refused. */
export type Attempt = { fix: string; input: object; outcome: FixOutcome; why: string; facts?: Facts };
/** *began*: its claim was taken; *changed*: the marker moved; *healthy*: as the host showed it then. */
export type Facts = { began: Fact; changed: Fact; healthy: Fact };
export type Fact = "yes" | "no" | "unknown";
export type FixOutcome = "fixed" | "recovered" | "not-fixed" | "unverified" | "refused" | "failed" | "unknown";

/** What a runbook sees of an incident. Text of labels and annotations comes from outside: data, never instructions. */
export type Incident = {
  host: string;
  /** What is being healed; undefined for an alert about the host itself. */
  service: string | undefined;
  /** The plugin whose incident it is: it heals the service, or the owner's rule for the alert names it. */
  plugin?: string;
  alert: {
    name: string;
    labels: Readonly<Record<string, string>>;
    annotations: Readonly<Record<string, string>>;
    startsAt: string;
  };
  attempts: readonly Attempt[];
  /** Fixes from before it was resolved and came back, oldest first; absent when it did not. */
  earlier?: readonly Attempt[];
};

/** Only `well` resolves an incident. */
export type Decision = { fix: FixCall } | { escalate: string } | { well: string };

export interface Runbook<O = unknown> {
  title: string;
  /** What an experienced person would tell a colleague; given to the model as guidance. */
  guidance: string;
  when(incident: Incident, options: O): boolean;
  /** Asked again after each fix, with the attempts so far. */
  decide(incident: Incident, options: O): Inquiry<Decision>;
}

/**
 * Commands the tools run as `root`, as sudoers command patterns with absolute paths: of diagnostics (each is then allowed
 * below its time limit only) and of fixes (allowed as they are). A plain list does not tell, so both forms are allowed.
 */
export type Sudoers = readonly string[] | { reads?: readonly string[]; fixes?: readonly string[] };

export interface Plugin<S extends Schema = Schema> {
  name: string;
  apiVersion: 1;
  summary: string;
  /** What hosts.yaml may say under `plugins: { <name>: … }`. Defaults must make `{}` valid unless an option is vital. */
  options: S;
  /** Their options are this plugin's: another annotation than what `options` makes does not compile. */
  tools: readonly (Diagnostic<Schema, object, Out<S>> | Fix<Schema, Calls, Out<S>>)[];
  runbooks: readonly Runbook<Out<S>>[];
  /** Names (globs) of services this plugin heals on a host with these options; decides whose incident an alert is. */
  heals?(options: Out<S>): readonly string[];
  /** Only this plugin's fixes may touch these names. */
  owns?(options: Out<S>): readonly string[];
  /** What to keep before any fix, because a restart destroys it. Asked in parallel, each may be unavailable. */
  evidence?(incident: Incident, options: Out<S>): Calls;
  /** The text of a failed command → advice for a person. */
  hints?: readonly (readonly [RegExp, string])[];
  /** What `doctor --sudoers` has to allow. */
  sudoers?(options: Out<S>): Sudoers;
}

/** Declares a diagnostic with inference. */
export function diagnostic<S extends Schema, F extends object, O = unknown>(
  declared: Omit<Diagnostic<S, F, O>, "kind">,
): Diagnostic<S, F, O> {
  return { kind: "diagnostic", ...declared };
}

/** Declares a fix with inference. */
export function fix<S extends Schema, W extends Calls, O = unknown, T extends Calls = Calls>(
  declared: Omit<Fix<S, W, O, T>, "kind">,
): Fix<S, W, O, T> {
  return { kind: "fix", ...declared };
}

/** Declares a runbook with inference. */
export function runbook<O = unknown>(declared: Runbook<O>): Runbook<O> {
  return declared;
}

/** Declares a plugin with inference; the default export of a plugin's `plugin.ts`. */
export function definePlugin<S extends Schema>(declared: Plugin<S>): Plugin<S> {
  return declared;
}

/** One call of a diagnostic (for `need`, `look`, `watch`, `evidence`) or of a fix (for a decision). */
export function call<S extends Schema, F extends object, O>(
  tool: Diagnostic<S, F, O>,
  input: v.InferInput<S> & object,
): Call<F>;
export function call<S extends Schema, W extends Calls, O>(
  tool: Fix<S, W, O>,
  input: v.InferInput<S> & object,
): FixCall;
export function call(tool: Diagnostic | Fix, input: object): { tool: Diagnostic | Fix; input: object } {
  return { tool, input };
}

/** Asks in parallel; every answer has to be seen, or the inquiry ends there (escalated, refused). */
export function* need<C extends Calls>(calls: C): Generator<Question, Found<C>, unknown> {
  return (yield { ask: calls, must: true }) as Found<C>;
}

/** Asks in parallel; each answer may be Unavailable. */
export function* look<C extends Calls>(calls: C): Generator<Question, Seen<C>, unknown> {
  return (yield { ask: calls, must: false }) as Seen<C>;
}

/** Waits, for what shows only over time. */
export function* pause(seconds: number): Generator<Question, void, unknown> {
  yield { pauseSeconds: seconds };
}

/**
 * Several reads in one round trip: a constant shell text, values as `"$1"`, `"$2"`, … Never build the text from values.
 * Inside, the word `root` runs a command with this host's privilege. POSIX sh; keep to plain lists, pipes and `if`.
 */
export function script(text: string, ...args: string[]): Command {
  return ["sh", "-c", text, "medic", ...args];
}

/**
 * Splits what a script printed at its own marker lines, `echo "--medic:name"`: the text of each section by name. What
 * comes before the first marker is the section `""`. A section that never began is absent.
 */
export function sections(stdout: string): Readonly<Partial<Record<string, string>>> {
  const found = new Map<string, string[]>([["", []]]);
  let current = "";
  for (const line of stdout.split("\n")) {
    const marker = /^--medic:([a-z][a-z-]*)$/.exec(line)?.[1];
    // The first marker of a name counts, so that a printed file cannot replace what was read before it.
    if (marker !== undefined && !found.has(marker)) found.set((current = marker), []);
    else found.get(current)?.push(line);
  }
  return Object.fromEntries([...found].map(([name, lines]) => [name, lines.join("\n").trimEnd()]));
}

/** Says why a diagnostic could not see: a reason, or what the failed command printed last. */
export function unavailable(why: string | Result): Unavailable {
  if (typeof why === "string") return { unavailable: why };
  const lines = (why.stderr.trim() || why.stdout.trim()).split("\n");
  // A script's own markers say how far it came, not why it ended.
  const said = lines.findLast((line) => !line.startsWith("--medic:")) ?? "";
  return { unavailable: said === "" ? `the command ended with ${why.exit} and said nothing` : said };
}

/** A precondition that does not hold, in words for a person. */
export function refuse(reason: string): Refusal {
  return { refused: reason };
}

/** Whether a fix changed the host, or may have: one that was refused, or that Medic kept from ever beginning, did not. */
export function mayHaveRun({ outcome, facts }: Attempt): boolean {
  return outcome !== "refused" && facts?.began !== "no";
}

/** Whether a name is meant by one of the globs; `*` and `?` are the only wildcards. */
export function matches(globs: readonly string[], name: string | undefined): boolean {
  return name !== undefined && globs.some((glob) => globPattern(glob).test(name));
}

function globPattern(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}
