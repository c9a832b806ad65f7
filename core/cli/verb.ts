// The form of a verb: its arguments, declared for citty, and a function that answers with an exit code. Unknown options
// and surplus words are errors here, because a mistyped `--dry-run` must not become the real thing.
import { type ArgsDef, type CommandDef, defineCommand, type ParsedArgs } from "citty";
import { type Context, type ExitCode, UsageError } from "./context.ts";

export type Verb<T extends ArgsDef> = {
  name: string;
  description: string;
  args?: T;
  /** Takes options that are not declared, e.g. a tool's input; they arrive raw. */
  takesMore?: true;
  /** Takes any number of words; all of them are in `args._`. */
  takesMany?: true;
  run(args: ParsedArgs<T>, context: Context, rawArgs: readonly string[]): Promise<ExitCode> | ExitCode;
};

/** Makes a citty command of a verb; its exit code goes to `answered`. */
export function toCommand<T extends ArgsDef>(
  verb: Verb<T>,
  context: Context,
  answered: (code: ExitCode) => void,
): CommandDef<T> {
  return defineCommand({
    meta: { name: verb.name, description: verb.description },
    args: verb.args ?? ({} as T),
    async run({ args, rawArgs }) {
      if (verb.takesMore !== true) refuseUnknown(verb, rawArgs);
      answered(await verb.run(args, context, rawArgs));
    },
  });
}

/** Declares a verb with inference. */
export function defineVerb<const T extends ArgsDef>(verb: Verb<T>): Verb<T> {
  return verb;
}

function refuseUnknown<T extends ArgsDef>({ name: verb, args, takesMany }: Verb<T>, rawArgs: readonly string[]): void {
  const declared = Object.entries(args ?? {});
  const options = new Map(declared.filter(([, arg]) => arg.type !== "positional"));
  const placesMax = takesMany === true ? Infinity : declared.length - options.size;
  let places = 0;
  for (let index = 0; index < rawArgs.length; index++) {
    const raw = rawArgs[index] ?? "";
    if (!raw.startsWith("-")) {
      places++;
      if (places > placesMax)
        throw new UsageError(`Cannot run "${verb}": "${raw}" is one word too many. See medic ${verb} --help`);
      continue;
    }
    const name = raw.replace(/^--?(no-)?/, "").replace(/=.*$/s, "");
    const arg = options.get(name) ?? options.get(raw.replace(/^--/, "").replace(/=.*$/s, ""));
    if (arg === undefined) {
      throw new UsageError(`Cannot run "${verb}": unknown option "${raw}". See medic ${verb} --help`);
    }
    if (arg.type !== "boolean" && !raw.includes("=")) {
      if (rawArgs[index + 1] === undefined) throw new UsageError(`Cannot run "${verb}": "${raw}" needs a value`);
      index++;
    }
  }
}

/** The option every verb with a configuration has. */
export const configArg = {
  config: {
    type: "string",
    description: "Path of hosts.yaml (default: $MEDIC_CONFIG, else ./hosts.yaml)",
    valueHint: "path",
  },
} as const;

/** The options every verb has that loads the plugins too. */
export const equipArgs = {
  ...configArg,
  plugins: {
    type: "string",
    description: "A folder with plugins, or of one, besides pluginFolders of hosts.yaml",
    valueHint: "path",
  },
} as const;

/** The option every verb with output has. */
export const jsonArg = { json: { type: "boolean", description: "Print one JSON value instead of text" } } as const;
