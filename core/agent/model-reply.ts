// One request to the Messages API and what came of it: a whole reply, or why there is none. Only a whole reply carries
// tool calls, so nothing that was cut, declined or garbled can run anything. It refuses to know what the tools do, what
// has been spent, and whether asking again is worth it: those are the loop's questions.
//
// The SDK mends half a tool input (`{"name": "web", "only_if` becomes `{"name": "web"}`), so inputs are put together and
// parsed here, strictly.
import type Anthropic from "@anthropic-ai/sdk";
import type { APIError } from "@anthropic-ai/sdk";
import type { Usage } from "./pricing.ts";

export type ModelCall = { id: string; name: string; input: unknown };

export type Reply = { usage?: Usage } & (
  | { is: "whole"; content: Anthropic.ContentBlockParam[]; text: string; calls: readonly ModelCall[] }
  /** Longer than one reply may be. */
  | { is: "cut" }
  /** Asking again may help: the link broke or nothing came in time; or the API asks for patience. */
  | { is: "broken"; why: string }
  | { is: "busy"; why: string; retryAfterSeconds?: number }
  /** Asking again would get the same: a bad key, an unknown model, a refusal. */
  | { is: "refused"; why: string }
);

export type ModelRequest = Pick<
  Anthropic.MessageCreateParams,
  "model" | "max_tokens" | "system" | "tools" | "messages" | "cache_control"
>;

export type AskModel = (request: ModelRequest, signal: AbortSignal) => Promise<Reply>;

export type ModelAccess = { apiKey: string; baseUrl?: string; requestSeconds: number; now(): number };

/** Makes the only thing in Medic that can reach a model. Throws only when `signal` is aborted. */
export function createModel(access: ModelAccess): AskModel {
  const baseUrl = access.baseUrl ?? "https://api.anthropic.com";
  // Loaded when a model is asked for the first time: who runs without one does not pay for it in memory.
  const connect = async () => {
    const sdk = await import("@anthropic-ai/sdk");
    const client = new sdk.Anthropic({
      apiKey: access.apiKey,
      baseURL: baseUrl,
      // The SDK would ask again without asking the budget, and wait without a bound of ours: the loop does both.
      maxRetries: 0,
      timeout: Math.ceil(access.requestSeconds * 1000),
      logLevel: "off",
      openTelemetry: false,
      webhookKey: null,
    });
    return { sdk, client };
  };
  let connected: ReturnType<typeof connect> | undefined;
  return async (request, signal) => {
    signal.throwIfAborted();
    // The SDK's own timeout ends with the response's headers; this one covers the reply to its last byte.
    const timeout = AbortSignal.timeout(Math.ceil(access.requestSeconds * 1000));
    const heard = new Heard(request.max_tokens);
    const { sdk, client } = await (connected ??= connect());
    try {
      const stream = client.messages.stream(request, { signal: AbortSignal.any([signal, timeout]) });
      stream.on("streamEvent", (event, snapshot) => heard.note(event, snapshot));
      const message = await stream.finalMessage();
      return replyOf(message, heard);
    } catch (error) {
      signal.throwIfAborted();
      const usage = heard.usageOfBroken();
      const late = timeout.aborted || error instanceof sdk.APIConnectionTimeoutError;
      const failure: Reply = late
        ? { is: "broken", why: `no whole reply within ${access.requestSeconds} s` }
        : failureOf(error, sdk.APIError, {
            model: String(request.model),
            baseUrl,
            apiKey: access.apiKey,
            now: access.now,
          });
      return usage === undefined ? failure : { ...failure, usage };
    }
  };
}

/** What has been heard of a reply so far: enough to bill it if it breaks off, and the exact text of its tool inputs. */
class Heard {
  readonly #outputTokensMax: number;
  readonly #inputs = new Map<number, string>();
  #usage: Anthropic.Usage | undefined;

  constructor(outputTokensMax: number) {
    this.#outputTokensMax = outputTokensMax;
  }

  note(event: Anthropic.MessageStreamEvent, snapshot: Anthropic.Message): void {
    this.#usage = snapshot.usage;
    if (event.type !== "content_block_delta" || event.delta.type !== "input_json_delta") return;
    this.#inputs.set(event.index, (this.#inputs.get(event.index) ?? "") + event.delta.partial_json);
  }

  /** A tool's input at this place of the reply. Throws when it is not whole JSON. */
  inputAt(index: number): unknown {
    const text = this.#inputs.get(index) ?? "";
    return text === "" ? {} : JSON.parse(text);
  }

  /** The output of a reply that broke off is not told, so it counts as all that it could have been. */
  usageOfBroken(): Usage | undefined {
    return this.#usage === undefined ? undefined : { ...usageOf(this.#usage), outputTokens: this.#outputTokensMax };
  }
}

