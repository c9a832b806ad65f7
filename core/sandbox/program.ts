// What a program of the simulated host is: arguments and streams in, an exit status out. Programs see the host only
// through `Context`; none of them can reach the machine that Medic itself runs on.
import type { Files } from "./files.ts";

/** Standard input: text that is read once, by line or whole. */
export class Input {
  readonly #text: string;
  #at = 0;

  constructor(text = "") {
    this.#text = text;
  }

  /** The next line with its newline, if it has one; undefined at the end. */
  line(): string | undefined {
    if (this.#at >= this.#text.length) return undefined;
    const found = this.#text.indexOf("\n", this.#at);
    const end = found === -1 ? this.#text.length : found + 1;
    const line = this.#text.slice(this.#at, end);
    this.#at = end;
    return line;
  }

  rest(): string {
    const rest = this.#text.slice(this.#at);
    this.#at = this.#text.length;
    return rest;
  }
}

/** Takes text; a closed one refuses it. */
export type Output = { write(text: string): void };

export type Context = {
  stdin: Input;
  stdout: Output;
  stderr: Output;
  environment: ReadonlyMap<string, string>;
  user: string;
  folder: string;
  files: Files;
  /** Fires when the program is killed; every wait has to take it. */
  signal: AbortSignal;
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Runs another program, as `timeout` and `sudo` do. */
  spawn(
    argv: readonly string[],
    changes?: Partial<Pick<Context, "stdin" | "stdout" | "user" | "signal">>,
  ): Promise<number>;
};

export type Program = (args: readonly string[], context: Context) => number | Promise<number>;

export type Programs = Readonly<Record<string, Program>>;

/** Says what went wrong the way programs do, and gives the exit status back. */
export function fail(context: Context, message: string, exit = 1): number {
  context.stderr.write(`${message}\n`);
  return exit;
}

/**
 * Waits for work that a daemon does: when the program that asked for it is killed, only the waiting ends, and the work
 * goes on.
 */
export async function asked<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: killed, reject } = Promise.withResolvers<never>();
  const end = () => reject(signal.reason as Error);
  signal.throwIfAborted();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([work, killed]);
  } finally {
    signal.removeEventListener("abort", end);
    // Nobody may be left to hear how it ended.
    work.catch(() => undefined);
  }
}
