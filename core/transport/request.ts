// One command on its way: what to run, how far it came, and the promise its caller holds. The phase is moved by the link
// alone; the promise is settled once.
//
//   waiting ─▶ opening ─▶ running ─▶ over
//      ▲          │          └─ (any phase may be over early: deadline, abort, close)
//      └──────────┘ refused open, or the link was lost before anything was sent
import type { Result } from "../plugin/contract.ts";
import type { Channel, Output } from "./connection.ts";
import { TransportError, type TransportErrorKind } from "./errors.ts";
import { NewestBytes } from "./output.ts";

/** How to run a command. Seconds throughout. */
export type How = {
  kind: "diagnostic" | "fix";
  /** For the log. */
  tool: string;
  /** How long it may run once sent, pool.commandTimeout when absent; the host itself kills a diagnostic after so long. */
  commandSeconds?: number;
  /** Over queue, dial, channel and command; `commandSeconds` plus the host's dialTimeout when absent. */
  deadlineSeconds?: number;
  signal?: AbortSignal | undefined;
  /** For a fix: the path of the claim on the host through which it runs; see `render`. */
  claim?: string;
};

/** With the host's own setting filled in. */
export type Terms = How & { commandSeconds: number };

export type Phase =
  | { is: "waiting" }
  | { is: "opening"; since: number; stalled(why: string): void }
  | { is: "running"; channel: Channel; since: number }
  | { is: "over" };

export class Request {
  readonly host: string;
  readonly line: string;
  readonly how: Terms;
  /** Place in the queue; a command that is asked again keeps it. */
  readonly number: number;
  readonly deadlineSeconds: number;
  readonly acceptedAt: number;
  readonly deadlineAt: number;
  readonly output: Output;
  readonly promise: Promise<Result>;
  phase: Phase = { is: "waiting" };
  /** How often a connection went away before this was sent. */
  timesLost = 0;
  /** Called once, when it is over: gives back timers and listeners. */
  readonly #whenOver: (() => void)[] = [];
  #cancelDeadline = () => {};
  readonly #settle: { resolve(result: Result): void; reject(error: Error): void };

  constructor(
    host: string,
    line: string,
    how: Terms,
    rest: { number: number; deadlineSeconds: number; now: number; outputBytes: number },
  ) {
    this.host = host;
    this.line = line;
    this.how = how;
    this.number = rest.number;
    this.deadlineSeconds = rest.deadlineSeconds;
    this.acceptedAt = rest.now;
    this.deadlineAt = rest.now + rest.deadlineSeconds * 1000;
    this.output = { stdout: new NewestBytes(rest.outputBytes), stderr: new NewestBytes(rest.outputBytes) };
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.promise = promise;
    this.#settle = { resolve, reject };
  }

  get isOver(): boolean {
    return this.phase.is === "over";
  }

  /** There is one deadline timer: arming it again replaces it. */
  armDeadline(cancel: () => void): void {
    this.#cancelDeadline();
    this.#cancelDeadline = cancel;
  }

  whenOver(call: () => void): void {
    this.#whenOver.push(call);
  }

  succeed(exit: number): void {
    if (!this.#finish()) return;
    const stdout = this.output.stdout.text();
    const stderr = this.output.stderr.text();
    const cutBytes = stdout.cutBytes + stderr.cutBytes;
    this.#settle.resolve({ exit, stdout: stdout.text, stderr: stderr.text, cutBytes });
  }

  fail(error: TransportError): void {
    if (this.#finish()) this.#settle.reject(error);
  }

  /** The error of this request, told as what could not be done and why. */
  error(kind: TransportErrorKind, why: string, dispatched = false): TransportError {
    const text = `Cannot run "${this.how.tool}" on "${this.host}": ${why}`;
    return new TransportError(kind, this.host, text, { dispatched });
  }

  #finish(): boolean {
    if (this.isOver) return false;
    this.phase = { is: "over" };
    this.#cancelDeadline();
    for (const call of this.#whenOver) call();
    return true;
  }
}
