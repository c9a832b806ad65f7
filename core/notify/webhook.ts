// A message as a signed webhook: JSON, and three headers with which the receiver can tell that it is Medic's, that it is
// fresh, and that it is not one it had before. Pure.
//
//   Medic-Id: <the message's id>           the same for a repeat: keep the last ones and drop what you have
//   Medic-Timestamp: <seconds, Unix time>  refuse what is older than a few minutes
//   Medic-Signature: v1=<hex>              HMAC-SHA256 with the secret over `<Medic-Timestamp>.<body>`
import { createHmac } from "node:crypto";
import type { Message } from "./message.ts";
import type { Outgoing } from "./outgoing.ts";

export type WebhookSettings = { url: string; secret: string };

export function webhookRequest({ url, secret }: WebhookSettings, message: Message, nowMs: number): Outgoing {
  const body = JSON.stringify(message);
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
  return {
    url,
    headers: { "medic-id": message.id, "medic-timestamp": timestamp, "medic-signature": `v1=${signature}` },
    body,
  };
}
