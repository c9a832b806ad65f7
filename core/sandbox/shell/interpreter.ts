// A small POSIX shell for the simulated host, so that the very scripts that plugins send run in the demo without a
// process, a user or a disk of the real machine. Walks the parsed tree; words are expanded elsewhere, builtins live
// elsewhere. Each stage of a pipe runs to its end before the next one starts.
import { setImmediate } from "node:timers/promises";

import type { Context } from "../program.ts";
import { Input } from "../program.ts";
import { builtins } from "./builtins.ts";
import { Break, Continue, Exit, Return } from "./control.ts";
import type { Scope } from "./expansion.ts";
import { expandFields, expandPattern, expandText } from "./expansion.ts";
import { parseShell } from "./parser.ts";
import { matchesPattern } from "./pattern.ts";
import { applyRedirections } from "./redirection.ts";
import type { FindProgram } from "./state.ts";
import { ShellState } from "./state.ts";
import type { Command, Redirections } from "./syntax.ts";
import { ShellSyntaxError } from "./syntax.ts";

type Simple = Extract<Command, { is: "simple" }>;

/** Commands after which other work of the process gets its turn, so that an endless loop cannot freeze it. */
const COMMANDS_PER_TURN = 64;

/** Runs a text as `sh -c text name args…` does; the exit status is the answer, also for a text that is no shell. */
export async function runShell(
  text: string,
  positional: readonly string[],
  context: Context,
  findProgram: FindProgram,
): Promise<number> {
  const [name = "sh", ...args] = positional;
  const shell = new Interpreter(context, findProgram, name, args);
  return await shell.main(text);
}

export class Interpreter extends ShellState {
  #sinceTurn = 0;
  /** How many conditions we are in: `set -e` does not end the shell there. */
  #conditions = 0;
  /** The exit status of the last substitution in this command, which is that of an assignment alone. */
  #substituted: number | undefined;

  async main(text: string): Promise<number> {
    let exit = await this.#untilExit(async () => await this.evaluate(text));
    const trap = this.exitTrap;
    this.exitTrap = undefined;
    if (trap !== undefined) exit = await this.#untilExit(async () => (await this.evaluate(trap), exit));
    return exit;
  }

  /** Parses and runs a text in this shell, as `eval` does. */
  async evaluate(text: string): Promise<number> {
    let tree: Command;
    try {
      tree = parseShell(text);
    } catch (error) {
      if (!(error instanceof ShellSyntaxError)) throw error;
      this.output(2).write(`${this.name}: ${error.line}: ${error.message}\n`);
      throw new Exit(2);
    }
    return await this.run(tree);
  }

  async run(command: Command): Promise<number> {
    this.lastExit = await this.#runAny(command);
    return this.lastExit;
  }

  async #runAny(command: Command): Promise<number> {
    switch (command.is) {
      case "simple":
        return await this.#simple(command);
      case "list": {
        let exit = 0;
        for (const item of command.items) exit = await this.run(item);
        return exit;
      }
      case "and-or":
        return await this.#andOr(command);
      case "pipeline":
        return await this.#pipeline(command);
      case "background":
        this.background.push(this.copy().#subshell(command.body));
        return 0;
      case "group":
        return await this.#redirected(command.redirections, async () => await this.run(command.body));
      case "subshell":
        return await this.#redirected(command.redirections, async () => await this.copy().#subshell(command.body));
      case "function":
        this.functions.set(command.name, command.body);
        return 0;
      case "if":
        return await this.#redirected(command.redirections, async () => await this.#if(command));
      case "loop":
        return await this.#redirected(command.redirections, async () => await this.#loop(command));
      case "for":
        return await this.#redirected(command.redirections, async () => await this.#for(command));
      default:
        return await this.#redirected(command.redirections, async () => await this.#case(command));
    }
  }

