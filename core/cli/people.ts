// What of a running Medic speaks with people: approvals and their end, links that answer them, the channels that tell of
// changes, and the sign of life. It refuses to know what an answer sets going.
import { randomBytes } from "node:crypto";
import type { Config } from "../config/schema.ts";
import { createSignatures, linkTo } from "../http/link-signature.ts";
import type { Approval } from "../incident/approval.ts";
import { type Approvals, createApprovals } from "../incident/approvals.ts";
import type { Journal } from "../incident/journal.ts";
import type { Log } from "../log.ts";
import { createChannel } from "../notify/channel.ts";
import { createHeartbeat } from "../notify/heartbeat.ts";
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
  /** The settings are going to be these. Throws JournalError; then nothing has changed. */
  take(config: Config): void;
  close(graceSeconds: number): Promise<void>;
};

/** `config` says what counts now. Without a folder links count as long as this process lives. */
export function composePeople(parts: {
  journal: Journal;
  config(): Config;
  dataFolder: string | undefined;
  /** Why Medic does not really work; then no heartbeat is sent. */
  trouble(): string | undefined;
  log: Log;
}): People {
  const { journal, config, dataFolder, trouble, log } = parts;
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
  const heartbeat = createHeartbeat({ trouble, sleep, log });
  const take = ({ notify, heartbeat: beats }: Config): void => {
    outbox.take(notify.map((settings) => createChannel(settings, Date.now)));
    heartbeat.take(beats);
  };
  return {
    approvals,
    isSigned: (approval, signature) => signatures.isOf(approval, signature),
    channels: () => outbox.numbers(),
    start() {
      take(config());
      approvals.expire();
    },
    look: () => approvals.expire(),
    take,
    close(graceSeconds) {
      heartbeat.take(undefined);
      return outbox.close(graceSeconds);
    },
  };
}
