// What a running shell knows: variables, functions, options, descriptors, where it stands. Builtins read and change it;
// the walker of the tree (`shell.ts`) extends it with the way to run a command.
import type { Context, Output, Program } from "../program.ts";
import { Input } from "../program.ts";
import { Exit } from "./control.ts";
import type { Scope } from "./expansion.ts";
import type { Command } from "./syntax.ts";

export type Descriptors = ReadonlyMap<number, Input | Output>;
export type FindProgram = (name: string) => Program | undefined;

/** What builtins need beside the state: to run something in this very shell. */
export type Shell = ShellState & {
  /** Runs a function, builtin or program by name. */
  invoke(name: string, args: readonly string[], skipFunctions?: boolean): Promise<number>;
  /** Parses and runs a text in this shell, as `eval` does. */
  evaluate(text: string): Promise<number>;
  /** What words are expanded with. */
  scope(): Scope;
};

export class ShellState {
  readonly context: Context;
  readonly findProgram: FindProgram;
  readonly name: string;
  positional: readonly string[];
  descriptors: Descriptors;
  folder: string;
  lastExit = 0;
  readonly variables = new Map<string, string>();
  readonly exported = new Set<string>();
  readonly readonlyNames = new Set<string>();
  readonly functions = new Map<string, Command>();
  readonly options = new Set<string>();
  readonly background: Promise<number>[] = [];
  exitTrap: string | undefined;
  line = 1;

  constructor(context: Context, findProgram: FindProgram, name: string, positional: readonly string[]) {
    this.context = context;
    this.findProgram = findProgram;
    this.name = name;
    this.positional = positional;
    this.folder = context.folder;
    this.descriptors = new Map<number, Input | Output>([
      [0, context.stdin],
      [1, context.stdout],
      [2, context.stderr],
    ]);
    for (const [key, value] of context.environment) {
      this.variables.set(key, value);
      this.exported.add(key);
    }
  }

  output(descriptor: number): Output {
    const found = this.descriptors.get(descriptor);
    return found === undefined || found instanceof Input ? { write: () => undefined } : found;
  }

  input(): Input {
    const found = this.descriptors.get(0);
    return found instanceof Input ? found : new Input();
  }

  /** Says it in dash's way and ends the shell. */
  fail(message: string, exit = 2): never {
    this.output(2).write(`${this.name}: ${this.line}: ${message}\n`);
    throw new Exit(exit);
  }

  assign(name: string, value: string): void {
    if (this.readonlyNames.has(name)) this.fail(`${name}: is read only`);
    this.variables.set(name, value);
    if (this.options.has("a")) this.exported.add(name);
  }

  /** What a program started from here sees. */
  programContext(): Context {
    const exported = [...this.exported].flatMap((name) => {
      const value = this.variables.get(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      ...this.context,
      stdin: this.input(),
      stdout: this.output(1),
      stderr: this.output(2),
      environment: new Map(exported),
      folder: this.folder,
    };
  }

  /** Any parameter but `@` and `*`. */
  parameter(name: string): string | undefined {
    if (/^\d+$/.test(name)) return name === "0" ? this.name : this.positional[Number(name) - 1];
    if (name === "#") return String(this.positional.length);
    if (name === "?") return String(this.lastExit);
    if (name === "$") return "4242";
    if (name === "-") return [...this.options].join("");
    if (name === "!") return this.background.length === 0 ? undefined : String(4300 + this.background.length);
    return this.variables.get(name);
  }

  /** What words are expanded with; only the walker knows how to run a substitution. */
  scopeWith(substitute: Scope["substitute"]): Scope {
    return {
      files: this.context.files,
      folder: this.folder,
      positional: this.positional,
      parameter: (name) => this.parameter(name),
      assign: (name, value) => this.assign(name, value),
      substitute,
      fail: (message) => this.fail(message),
      refusesUnset: this.options.has("u"),
    };
  }

  /** Variables for one command only, as in `LC_ALL=C sort`. */
  async withVariables(values: readonly (readonly [string, string])[], body: () => Promise<number>): Promise<number> {
    const before = values.map(([name]) => ({
      name,
      value: this.variables.get(name),
      exported: this.exported.has(name),
    }));
    for (const [name, value] of values) {
      this.assign(name, value);
      this.exported.add(name);
    }
    const exit = await body();
    for (const { name, value, exported } of before) {
      if (value === undefined) this.variables.delete(name);
      else this.variables.set(name, value);
      if (!exported) this.exported.delete(name);
    }
    return exit;
  }

  /** Becomes what another shell is at this moment, as a subshell does. */
  adopt(other: ShellState): void {
    this.descriptors = other.descriptors;
    this.folder = other.folder;
    this.lastExit = other.lastExit;
    this.line = other.line;
    this.variables.clear();
    this.exported.clear();
    for (const [name, value] of other.variables) this.variables.set(name, value);
    for (const name of other.exported) this.exported.add(name);
    for (const name of other.readonlyNames) this.readonlyNames.add(name);
    for (const [name, body] of other.functions) this.functions.set(name, body);
    for (const option of other.options) this.options.add(option);
  }
}
