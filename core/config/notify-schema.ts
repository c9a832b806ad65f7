// The channels of hosts.yaml: where people hear of changes. Knows neither what a message is nor how it travels.
import * as v from "valibot";
import { choice, duration, list, mapping, path, shaped, text } from "./field.ts";

export const secret = "; better as ${NAME} or in the …File key";

const changes = ["opened", "approval", "approved", "fixing", "fixed", "resolved", "escalated", "dismissed"] as const;
const channelUrl = shaped("Where it is", /^https?:\/\/[^\s/@?#]+(\/[^\s@#]*)?$/, "an http(s) URL without a login");
const ntfySchema = v.pipe(
  mapping("A topic of an ntfy server, with buttons to answer where server.publicUrl is set.", {
    url: channelUrl,
    topic: shaped("The topic; on a server without logins whoever knows it reads along", /^[\w-]{1,64}$/, "a topic"),
    token: v.exactOptional(text(`An access token${secret}`)),
    tokenFile: v.exactOptional(path("A file that holds the access token")),
  }),
  v.forward(
    v.check((ntfy) => !("token" in ntfy && "tokenFile" in ntfy), "is one too many beside token"),
    ["tokenFile"],
  ),
);
const webhookSchema = v.pipe(
  mapping("Anything that takes JSON; the signature is described in core/notify/webhook.ts.", {
    url: channelUrl,
    secret: v.exactOptional(text(`What messages are signed with${secret}`)),
    secretFile: v.exactOptional(path("A file that holds the secret")),
  }),
  v.forward(
    v.check((webhook) => !("secret" in webhook && "secretFile" in webhook), "is one too many beside secret"),
    ["secretFile"],
  ),
  v.check(
    (channel) => "secret" in channel || "secretFile" in channel,
    "needs a secret or a secretFile: messages are signed with it",
  ),
);
export const notifySchema = list(
  "Where people hear of changes",
  v.pipe(
    mapping("One channel: ntfy or webhook.", {
      name: v.exactOptional(
        shaped(
          "Its name; ntfy or webhook when absent",
          /^[A-Za-z0-9][\w.-]{0,62}$/,
          "a name: letters, digits, dots, dashes",
        ),
      ),
      ntfy: v.exactOptional(ntfySchema),
      webhook: v.exactOptional(webhookSchema),
      on: v.optional(list("Which changes of an incident", choice("A change", changes), 1), [
        "approval",
        "fixed",
        "resolved",
        "escalated",
      ]),
    }),
    v.check((channel) => "ntfy" in channel !== "webhook" in channel, "has to be one of ntfy and webhook"),
  ),
);

export const heartbeatSchema = mapping(
  "A dead-man's switch: who speaks up when Medic no longer works. It gets a POST while the desk works and the journal can be written.",
  {
    url: channelUrl,
    every: v.optional(duration("How often", { atLeast: "10s", atMost: "1d" }), "1m"),
  },
);

type WrittenChannel = v.InferOutput<typeof notifySchema>[number];
type Written<K extends "ntfy" | "webhook"> = Exclude<WrittenChannel[K], undefined>;

/** One channel, its secret read. */
export type ChannelConfig = { name: string; on: WrittenChannel["on"] } & (
  | { ntfy: Omit<Written<"ntfy">, "tokenFile"> }
  | { webhook: { url: string; secret: string } }
);
