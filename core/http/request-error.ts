// What is wrong with a request, as its answer says it: a status and one line.

export type RefusalStatus = 400 | 401 | 404 | 405 | 408 | 413 | 415 | 501;

export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: RefusalStatus;

  constructor(status: RefusalStatus, message: string) {
    super(message);
    this.status = status;
  }
}
