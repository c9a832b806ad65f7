// What is wrong with a request, as its answer says it: a status and one line.
import { redactText } from "../secrets/redact.ts";

export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 410 | 413 | 415 | 429 | 501;

export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: RefusalStatus;
  /** When to come again. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: RefusalStatus, message: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** What a request says, as an answer may repeat it. */
export function shown(text: string): string {
  return redactText(text.slice(0, 200));
}
