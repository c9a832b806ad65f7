// A connection that the test plays the host of: it answers opens and ends commands when it is told to.
import type { Channel, Connection, Output } from "../../core/transport/connection.ts";
import { LinkLost, OpenRefused } from "../../core/transport/errors.ts";

type FakeOptions = { isEager?: boolean; opensAhead?: boolean; canProbe?: boolean; channelsMax?: number };

export class FakeConnection implements Connection {
  readonly address = "fake:22";
  readonly fingerprint = "SHA256:fake";
  readonly gone: Connection["gone"];
  readonly channels: FakeChannel[] = [];
  /** Opens that were asked for and not answered. */
  readonly opening: { accept(): FakeChannel; refuse(): void; lose(): void }[] = [];
  isEnded = false;
  isCut = false;
  readonly opensAhead: boolean;
  readonly channelsMax?: number;
  /** Present when the connection can be asked whether it lives. */
  readonly probe?: () => Promise<void>;
  /** Questions that were not answered. */
  readonly probes: PromiseWithResolvers<void>[] = [];
  /** What `heard` tells; grows with each answer. */
  bytes = 0;
  #resolveGone: (value: Awaited<Connection["gone"]>) => void;
  /** Answers every open at once when set. */
  readonly #isEager: boolean;

  constructor({ isEager = true, opensAhead = false, canProbe = false, channelsMax }: FakeOptions = {}) {
    this.#isEager = isEager;
    this.opensAhead = opensAhead;
    if (channelsMax !== undefined) this.channelsMax = channelsMax;
    if (canProbe) {
      this.probe = () => {
        const probe = Promise.withResolvers<void>();
        this.probes.push(probe);
        return probe.promise;
      };
    }
    const { promise, resolve } = Promise.withResolvers<Awaited<Connection["gone"]>>();
    this.gone = promise;
    this.#resolveGone = resolve;
  }

  open(): Promise<Channel> {
    const { promise, resolve, reject } = Promise.withResolvers<Channel>();
    const answers = {
      accept: () => {
        const channel = new FakeChannel();
        this.channels.push(channel);
        resolve(channel);
        return channel;
      },
      refuse: () => reject(new OpenRefused("open failed")),
      lose: () => reject(new LinkLost("read ECONNRESET", false)),
    };
    if (this.#isEager) answers.accept();
    else this.opening.push(answers);
    return promise;
  }

  end(): void {
    this.isEnded = true;
    this.#resolveGone({ reason: "ended", why: "closed by us" });
  }

  cut(): void {
    this.isCut = true;
    this.lose();
  }

  heard(): number {
    return this.bytes;
  }

  /** Answers what was asked. */
  answer(): void {
    this.bytes += 1;
    for (const probe of this.probes.splice(0)) probe.resolve();
  }

  /** Channels that carry a command which has not ended. */
  get busy(): FakeChannel[] {
    return this.channels.filter(({ line, exit }) => line !== undefined && exit === undefined);
  }

  /** Channels that carry none. */
  get spare(): FakeChannel[] {
    return this.channels.filter(({ line, isClosed }) => line === undefined && !isClosed);
  }

  lose(): void {
    this.#resolveGone({ reason: "lost", why: "read ECONNRESET" });
    for (const open of this.opening.splice(0)) open.lose();
    for (const channel of this.channels) channel.lose();
  }

  /** Commands in the order in which they were sent. */
  get lines(): string[] {
    return this.channels.flatMap(({ line }) => (line === undefined ? [] : [line]));
  }
}

export class FakeChannel implements Channel {
  line: string | undefined;
  exit: number | undefined;
  isKilled = false;
  isClosed = false;
  readonly released: Promise<void>;
  #output: Output | undefined;
  #release: () => void;
  #exec = Promise.withResolvers<number>();

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.released = promise;
    this.#release = resolve;
    this.#exec.promise.catch(() => {});
  }

  exec(line: string, output: Output): Promise<number> {
    this.line = line;
    this.#output = output;
    return this.#exec.promise;
  }

  kill(): void {
    this.isKilled = true;
  }

  close(): void {
    this.isClosed = true;
    this.#release();
  }

  /** The command has ended and its channel is closed; the slot is still taken. */
  end(exit = 0, stdout = ""): void {
    this.exit = exit;
    this.#output?.stdout.push(Buffer.from(stdout));
    this.#exec.resolve(exit);
  }

  /** The host has let go of the slot. */
  letGo(): void {
    this.#release();
  }

  finish(exit = 0): void {
    this.end(exit);
    this.letGo();
  }

  lose(): void {
    this.#exec.reject(new LinkLost("the channel closed without an exit status", true));
    this.#release();
  }
}
