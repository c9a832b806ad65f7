// One try to hand one request to somebody. It ends in one of three ways, and a failure's words never hold a secret or an
// address. It refuses to know what is said, and when and how often to try.

export type Outgoing = { url: string; headers: Record<string, string>; body: string };

/** `refused`: it will never take this message. `down`: it may later; perhaps it even got it, and the answer was lost. */
export type Sent = { is: "sent" } | { is: "refused" | "down"; why: string };

const WITHIN_SECONDS = 15;
const ANSWER_BYTES_MAX = 2048;
/** Shorter parts of an address are words like "api", and no secrets. */
const HIDDEN_CHARACTERS_MIN = 6;
/** What says that the message itself is wrong; anything else may be mended at the other end. */
const NEVER = new Set([400, 413, 422]);

/** Never throws; `signal` ends it as `down`. */
export async function post({ url, headers, body }: Outgoing, signal: AbortSignal): Promise<Sent> {
  const late = AbortSignal.timeout(WITHIN_SECONDS * 1000);
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "medic", ...headers },
      body,
      // A redirect would carry the message, and its link, to somebody the owner did not name.
      redirect: "manual",
      signal: AbortSignal.any([signal, late]),
    });
    if (answer.ok) {
      // It was taken, whatever becomes of the rest of the answer.
      await answer.body?.cancel().catch(() => undefined);
      return { is: "sent" };
    }
    const said = shown(await beginningOf(answer), url, headers);
    const why = `it answered ${answer.status}${said === "" ? "" : `: ${said}`}`;
    return { is: NEVER.has(answer.status) ? "refused" : "down", why };
  } catch (error) {
    if (signal.aborted) return { is: "down", why: "Medic is stopping" };
    if (late.aborted) return { is: "down", why: `no answer within ${WITHIN_SECONDS} s` };
    return { is: "down", why: reasonOf(error) };
  }
}

/** The runtimes put the reason in different places; the texts of some hold the whole URL. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return code === "" ? "it cannot be reached" : `it cannot be reached (${code})`;
}

/** As far as it came: the status says enough. */
async function beginningOf(answer: Response): Promise<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return "";
  let text = "";
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      if (text.length >= ANSWER_BYTES_MAX) break;
    }
  } catch {
    // It broke off, or did not end in time.
  }
  // What comes after its beginning is nobody's interest.
  await reader.cancel().catch(() => undefined);
  return text;
}

/** In one short line. A page for a wrong address likes to say it again, and the address may be all the secret there is. */
function shown(said: string, url: string, headers: Outgoing["headers"]): string {
  const { pathname, search } = new URL(url);
  const words = Object.values(headers).flatMap((value) => value.split(" "));
  const parts = [url, ...pathname.split("/"), ...search.slice(1).split(/[&=]/), ...words];
  let text = said;
  // The longer first: it may hold a shorter one.
  for (const part of parts.toSorted((one, other) => other.length - one.length)) {
    if (part.length >= HIDDEN_CHARACTERS_MIN) text = text.replaceAll(part, "[hidden]");
  }
  return text.slice(0, 200).replace(/\s+/g, " ").trim();
}
