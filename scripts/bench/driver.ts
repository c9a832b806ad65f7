// One client's process as the benchmark sees it: what to run goes in, times come out, and the kernel tells what it cost.
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { ChildProcess } from "node:child_process";
import { end, start } from "./child.ts";
import type { Closing } from "./closing.ts";
import { treeCost, type ProcessCost } from "./process-cost.ts";
import type { Answer, Ask, Target } from "./peers/protocol.ts";
import type { ClientName, Contender } from "./roster.ts";

/** One block of commands; no scenario has one that takes longer on a sound machine. */
const answerWithinSeconds = 240;

export class Driver {
  readonly name: ClientName;
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #childrenOnly: boolean;
  readonly #ended: Promise<undefined>;

  constructor({ name, command: [program, args], childrenOnly }: Contender, target: Target, closing: Closing) {
    this.name = name;
    this.#childrenOnly = childrenOnly;
    this.#child = start([program, [...args, JSON.stringify(target)]]);
    if (this.#child.stdout === null) throw new Error(`Cannot start "${name}": it has no output`);
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#ended = once(this.#lines, "close").then(() => undefined);
    this.#child.on("error", () => this.#lines.close());
    this.#child.stdin?.on("error", () => {});
    closing.add(() => this.end());
  }

  run(
    command: string,
    { count = 1, concurrency = 1, hosts = 1, fresh = false }: Partial<Exclude<Ask, { release: true }>> = {},
  ): Promise<Answer> {
    return this.#ask({ command, count, concurrency, hosts, fresh });
  }

  /** Closes its connections; the next command dials. */
  async release(): Promise<void> {
    await this.#ask({ release: true });
  }

  cost(): ProcessCost {
    return treeCost(this.#child.pid ?? 0, this.#childrenOnly);
  }

  /** Gives it the chance to close its connections itself. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    const gone = this.#child.exitCode === null ? once(this.#child, "exit") : Promise.resolve();
    await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 5000).unref())]);
    await end(this.#child);
  }

  async #ask(ask: Ask): Promise<Answer> {
    const line = once(this.#lines, "line", { signal: AbortSignal.timeout(answerWithinSeconds * 1000) });
    // Once its process has ended nobody waits for the line any more.
    line.catch(() => {});
    this.#child.stdin?.write(`${JSON.stringify(ask)}\n`);
    const answer: unknown = await Promise.race([line, this.#ended]).catch((error: unknown) => {
      throw new Error(`Cannot measure "${this.name}": no answer within ${answerWithinSeconds} s`, { cause: error });
    });
    if (answer === undefined) throw new Error(`Cannot measure "${this.name}": its process ended, see above`);
    return JSON.parse(String((answer as unknown[])[0])) as Answer;
  }
}
