// Puts the application on a port, and takes it off again. Every wait of a client has an end: for its headers, for its whole
// request, between requests. It refuses to know what is served.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";

export type Listening = {
  host: string;
  /** The real one, where 0 was asked for. */
  port: number;
  /** Takes no more requests; those under way get this long to end. */
  close(graceSeconds: number): Promise<void>;
};

export type ListenOptions = {
  host: string;
  port: number;
  /** For a request's headers, from the connection's first byte on. */
  headersWithinSeconds?: number;
};

const REQUEST_WITHIN_SECONDS = 60;
const IDLE_SECONDS = 15;
const CONNECTIONS_MAX = 512;
const HEADER_BYTES_MAX = 16 * 1024;

/** The port cannot be had; the message is one whole line. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Listens, or throws ListenError. */
export async function listen(
  app: { fetch(request: Request, connection?: object): Response | Promise<Response> },
  { host, port, headersWithinSeconds = 10 }: ListenOptions,
): Promise<Listening> {
  const server = createAdaptorServer({
    // The connection tells a request's address.
    fetch: (request, connection) => app.fetch(request, connection),
    hostname: host,
    overrideGlobalObjects: false,
    createServer,
    // Node looks at its deadlines only so often.
    serverOptions: { maxHeaderSize: HEADER_BYTES_MAX, connectionsCheckingInterval: headersWithinSeconds * 500 },
  }) as Server;
  server.maxConnections = CONNECTIONS_MAX;
  server.headersTimeout = headersWithinSeconds * 1000;
  server.requestTimeout = REQUEST_WITHIN_SECONDS * 1000;
  server.keepAliveTimeout = IDLE_SECONDS * 1000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, host, port)));
    server.listen(port, host, resolve);
  });
  return { host, port: (server.address() as AddressInfo).port, close: (seconds) => close(server, seconds) };
}

async function close(server: Server, graceSeconds: number): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeIdleConnections();
  // A connection that is kept alive turns idle only when its last answer is out.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const grace = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
  await closed;
  clearInterval(idle);
  clearTimeout(grace);
}

const NOT_HERE = "this machine has no such address. Set another server.listen in hosts.yaml";
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is taken. End what listens there, or set another server.listen in hosts.yaml",
  EACCES: "ports below 1024 are for root. Set another server.listen in hosts.yaml",
  EADDRNOTAVAIL: NOT_HERE,
  // What Deno calls it.
  EINVAL: NOT_HERE,
  ENOTFOUND: "the name is unknown here. Set an address as server.listen in hosts.yaml",
};

function listenError(error: Error & { code?: string }, host: string, port: number): ListenError {
  const why = REASONS[error.code ?? ""] ?? error.message;
  return new ListenError(`Cannot listen on "${host}:${port}": ${why}`, { cause: error });
}
