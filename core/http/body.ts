// Reads a request's JSON body, or its form, or says why not: its type, its size (counted as it arrives, since a length is a claim), its
// pace, its depth. It refuses to know what the JSON means.
import { RequestError } from "./request-error.ts";

const DEPTH_MAX = 64;

/** The limits of a body. */
export type BodyLimits = { bytesMax: number; withinSeconds: number };

/** Throws RequestError: 400, 408, 413, 415. */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new RequestError(415, `Cannot read the body: its type is "${type.slice(0, 100)}". Send application/json`);
  }
  const text = decoded(await readBytes(request, limits));
  if (depthOf(text) > DEPTH_MAX) {
    throw new RequestError(400, `Cannot read the body: its JSON is nested deeper than ${DEPTH_MAX}`);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : "";
    throw new RequestError(400, `Cannot read the body: it is not JSON: ${why}`);
  }
}

/** The fields of a form; of one that is sent twice the last. Throws RequestError as `readJson` does. */
export async function readForm(request: Request, limits: BodyLimits): Promise<Record<string, string>> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
    throw new RequestError(415, `Cannot read the body: its type is "${type.slice(0, 100)}". Send a form`);
  }
  return Object.fromEntries(new URLSearchParams(decoded(await readBytes(request, limits))));
}

async function readBytes(request: Request, { bytesMax, withinSeconds }: BodyLimits): Promise<Uint8Array> {
  const tooLarge = (): RequestError =>
    new RequestError(
      413,
      `Cannot take the body: it is larger than ${bytesMax} bytes (limits.alertBytes in hosts.yaml)`,
    );
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) throw tooLarge();
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel().catch(() => undefined);
  }, withinSeconds * 1000);
  const chunks: Uint8Array[] = [];
  try {
    for (let bytes = 0; ;) {
      const { done, value } = await reader.read();
      if (isLate) throw new RequestError(408, `Cannot take the body: it took longer than ${withinSeconds} s`);
      if (done) return Buffer.concat(chunks);
      bytes += value.byteLength;
      if (bytes > bytesMax) {
        void reader.cancel().catch(() => undefined);
        throw tooLarge();
      }
      chunks.push(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new RequestError(400, "Cannot read the body: it is not UTF-8");
  }
}

/** How deep arrays and objects nest; read before parsing and in one pass, so that no recursion ever meets it. */
function depthOf(text: string): number {
  let [depth, deepest, isInText] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isInText) {
      if (character === "\\") at++;
      else if (character === '"') isInText = false;
    } else if (character === '"') isInText = true;
    else if (character === "[" || character === "{") deepest = Math.max(deepest, ++depth);
    else if (character === "]" || character === "}") depth--;
  }
  return deepest;
}
