// `medic notify test [CHANNEL]`: sends a test message, as `serve` would send a real one, and says what became of it.
import { createChannel } from "../notify/channel.ts";
import { testMessage } from "../notify/message.ts";
import type { Sent } from "../notify/outgoing.ts";
import { didYouMean } from "../suggestion.ts";
import { readConfig } from "./config-file.ts";
import { UsageError } from "./context.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

export const notifyTest = defineVerb({
  name: "test",
  description: "Send a test message to one channel of hosts.yaml, or to all",
  args: {
    channel: { type: "positional", description: "A channel's name", required: false },
    ...configArg,
    ...jsonArg,
  },
  async run(args, { out, stop, ...context }) {
    const { notify } = readConfig({ out, stop, ...context }, args.config).config;
    const names = notify.map(({ name }) => name);
    const wanted = notify.filter(({ name }) => args.channel === undefined || name === args.channel);
    if (names.length === 0)
      throw new UsageError("Cannot send a message: hosts.yaml has no channel. Add one below notify");
    if (wanted.length === 0) {
      const known = `no channel of hosts.yaml is called so${didYouMean(args.channel ?? "", names)}`;
      throw new UsageError(`Cannot send a message to "${args.channel}": ${known}`);
    }
    const tried = await Promise.all(
      wanted.map(async (settings): Promise<{ channel: string; sent: Sent }> => {
        const channel = createChannel(settings, Date.now);
        return { channel: channel.name, sent: await channel.send(testMessage(Date.now()), stop) };
      }),
    );
    if (args.json === true) out.json({ channels: tried.map(({ channel, sent }) => ({ channel, ...sent })) });
    else
      for (const { channel, sent } of tried)
        out.line(sent.is === "sent" ? `${channel}: sent` : `${channel}: not sent, ${sent.why}`);
    return tried.every(({ sent }) => sent.is === "sent") ? 0 : 1;
  },
});
