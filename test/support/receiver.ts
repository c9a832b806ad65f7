// A server that takes messages, as ntfy or a webhook's receiver would: it keeps each request and answers as it is told.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Received = { path: string; headers: IncomingHttpHeaders; body: string };

export type Receiver = AsyncDisposable & {
  url: string;
  received: Received[];
  /** Each body as JSON. */
  messages(): Record<string, unknown>[];
  /** How it answers; 200 until told otherwise. Called with each request, which is kept by then. */
  answer: (request: Received, response: ServerResponse) => void;
};

export async function startReceiver(port = 0): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => void chunks.push(chunk));
    request.on("end", () => {
      const one = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString("utf8") };
      received.push(one);
      receiver.answer(one, response);
    });
  });
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    messages: () => received.map(({ body }) => JSON.parse(body) as Record<string, unknown>),
    answer: (_request, response) => void response.end("{}"),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return receiver;
}
