// Tells the owner's channels of changes. It listens to the journal and never stands in anybody's way: a channel that is
// down has a queue of its own (lane.ts), of at most one message an incident. It refuses to know what changes an incident.
import { isCanary } from "../incident/alert.ts";
import type { IncidentRecord, JournalEvent } from "../incident/incident.ts";
import type { Journal } from "../incident/journal.ts";
import type { Log } from "../log.ts";
import { changeKinds } from "./change.ts";
import type { Channel } from "./channel.ts";
import { Lane, type LaneNumbers, type LaneParts } from "./lane.ts";
import { messageOf } from "./message.ts";

export type OutboxParts = {
  journal: Pick<Journal, "append" | "atomically" | "head" | "incident" | "note" | "subscribe" | "told">;
  /** Where a person answers an approval; undefined where no link can be made. */
  linkTo(approval: string): string | undefined;
  withinSeconds(): number;
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  log: Log;
};

export type Outbox = {
  /** The channels that count from now on. One that was there before goes on where it was. Throws JournalError: then none do. */
  take(channels: readonly Channel[]): void;
  numbers(): LaneNumbers[];
  close(graceSeconds: number): Promise<void>;
};

export function createOutbox(parts: OutboxParts): Outbox {
  const { journal, now, sleep, log, withinSeconds } = parts;
  const lanes = new Map<string, Lane>();
  /** Whoever runs a fix by hand, or only asks, sees what becomes of it. */
  const worthTelling = (record: IncidentRecord | undefined): record is IncidentRecord =>
    record !== undefined && record.byHand !== true && !isCanary(record.alert) && record.onlyPlans !== true;
  const laneParts: LaneParts = {
    record: (incident, event) => void journal.append([{ ...event, incident }]),
    messageOf: (event) => {
      const record = journal.incident(event.incident);
      if (!worthTelling(record)) return undefined;
      return messageOf(record, event, { head: journal.head(), linkTo: (approval) => parts.linkTo(approval) });
    },
    withinSeconds,
    now,
    sleep,
    log,
  };
  const unsubscribe = journal.subscribe((event) => {
    for (const lane of lanes.values()) lane.hear(event);
  });

  return {
    take(channels) {
      const added = channels.filter(({ name }) => !lanes.has(name));
      const due = added.length === 0 ? new Map() : journal.atomically(() => dueOfAll(parts, added));
      for (const [name, lane] of lanes) {
        if (channels.some((channel) => channel.name === name)) continue;
        lanes.delete(name);
        void lane.close(0);
      }
      for (const channel of channels) {
        const lane = lanes.get(channel.name);
        if (lane !== undefined) lane.channel = channel;
        else lanes.set(channel.name, new Lane(laneParts, channel, due.get(channel.name) ?? []));
      }
    },
    numbers: () => [...lanes.values()].map((lane) => lane.numbers()),
    async close(graceSeconds) {
      unsubscribe();
      await Promise.all([...lanes.values()].map((lane) => lane.close(graceSeconds)));
    },
  };
}

function dueOfAll(parts: OutboxParts, channels: readonly Channel[]): Map<string, JournalEvent[]> {
  return new Map(channels.map((channel) => [channel.name, dueOf(parts, channel)]));
}

/** What an earlier process left: of each incident the newest change, if the channel was not told of it. */
function dueOf({ journal, now, withinSeconds }: OutboxParts, { name }: Channel): JournalEvent[] {
  // Twice as far back as anything is tried, so that what grew too old meanwhile is given up and not forgotten.
  const sinceMs = now() - 2 * withinSeconds() * 1000;
  const told = journal.told(name, { kinds: changeKinds, sinceMs });
  if (told === undefined) {
    journal.note({ kind: "channel-added", channel: name });
    return [];
  }
  const newest = new Map(told.changes.map((event) => [event.incident, event]));
  return [...newest.values()].filter(({ incident, sequence }) => (told.last.get(incident) ?? 0) < sequence);
}
