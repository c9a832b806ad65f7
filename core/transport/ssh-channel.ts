// One SSH channel carrying one command. Its slot comes back when the server has processed our CLOSE, which only the
// server knows: see ssh-closes.
import { constants } from "node:os";
import type { Client, ClientChannel } from "ssh2";
import type { Channel, Output } from "./connection.ts";
import { LinkLost, OpenRefused, textOf } from "./errors.ts";
import { execOn, holdClose, serverSoftware } from "./ssh2-internals.ts";
import type { SshCloses } from "./ssh-closes.ts";

/** How long a killed command has to end by itself before we close its channel. */
const killedSeconds = 1;

/** What a channel has of its connection. */
export type Carrier = {
  client: Client;
  closes: SshCloses;
  /** Sends at once what would leave at the end of the turn. */
  hurry(): void;
};

export class SshChannel implements Channel {
  readonly released: Promise<void>;
  readonly #client: Client;
  readonly #carrier: Carrier;
  readonly #release: () => void;
  #channel: ClientChannel | undefined;
  #exit: number | undefined;
  #isKilled = false;
  #isProving = false;

  /** Without a channel (see ssh2-internals) it is opened together with the command. */
  constructor(carrier: Carrier, channel?: ClientChannel) {
    this.#client = carrier.client;
    this.#carrier = carrier;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.released = promise;
    this.#release = resolve;
    if (channel !== undefined) this.#take(channel);
  }

  get exit(): number | undefined {
    return this.#exit;
  }

  exec(line: string, output: Output): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const channel = this.#channel;
    try {
      if (channel === undefined) this.#openAndExec(line, output, resolve, reject);
      else {
        this.#listen(channel, output, resolve, reject);
        // Not proof that nothing ran: dropbear says so of commands that it has run.
        execOn(this.#client, channel, line, () => {
          reject(new LinkLost("the host answered the command with a failure; it may have run all the same", true));
          this.close();
        });
        // The host starts it while the rest of this turn is still being written.
        this.#carrier.hurry();
      }
    } catch (error) {
      // Thrown before anything was written.
      reject(new LinkLost(textOf(error), false));
      this.close();
    }
    return promise;
  }

  kill(): void {
    this.#isKilled = true;
    const channel = this.#channel;
    if (channel === undefined) return;
    // KILL at once: a child that ignores TERM would outlive its leader. Signal first: a closed channel is deaf.
    // dropbear signals only the process that it started, the host's own `timeout`: killed, it would leave its command to
    // run for ever; told that its time is up, it kills the whole group.
    channel.signal(serverSoftware(this.#client).startsWith("dropbear") ? "ALRM" : "KILL");
    const timer = setTimeout(() => channel.close(), killedSeconds * 1000);
    channel.once("close", () => clearTimeout(timer));
  }

  close(): void {
    if (this.#channel === undefined) return this.#release();
    this.#channel.close();
    // Nothing runs on it, so its end need not be waited for; some servers never answer the close of an unused channel.
    this.#prove();
  }

  #openAndExec(line: string, output: Output, resolve: (exit: number) => void, reject: (error: Error) => void): void {
    this.#client.exec(line, (error, channel) => {
      if (error === undefined) {
        this.#take(channel);
        this.#listen(channel, output, resolve, reject);
        if (this.#isKilled) this.kill();
        return;
      }
      this.#release();
      const isRefusal = typeof (error as { reason?: unknown }).reason === "number";
      reject(isRefusal ? new OpenRefused(error.message) : new LinkLost(error.message, true));
    });
  }

  #take(channel: ClientChannel): void {
    this.#channel = channel;
    holdClose(this.#client, channel, (close) => this.#carrier.closes.send(close));
    // A channel closes only after its output was read, also when nobody wants it any more.
    channel.on("error", () => {}).resume();
    channel.stderr.on("error", () => {}).resume();
    channel.once("close", () => this.#prove());
  }

  #listen(
    channel: ClientChannel,
    output: Output,
    resolve: (exit: number) => void,
    reject: (error: Error) => void,
  ): void {
    channel.on("data", (chunk: Buffer) => output.stdout.push(chunk));
    channel.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk));
    channel.once("exit", (code: number | null, signal?: string) => {
      this.#exit = code ?? 128 + signalNumber(signal);
    });
    let open = 2;
    const closed = () => {
      open -= 1;
      if (open > 0) return;
      if (this.#exit !== undefined) resolve(this.#exit);
      else reject(new LinkLost("the channel closed without an exit status", true));
    };
    channel.once("close", closed);
    channel.stderr.once("close", closed);
  }

  #prove(): void {
    if (this.#isProving) return;
    this.#isProving = true;
    this.#carrier.closes.prove(this.#release);
  }
}

/** A request that only wants to be answered: this name was never forwarded, so every server answers with a failure. */
export function askNothing(client: Client, answered: () => void): void {
  client.unforwardIn("medic.invalid", 0, answered);
}

function signalNumber(name: string | undefined): number {
  const signals: Record<string, number> = constants.signals;
  return signals[name ?? ""] ?? 0;
}
