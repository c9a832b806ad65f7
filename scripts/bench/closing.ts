// What a benchmark has started and must end, whatever happens: after the run, after an error, and on ctrl-C. Ended in
// reverse order, each once.

export class Closing {
  readonly #closers: (() => Promise<void> | void)[] = [];
  #closed: Promise<void> | undefined;
  readonly #interrupted = (signal: NodeJS.Signals) => {
    if (this.#closed === undefined) process.stderr.write(`\n${signal}: ending what was started …\n`);
    void this.close().finally(() => process.exit(signal === "SIGINT" ? 130 : 143));
  };

  constructor() {
    process.on("SIGINT", this.#interrupted).on("SIGTERM", this.#interrupted);
  }

  add(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** A second call waits for the first: a terminal and npm both pass a ctrl-C on. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        process.stderr.write(`Cannot clean up: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
    process.off("SIGINT", this.#interrupted).off("SIGTERM", this.#interrupted);
  }
}