  async #andOr(command: Extract<Command, { is: "and-or" }>): Promise<number> {
    let exit = await this.#asCondition(async () => await this.run(command.first));
    for (const [index, { operator, command: next }] of command.rest.entries()) {
      if ((operator === "&&") !== (exit === 0)) continue;
      const isLast = index === command.rest.length - 1;
      exit = isLast ? await this.run(next) : await this.#asCondition(async () => await this.run(next));
    }
    return exit;
  }

  async #pipeline({ stages, negated }: Extract<Command, { is: "pipeline" }>): Promise<number> {
    let exit = 0;
    let piped: Input | undefined;
    for (const [index, stage] of stages.entries()) {
      const shell = stages.length === 1 ? this : this.copy();
      const chunks: string[] = [];
      const descriptors = new Map(shell.descriptors);
      if (piped !== undefined) descriptors.set(0, piped);
      if (index < stages.length - 1) descriptors.set(1, { write: (text) => void chunks.push(text) });
      if (shell === this) exit = await this.#asCondition(async () => await this.run(stage));
      else {
        shell.descriptors = descriptors;
        exit = await shell.#subshell(stage);
      }
      piped = new Input(chunks.join(""));
    }
    return negated ? (exit === 0 ? 1 : 0) : exit;
  }

  async #if(command: Extract<Command, { is: "if" }>): Promise<number> {
    for (const { condition, body } of command.branches) {
      if ((await this.#asCondition(async () => await this.run(condition))) === 0) return await this.run(body);
    }
    return command.otherwise === undefined ? 0 : await this.run(command.otherwise);
  }

  async #loop(command: Extract<Command, { is: "loop" }>): Promise<number> {
    let exit = 0;
    for (;;) {
      const held = (await this.#asCondition(async () => await this.run(command.condition))) === 0;
      if (held === command.until) return exit;
      const turn = await this.#turn(command.body);
      if (turn.ends) return turn.exit;
      exit = turn.exit;
    }
  }

  async #for(command: Extract<Command, { is: "for" }>): Promise<number> {
    const values = command.words === undefined ? this.positional : await this.#fields(command.words);
    let exit = 0;
    for (const value of values) {
      this.assign(command.variable, value);
      const turn = await this.#turn(command.body);
      exit = turn.exit;
      if (turn.ends) break;
    }
    return exit;
  }

  /** One round of a loop; `break 2` goes on to the loop around. */
  async #turn(body: Command): Promise<{ exit: number; ends: boolean }> {
    try {
      return { exit: await this.run(body), ends: false };
    } catch (thrown) {
      if (!(thrown instanceof Break) && !(thrown instanceof Continue)) throw thrown;
      if (thrown.levels > 1)
        throw thrown instanceof Break ? new Break(thrown.levels - 1) : new Continue(thrown.levels - 1);
      return { exit: 0, ends: thrown instanceof Break };
    }
  }

  async #case(command: Extract<Command, { is: "case" }>): Promise<number> {
    const scope = this.scope();
    const text = await expandText(command.word, scope);
    for (const { patterns, body } of command.clauses) {
      for (const pattern of patterns) {
        if (matchesPattern(await expandPattern(pattern, scope), text)) return await this.run(body);
      }
    }
    return 0;
  }

  async #simple(command: Simple): Promise<number> {
    await this.#checkpoint();
    this.line = command.line;
    this.#substituted = undefined;
    const [name, ...args] = await this.#fields(command.words);
    if (name === undefined) {
      await this.#redirected(command.redirections, async () => 0);
      for (const { name: variable, value } of command.assignments)
        this.assign(variable, await expandText(value, this.scope()));
      return this.#substituted ?? 0;
    }
    const exit =
      name === "exec" && args.length === 0
        ? await this.#redirectForGood(command.redirections)
        : await this.#redirected(command.redirections, async () => await this.#withAssignments(command, name, args));
    if (exit !== 0 && this.options.has("e") && this.#conditions === 0) throw new Exit(exit);
    return exit;
  }

  async #withAssignments(command: Simple, name: string, args: readonly string[]): Promise<number> {
    if (command.assignments.length === 0) return await this.invoke(name, args);
    const values: [name: string, value: string][] = [];
    for (const { name: variable, value } of command.assignments) {
      values.push([variable, await expandText(value, this.scope())]);
    }
    return await this.withVariables(values, async () => await this.invoke(name, args));
  }

  /** Runs a function, builtin or program by name. */
  async invoke(name: string, args: readonly string[], skipFunctions = false): Promise<number> {
    const body = skipFunctions ? undefined : this.functions.get(name);
    if (body !== undefined) return await this.#call(body, args);
    const builtin = builtins[name];
    if (builtin !== undefined) return await builtin(this, args);
    const program = this.findProgram(name);
    if (program !== undefined) return await program(args, this.programContext());
    this.output(2).write(`${this.name}: ${this.line}: ${name}: not found\n`);
    return 127;
  }

  async #call(body: Command, args: readonly string[]): Promise<number> {
    const outer = this.positional;
    this.positional = args;
    try {
      return await this.run(body);
    } catch (thrown) {
      if (thrown instanceof Return) return thrown.exit;
      throw thrown;
    } finally {
      this.positional = outer;
    }
  }

  copy(): Interpreter {
    const copy = new Interpreter(this.context, this.findProgram, this.name, this.positional);
    copy.adopt(this);
    copy.#conditions = this.#conditions;
    return copy;
  }

  scope(): Scope {
    return this.scopeWith(async (body) => {
      const chunks: string[] = [];
      const shell = this.copy();
      shell.descriptors = new Map(shell.descriptors).set(1, { write: (text) => void chunks.push(text) });
      this.#substituted = this.lastExit = await shell.#subshell(body);
      return chunks.join("");
    });
  }

  async #fields(words: Simple["words"]): Promise<string[]> {
    const scope = this.scope();
    const fields: string[] = [];
    for (const word of words) fields.push(...(await expandFields(word, scope)));
    return fields;
  }

  async #redirected(redirections: Redirections, body: () => Promise<number>): Promise<number> {
    if (redirections.length === 0) return await body();
    const outer = this.descriptors;
    const changed = await applyRedirections(redirections, this);
    if (changed === undefined) return 2;
    this.descriptors = changed;
    try {
      return await body();
    } finally {
      this.descriptors = outer;
    }
  }

  async #redirectForGood(redirections: Redirections): Promise<number> {
    const changed = await applyRedirections(redirections, this);
    if (changed === undefined) throw new Exit(2);
    this.descriptors = changed;
    return 0;
  }

  async #subshell(body: Command): Promise<number> {
    return await this.#untilExit(async () => await this.run(body));
  }

  async #untilExit(body: () => Promise<number>): Promise<number> {
    try {
      return await body();
    } catch (thrown) {
      if (thrown instanceof Exit || thrown instanceof Return) return thrown.exit;
      if (thrown instanceof Break || thrown instanceof Continue) return this.lastExit;
      throw thrown;
    }
  }

  async #asCondition(body: () => Promise<number>): Promise<number> {
    this.#conditions += 1;
    try {
      return await body();
    } finally {
      this.#conditions -= 1;
    }
  }

  async #checkpoint(): Promise<void> {
    this.#sinceTurn += 1;
    if (this.#sinceTurn >= COMMANDS_PER_TURN) {
      this.#sinceTurn = 0;
      await setImmediate();
    }
    this.context.signal.throwIfAborted();
  }
}
