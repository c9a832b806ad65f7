// Where a text program reads from: the files it was given, or standard input; and that text as lines.
import { posix } from "node:path";

import type { Context } from "../program.ts";

/** Gives the text of each file, or of standard input, to `use`; says which cannot be read. */
export function eachInput(
  program: string,
  names: readonly string[],
  context: Context,
  use: (text: string, name: string | undefined) => unknown,
): number {
  if (names.length === 0) {
    use(context.stdin.rest(), undefined);
    return 0;
  }
  let exit = 0;
  for (const name of names) {
    const path = posix.resolve(context.folder, name);
    const text = name === "-" ? context.stdin.rest() : context.files.read(path);
    if (text === undefined) {
      const why = context.files.node(path) === undefined ? "No such file or directory" : "Is a directory";
      context.stderr.write(`${program}: ${name}: ${why}\n`);
      exit = program === "grep" ? 2 : 1;
    } else use(text, name);
  }
  return exit;
}

export function linesOf(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\n$/, "").split("\n");
}
