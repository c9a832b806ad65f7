// What a verb gets from the front door: the environment, the home folder, and where to write. Verbs read nothing else
// of the process, so tests run them in the process with a context of their own.
import { styleText } from "node:util";

export type Environment = Readonly<Record<string, string | undefined>>;

export type Context = {
  env: Environment;
  home: string;
  /** Folder that relative paths start from. */
  folder: string;
  out: Output;
  /** Asks the person at the terminal and answers with the line; absent where nobody can be asked. */
  ask?: (question: string) => Promise<string>;
  /** Hears each SIGHUP from now on; returns how to stop hearing. Without a listener it ends the process, as it should. */
  onHangup?: (listener: () => void) => () => void;
  /** Aborts when the person presses Ctrl-C or the system says stop. */
  stop: AbortSignal;
};

export type Colour = "red" | "green" | "yellow" | "cyan" | "bold" | "dim";

/** Where a verb writes: results to standard output, everything about them to standard error. */
export type Output = {
  /** One line of the result. */
  line(text?: string): void;
  /** One JSON value, the only thing on standard output when `--json` is asked for. */
  json(value: unknown): void;
  /** One line to standard error: progress, log, advice. */
  note(text: string): void;
  /** Colours the text, when standard output is a terminal that wants colours. */
  paint(colour: Colour, text: string): string;
  /** Whether somebody watches live. */
  isLive: boolean;
};

/** The verb answered: 0 yes, 1 no, 2 usage or configuration, 3 could not find out. */
export type ExitCode = 0 | 1 | 2 | 3;

/** The call itself is wrong; shown without a stack, ends with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The answer could not be found out; shown without a stack, ends with 3. */
export class CannotTell extends Error {
  override readonly name = "CannotTell";
}

/** Output to two streams; colours only on a terminal and never with NO_COLOR. */
export function createOutput(
  streams: { stdout: NodeJS.WritableStream & { isTTY?: boolean }; stderr: NodeJS.WritableStream },
  env: Environment,
): Output {
  const isLive = streams.stdout.isTTY === true && env["TERM"] !== "dumb";
  const coloured = (isLive && !env["NO_COLOR"]) || (env["FORCE_COLOR"] ?? "") !== "";
  return {
    line: (text = "") => void streams.stdout.write(`${text}\n`),
    json: (value) => void streams.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    note: (text) => void streams.stderr.write(`${text}\n`),
    paint: (colour, text) => (coloured ? styleText(colour, text, { validateStream: false }) : text),
    isLive,
  };
}

/** Lines of a table with aligned columns; numbers to the right. */
export function tableLines(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row, index) =>
    row
      .map((cell, column) => {
        const isNumber = index > 0 && typeof rows[index - 1]?.[column] === "number";
        return isNumber ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
      })
      .join("  ")
      .trimEnd(),
  );
}
