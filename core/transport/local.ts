// Commands on this machine, behind the same door as SSH: the same rendered line, bounds, deadlines and errors. Each
// command leads a process group of its own, so that the whole of it can be ended.
import { spawn, type ChildProcess } from "node:child_process";
import { constants } from "node:os";
import type { Channel, Connection, Output } from "./connection.ts";
import { OpenRefused, LinkLost } from "./errors.ts";

/** `environment` is all that commands see of ours: Medic's own holds secrets. */
export function localConnection(environment: Readonly<Record<string, string>>): Connection {
  const { promise: gone, resolve } = Promise.withResolvers<Awaited<Connection["gone"]>>();
  return {
    address: "local",
    gone,
    open: async () => new LocalChannel(environment),
    end: () => resolve({ reason: "ended", why: "closed by us" }),
  };
}

class LocalChannel implements Channel {
  readonly released: Promise<void>;
  readonly #release: () => void;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #exit: number | undefined;

  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.released = promise;
    this.#release = resolve;
  }

  get exit(): number | undefined {
    return this.#exit;
  }

  exec(line: string, output: Output): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const child = spawn("/bin/sh", ["-c", line], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: this.#environment,
      cwd: "/",
    });
    this.#child = child;
    child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk));
    // No process came to be (EAGAIN, ENOMEM): what a full host is to SSH.
    child.once("error", (error) => {
      this.#release();
      reject(new OpenRefused(error.message));
    });
    child.once("exit", (code, signal) => {
      this.#exit = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    });
    child.once("close", () => {
      this.#release();
      if (this.#exit === undefined) reject(new LinkLost("the process ended without an exit status", true));
      else resolve(this.#exit);
    });
    return promise;
  }

  kill(): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
    // A process that left the group could hold the pipes open for ever; its output is not wanted any more.
    this.#child?.stdout?.destroy();
    this.#child?.stderr?.destroy();
  }

  close(): void {
    this.#release();
  }
}
