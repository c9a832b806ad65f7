// What of a running Medic speaks with people: approvals and their end, links that answer them, and the channels that tell
// of changes. It refuses to know what an answer sets going.
import { randomBytes } from "node:crypto";
import type { Config } from "../config/schema.ts";
import { createSignatures, linkTo } from "../http/link-signature.ts";
import type { Approval } from "../incident/approval.ts";
import { type Approvals, createApprovals } from "../incident/approvals.ts";
import type { Journal } from "../incident/journal.ts";
import type { Log } from "../log.ts";
import { createChannel } from "../notify/channel.ts";
import type { LaneNumbers } from "../notify/lane.ts";
import { createOutbox } from "../notify/outbox.ts";
import { sleep } from "./compose.ts";
import { readLinkKey } from "./link-key.ts";

export type People = {
  approvals: Approvals;
  isSigned(approval: Approval, signature: string): boolean;
  channels(): LaneNumbers[];
  /** Ends what nobody answered while Medic was off, and begins to tell. */
  start(): void;
  /** Ends what nobody answered in time; call it every few seconds. Throws JournalError. */
  look(): void;
  /** The settings have changed. */
  take(): void;
  close(): Promise<void>;
};

const SEND_GRACE_SECONDS = 3;

/** `config` says what counts now. Without a folder links count as long as this process lives. */
export function composePeople(parts: {
  journal: Journal;
  config(): Config;
  dataFolder: string | undefined;
  log: Log;
}): People {
  const { journal, config, dataFolder, log } = parts;
  const approvals = createApprovals({ journal, now: Date.now, log });
  const signatures = createSignatures(dataFolder === undefined ? randomBytes(32) : readLinkKey(dataFolder));
  const outbox = createOutbox({
    journal,
    linkTo: (id) => {
      const { publicUrl } = config().server;
      const approval = publicUrl === undefined ? undefined : approvals.find(id);
      return publicUrl === undefined || approval === undefined ? undefined : linkTo(publicUrl, signatures, approval);
    },
    withinSeconds: () => config().limits.notifyWithin,
    now: Date.now,
    sleep,
    log,
  });
  const take = (): void => outbox.take(config().notify.map((settings) => createChannel(settings, Date.now)));
  return {
    approvals,
    isSigned: (approval, signature) => signatures.isOf(approval, signature),
    channels: () => outbox.numbers(),
    start() {
      take();
      approvals.expire();
    },
    look: () => approvals.expire(),
    take,
    close: () => outbox.close(SEND_GRACE_SECONDS),
  };
}
