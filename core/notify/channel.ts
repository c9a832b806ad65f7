// A way to a person: what hosts.yaml says of it, and how it takes a message.
import type { Change } from "./change.ts";
import type { Message } from "./message.ts";
import { ntfyRequest, type NtfySettings } from "./ntfy.ts";
import { type Outgoing, post, type Sent } from "./outgoing.ts";
import { webhookRequest, type WebhookSettings } from "./webhook.ts";

export type ChannelSettings = { name: string; on: readonly Change[] } & (
  | { ntfy: NtfySettings }
  | { webhook: WebhookSettings }
);

export type Channel = {
  name: string;
  on: readonly Change[];
  /** Never throws; `signal` ends it as `down`. */
  send(message: Message, signal: AbortSignal): Promise<Sent>;
};

/** `now`: milliseconds since the epoch. */
export function createChannel(settings: ChannelSettings, now: () => number): Channel {
  const { name, on } = settings;
  const requestOf = (message: Message): Outgoing =>
    "ntfy" in settings ? ntfyRequest(settings.ntfy, message) : webhookRequest(settings.webhook, message, now());
  return { name, on, send: (message, signal) => post(requestOf(message), signal) };
}
