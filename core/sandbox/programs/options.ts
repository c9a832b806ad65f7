// Reads a program's command line: short flags in bundles, flags with values, long flags, `--`, operands.

export type Options = {
  has(...names: string[]): boolean;
  /** The last value given to one of the names. */
  value(...names: string[]): string | undefined;
  values(...names: string[]): string[];
  operands: string[];
};

/** `valued` names the flags that take a value: letters and long names. */
export function readOptions(args: readonly string[], valued: readonly string[] = [], stopsAtOperand = false): Options {
  const given: { name: string; value: string | undefined }[] = [];
  const operands: string[] = [];
  const rest = [...args];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === "--") {
      operands.push(...rest);
      break;
    }
    if (argument.startsWith("--")) {
      const [name, inline] = splitOnce(argument.slice(2));
      given.push({ name, value: inline ?? (valued.includes(name) ? rest.shift() : undefined) });
    } else if (argument.startsWith("-") && argument !== "-") {
      for (let at = 1; at < argument.length; at += 1) {
        const name = argument[at] ?? "";
        if (!valued.includes(name)) {
          given.push({ name, value: undefined });
          continue;
        }
        given.push({ name, value: at + 1 < argument.length ? argument.slice(at + 1) : rest.shift() });
        break;
      }
    } else {
      operands.push(argument);
      if (stopsAtOperand) {
        operands.push(...rest);
        break;
      }
    }
  }
  const values = (...names: string[]) =>
    given.flatMap(({ name, value }) => (names.includes(name) ? [value ?? ""] : []));
  return {
    has: (...names) => given.some(({ name }) => names.includes(name)),
    value: (...names) => values(...names).at(-1),
    values,
    operands,
  };
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf("=");
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
