// A Messages API on 127.0.0.1 that answers from a script and keeps every request as it came, so that the real SDK can be
// tested over a real socket. It knows the wire format and nothing of what the product does with it.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type FakeUsage = { input?: number; cacheWrite?: number; cacheRead?: number; output?: number };

export type Said = {
  thinking?: string;
  text?: string;
  calls?: readonly { id?: string; name: string; input: object; rawInput?: string }[];
  /** What the calls make of it when absent: `tool_use` or `end_turn`. */
  stop?: string | null;
  stopDetails?: object;
  usage?: FakeUsage;
};

type Event = { type: string; [key: string]: unknown };
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** One whole reply. */
export function says(said: Said): Answer {
  return (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of eventsOf(said)) response.write(frame(event));
    response.end();
  };
}

/** The first events of a reply; then the connection is destroyed, or ended as if all were well. */
export function breaksOff(said: Said, afterEvents: number, how: "destroyed" | "ended" = "destroyed"): Answer {
  return (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const text = eventsOf(said).slice(0, afterEvents).map(frame).join("");
    if (how === "ended") response.end(text);
    else response.write(text, () => response.destroy());
  };
}

/** The first events of a reply, then an error event. */
export function failsMidway(said: Said, afterEvents: number, type: string): Answer {
  return (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of eventsOf(said).slice(0, afterEvents)) response.write(frame(event));
    response.end(frame({ type: "error", error: { type, message: type } }));
  };
}

/** An HTTP error. */
export function fails(status: number, type: string, message: string, headers: Record<string, string> = {}): Answer {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ type: "error", error: { type, message } }));
  };
}

/** Never answers; with a reply, begins it and goes silent. */
export function hangs(said?: Said): Answer {
  return (_request, response) => {
    if (said === undefined) return;
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of eventsOf(said).slice(0, 2)) response.write(frame(event));
  };
}

export type FakeRequest = { path: string; headers: IncomingHttpHeaders; text: string; body: FakeBody };
export type FakeBody = {
  model: string;
  max_tokens: number;
  system: { text: string }[];
  tools: { name: string; description: string; input_schema: object }[];
  messages: { role: string; content: string | FakeBlock[] }[];
};
export type FakeBlock = {
  type: string;
  text?: string;
  tool_use_id?: string;
  content?: string;
  is_error?: boolean;
  thinking?: string;
  signature?: string;
};

export class FakeModel {
  readonly url: string;
  readonly requests: FakeRequest[] = [];
  /** Called when a request has arrived, before it is answered. */
  arrived: () => void = () => {};
  readonly #close: () => Promise<void>;

  constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  /** Answers requests in the script's order; one more than the script has is a 400, which nobody retries. */
  static async start(script: readonly Answer[]): Promise<FakeModel> {
    const answers = [...script];
    let model: FakeModel | undefined;
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const body = JSON.parse(text) as FakeBody;
        model?.requests.push({ path: request.url ?? "", headers: request.headers, text, body });
        model?.arrived();
        const answer = answers.shift() ?? fails(400, "invalid_request_error", "the script is at its end");
        answer(request, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    model = new FakeModel(
      `http://127.0.0.1:${port}`,
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    return model;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  /** The blocks of the last user message of a request. */
  lastBlocks(request: number): FakeBlock[] {
    const content = this.requests[request]?.body.messages.at(-1)?.content ?? [];
    return typeof content === "string" ? [{ type: "text", text: content }] : content;
  }
}

function eventsOf(said: Said): Event[] {
  const { thinking, text, calls = [], usage = {} } = said;
  const blocks: Event[][] = [];
  const block = (start: object, deltas: readonly object[]): void => {
    const index = blocks.length;
    blocks.push([
      { type: "content_block_start", index, content_block: start },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ]);
  };
  if (thinking !== undefined) {
    block({ type: "thinking", thinking: "", signature: "" }, [
      { type: "thinking_delta", thinking },
      { type: "signature_delta", signature: `signed:${thinking}` },
    ]);
  }
  if (text !== undefined) {
    block(
      { type: "text", text: "" },
      halves(text).map((half) => ({ type: "text_delta", text: half })),
    );
  }
  for (const [at, { id = `toolu_${at}`, name, input, rawInput }] of calls.entries()) {
    block(
      { type: "tool_use", id, name, input: {} },
      halves(rawInput ?? JSON.stringify(input)).map((half) => ({ type: "input_json_delta", partial_json: half })),
    );
  }
  const stop = said.stop === undefined ? (calls.length > 0 ? "tool_use" : "end_turn") : said.stop;
  const counted = {
    input_tokens: usage.input ?? 100,
    cache_creation_input_tokens: usage.cacheWrite ?? 0,
    cache_read_input_tokens: usage.cacheRead ?? 0,
  };
  return [
    {
      type: "message_start",
      message: {
        id: "msg_fake",
        type: "message",
        role: "assistant",
        model: "fake",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { ...counted, output_tokens: 1 },
      },
    },
    ...blocks.flat(),
    {
      type: "message_delta",
      delta: { stop_reason: stop, stop_sequence: null, stop_details: said.stopDetails ?? null },
      usage: { output_tokens: usage.output ?? 10 },
    },
    { type: "message_stop" },
  ];
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}

function frame(event: Event): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
