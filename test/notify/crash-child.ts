// A process for crash tests: a journal, an incident that changes, and the outbox that tells a webhook of it. It is killed.
//
//   crash-child.ts <folder> <url> <service> told|untold     `untold`: the outbox ends before the incident changes
import { setInterval, setTimeout as delay } from "node:timers/promises";
import { openJournal } from "../../core/incident/journal.ts";
import { silent } from "../../core/log.ts";
import { createChannel } from "../../core/notify/channel.ts";
import { createOutbox } from "../../core/notify/outbox.ts";
import { alert, world } from "../incident/world.ts";

const [folder = "", url = "", service = "", mode = ""] = process.argv.slice(2);
const journal = openJournal(folder, { now: Date.now });
const outbox = createOutbox({
  journal,
  linkTo: () => undefined,
  withinSeconds: () => 3600,
  now: Date.now,
  sleep: async (milliseconds, signal) => {
    await delay(milliseconds, undefined, { signal });
  },
  log: silent,
});
outbox.take([createChannel({ name: "hook", on: ["escalated"], webhook: { url, secret: "s3cret" } }, Date.now)]);
if (mode === "untold") await outbox.close(0);
journal.subscribe((event) => {
  if (event.kind === "notification-sent") process.stdout.write("recorded\n");
});
const { opened, record } = world({ journal });
record(await opened(alert({ service })), { kind: "escalated", reason: "it stays dark" });
process.stdout.write("changed\n");
// Alive until it is killed.
for await (const _ of setInterval(60_000));
