// Why a command has no result. Every breakage of the transport has a name, and says whether the command may have run:
// only what was never dispatched may be sent again freely.

/** The phase a command died in, or what the connection died of. */
export type TransportErrorKind =
  | "QueueTimeout"
  | "QueueFull"
  | "DialTimeout"
  | "DialFailed"
  | "AuthenticationFailed"
  | "HostKeyMismatch"
  | "ChannelRefused"
  | "CommandTimeout"
  | "ConnectionLost"
  | "ClaimTaken"
  | "ClaimRefused"
  | "Aborted"
  | "Closed";

/** A command that has no result. A non-zero exit is a result, never this. */
export class TransportError extends Error {
  readonly kind: TransportErrorKind;
  readonly host: string;
  /** True from the moment the exec request was handed to the connection: the command may have run. */
  readonly dispatched: boolean;
  /** With `HostKeyMismatch`: the fingerprint that the host offered, `SHA256:…`. */
  readonly offered?: string;
  /** With `HostKeyMismatch`: that key itself, as SSH writes it. */
  readonly offeredKey?: Buffer;

  constructor(
    kind: TransportErrorKind,
    host: string,
    message: string,
    more: { dispatched?: boolean; offered?: string; offeredKey?: Buffer } = {},
  ) {
    super(message);
    this.name = kind;
    this.kind = kind;
    this.host = host;
    this.dispatched = more.dispatched ?? false;
    if (more.offered !== undefined) this.offered = more.offered;
    if (more.offeredKey !== undefined) this.offeredKey = more.offeredKey;
  }
}

/** The host hung up before it said who it is, as sshd does above MaxStartups. Dialing again is safe. */
export class DialDropped extends TransportError {
  constructor(host: string, message: string) {
    super("DialFailed", host, message);
  }
}

/** The host would not open a channel. Nothing ran, so the command may be asked again. */
export class OpenRefused extends Error {
  override readonly name = "OpenRefused";
}

/** The connection went away under an open or a command. */
export class LinkLost extends Error {
  override readonly name = "LinkLost";
  readonly dispatched: boolean;

  constructor(message: string, dispatched: boolean) {
    super(message);
    this.dispatched = dispatched;
  }
}

/** The text of whatever was thrown. */
export function textOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  // Connecting to a name with several addresses fails with an AggregateError whose own text is empty.
  if (thrown instanceof AggregateError && thrown.message === "") return thrown.errors.map(textOf).join("; ");
  return thrown.message;
}