function replyOf(message: Anthropic.Message, heard: Heard): Reply {
  const usage = usageOf(message.usage);
  switch (message.stop_reason) {
    case "end_turn":
    case "tool_use":
      return wholeOf(message, heard, usage);
    case "max_tokens":
      return { is: "cut", usage };
    case "refusal": {
      const { category, explanation } = message.stop_details ?? {};
      const about = [category, explanation].filter((part) => part).join(": ");
      return { is: "refused", why: `the model declined to answer${about === "" ? "" : ` (${about})`}`, usage };
    }
    case null:
      return { is: "broken", why: "the reply broke off: it does not say why it ended", usage };
    default:
      return { is: "refused", why: `the reply ended with "${message.stop_reason}", which leaves it unfinished`, usage };
  }
}

function wholeOf(message: Anthropic.Message, heard: Heard, usage: Usage): Reply {
  const calls: ModelCall[] = [];
  for (const [index, block] of message.content.entries()) {
    if (block.type !== "tool_use") continue;
    try {
      calls.push({ id: block.id, name: block.name, input: heard.inputAt(index) });
    } catch {
      return { is: "broken", why: `the reply is garbled: the input of "${block.name}" is not JSON`, usage };
    }
  }
  // Two calls of one name would get two answers under it; the API takes neither, and nobody could tell them apart.
  if (new Set(calls.map(({ id }) => id)).size < calls.length || calls.some(({ id }) => !/^[\w-]{1,128}$/.test(id))) {
    return { is: "broken", why: "the reply is garbled: its calls have the same id, or one that is none", usage };
  }
  if (calls.length > 0 !== (message.stop_reason === "tool_use")) {
    return { is: "broken", why: `the reply is garbled: ${calls.length} calls, but "${message.stop_reason}"`, usage };
  }
  const texts = message.content.filter((block) => block.type === "text").map(({ text }) => text);
  return { is: "whole", content: contentToSendBack(message), text: texts.join("\n").trim(), calls, usage };
}

/**
 * A reply goes back as it came, thinking and its signatures included: the API checks that. Only empty texts, which it
 * sends but does not take, are left out.
 */
function contentToSendBack(message: Anthropic.Message): Anthropic.ContentBlockParam[] {
  return message.content.filter((block) => block.type !== "text" || block.text.trim() !== "");
}

function usageOf(usage: Anthropic.Usage): Usage {
  return {
    inputTokens: usage.input_tokens,
    cacheWriteTokens: usage.cache_creation_input_tokens ?? 0,
    cacheReadTokens: usage.cache_read_input_tokens ?? 0,
    outputTokens: usage.output_tokens,
  };
}

type Asking = { model: string; baseUrl: string; apiKey: string; now(): number };

function failureOf(error: unknown, isApiError: typeof APIError, asking: Asking): Reply {
  if (!(error instanceof isApiError)) return { is: "broken", why: `the reply broke off: ${causeOf(error)}` };
  // What stands behind baseUrl may say back what it was sent.
  const said = bounded((error.apiMessage ?? error.message).replaceAll(asking.apiKey, "[key removed]"));
  // An error in the middle of a stream has a type and no status.
  if (error.status === undefined) return error.type === null ? unreachable(error, asking) : midStream(error, said);
  switch (error.status) {
    case 401:
      return {
        is: "refused",
        why: "the API key is not accepted (401): set responder.apiKey in hosts.yaml to a valid key",
      };
    case 403:
      return { is: "refused", why: `the API key may not do this (403): ${said}` };
    case 404:
      return error.type === "not_found_error"
        ? {
            is: "refused",
            why: `there is no model "${asking.model}" (404): set responder.model in hosts.yaml to one that exists`,
          }
        : { is: "refused", why: `there is no Messages API at "${asking.baseUrl}" (404): check responder.baseUrl` };
    case 408:
    case 409:
    case 429:
      return busy(error, said, asking.now);
    default:
      return error.status >= 500
        ? busy(error, said, asking.now)
        : { is: "refused", why: `the API did not take the request (${error.status}): ${said}` };
  }
}

function unreachable(error: APIError, { baseUrl }: Asking): Reply {
  return { is: "broken", why: `"${baseUrl}" cannot be reached: ${causeOf(error)}` };
}

function midStream(error: APIError, said: string): Reply {
  const passing = ["overloaded_error", "api_error", "rate_limit_error", "timeout_error"];
  const why = `the reply broke off: ${said}`;
  return passing.includes(String(error.type)) ? { is: "busy", why } : { is: "refused", why };
}

function busy(error: APIError, said: string, now: () => number): Reply {
  const why = `the API is not available now (${error.status}): ${said}`;
  const retryAfterSeconds = retryAfter(error.headers, now);
  return retryAfterSeconds === undefined ? { is: "busy", why } : { is: "busy", why, retryAfterSeconds };
}

/** Seconds, or an HTTP date; undefined when the API does not say, or says nothing usable. */
function retryAfter(headers: Headers | undefined, now: () => number): number | undefined {
  const value = headers?.get("retry-after") ?? "";
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  const seconds = (Date.parse(value) - now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/** The innermost cause says most: "fetch failed" hides "ECONNREFUSED". */
function causeOf(error: unknown): string {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  return bounded(innermost instanceof Error ? innermost.message : String(innermost));
}

function bounded(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
}
