// A host that others are reached through: its SSH connections, shared by its own link and by the streams to the hosts
// behind it, so that a bastion sees one login and not two. Knows neither commands nor what the streams carry.
//
// A connection is kept while its link or a stream holds it. When the link lets go of it, it takes no new streams and
// ends with the last one it carries: nothing is cut, and a connection that the link found bad is given to nobody.
import type { Duplex } from "node:stream";
import type { Connection } from "./connection.ts";
import { LinkLost, OpenRefused } from "./errors.ts";
import * as refusal from "./dial-refusals.ts";

type Carrier = { connection: Connection; streams: number; link: "none" | "holds" | "left" };
type Dialing = { carrier: Promise<Carrier>; abort: AbortController; waiting: number };

export class Jump {
  readonly #name: string;
  readonly #dial: (signal: AbortSignal) => Promise<Connection>;
  readonly #carriers = new Set<Carrier>();
  #dialing: Dialing | undefined;

  /** `dial` makes a connection of its own each time. */
  constructor(name: string, dial: (signal: AbortSignal) => Promise<Connection>) {
    this.#name = name;
    this.#dial = dial;
  }

  /** A connection for the host's own link: one that carries streams already, or a new one. */
  async connect(signal: AbortSignal): Promise<Connection> {
    for (;;) {
      const carrier = this.#find(({ link }) => link === "none") ?? (await this.#dialed(signal));
      if (carrier.link !== "none") continue; // Another dial of the link was quicker.
      carrier.link = "holds";
      return this.#forLink(carrier);
    }
  }

  /** A stream to a host behind this one. Rejects with a TransportError that says which hop failed. */
  async stream(host: string, address: string, port: number, signal: AbortSignal): Promise<Duplex> {
    for (let attempt = 1; ; attempt += 1) {
      const carrier = this.#find(() => true) ?? (await this.#dialedFor(host, signal));
      carrier.streams += 1;
      try {
        return await this.#opened(carrier, address, port, signal);
      } catch (error) {
        carrier.streams -= 1;
        this.#settle(carrier);
        if (signal.aborted) throw error;
        const to = `${address}:${port}`;
        if (error instanceof OpenRefused) throw refusal.hopRefused(host, this.#name, to, error.message);
        // It had died unnoticed: the next one is new.
        if (!(error instanceof LinkLost) || attempt > 1) throw refusal.hopFailed(host, this.#name, error);
        this.#carriers.delete(carrier);
      }
    }
  }

  /** Ends what is left, carried streams too. */
  end(): void {
    this.#dialing?.abort.abort();
    for (const { connection } of this.#carriers) connection.end();
  }

  #find(fits: (carrier: Carrier) => boolean): Carrier | undefined {
    return [...this.#carriers].find((carrier) => carrier.link !== "left" && fits(carrier));
  }

  async #dialedFor(host: string, signal: AbortSignal): Promise<Carrier> {
    try {
      return await this.#dialed(signal);
    } catch (error) {
      throw signal.aborted ? error : refusal.hopFailed(host, this.#name, error);
    }
  }

  /** One dial in flight, whoever waits for it; it is called off when nobody does any more. */
  #dialed(signal: AbortSignal): Promise<Carrier> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const dialing = (this.#dialing ??= this.#start());
    dialing.waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        dialing.waiting -= 1;
        if (dialing.waiting === 0) {
          dialing.abort.abort();
          if (this.#dialing === dialing) this.#dialing = undefined;
        }
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", leave, { once: true });
      const stay = (): void => signal.removeEventListener("abort", leave);
      dialing.carrier.finally(stay).then(resolve, reject);
    });
  }

  #start(): Dialing {
    const abort = new AbortController();
    const dialing: Dialing = {
      abort,
      waiting: 0,
      carrier: this.#dial(abort.signal).then(
        (connection) => {
          if (this.#dialing === dialing) this.#dialing = undefined;
          return this.#carry(connection, dialing.waiting === 0);
        },
        (error: unknown) => {
          if (this.#dialing === dialing) this.#dialing = undefined;
          throw error;
        },
      ),
    };
    return dialing;
  }

  #carry(connection: Connection, isUnwanted: boolean): Carrier {
    const carrier: Carrier = { connection, streams: 0, link: "none" };
    if (isUnwanted) {
      connection.end();
      return carrier;
    }
    this.#carriers.add(carrier);
    void connection.gone.then(() => this.#carriers.delete(carrier));
    return carrier;
  }

  async #opened(carrier: Carrier, address: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const { connection } = carrier;
    if (connection.forward === undefined) throw new OpenRefused(`"${this.#name}" is no SSH host`);
    const opening = connection.forward(address, port);
    const stream = await unlessAborted(opening, signal, () => {
      void opening.then(
        (late) => late.destroy(),
        () => undefined,
      );
    });
    // An error of the stream is one of whoever reads it; without a listener at all it would end the process.
    stream.on("error", () => {});
    stream.once("close", () => {
      carrier.streams -= 1;
      this.#settle(carrier);
    });
    return stream;
  }

  /** The same connection, but what its link ends is only the link's hold on it. */
  #forLink(carrier: Carrier): Connection {
    const ended = Promise.withResolvers<Awaited<Connection["gone"]>>();
    const own = {
      end: () => {
        if (carrier.link === "left") return;
        carrier.link = "left";
        this.#settle(carrier);
        ended.resolve({ reason: "ended", why: "closed by us" });
      },
      gone: Promise.race([carrier.connection.gone, ended.promise]),
    };
    return new Proxy(carrier.connection, {
      get(connection, key) {
        if (key === "end" || key === "gone") return own[key];
        const value: unknown = Reflect.get(connection, key, connection);
        return typeof value === "function" ? (value.bind(connection) as unknown) : value;
      },
    });
  }

  #settle(carrier: Carrier): void {
    if (carrier.streams > 0 || carrier.link === "holds") return;
    this.#carriers.delete(carrier);
    carrier.connection.end();
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, aborted: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      aborted();
      reject(signal.reason as Error);
    };
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave, { once: true });
    promise.finally(() => signal.removeEventListener("abort", leave)).then(resolve, reject);
  });
}
