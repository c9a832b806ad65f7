// What the journal keeps that belongs to no incident: it stands in the same chain, has no `incident`, and changes none.
import type { HostIdentity } from "./fix.ts";

/** Signs off that the events up to `through` were removed, so that the chain can be followed from there on. */
export type Checkpoint = {
  kind: "checkpoint";
  /** The last event that was removed, and its hash. */
  through: number;
  hash: string;
  /** The owner's setting that they were older than; seconds. */
  retain: number;
  events: number;
  incidents: number;
  /** All that was ever removed, with this: what is counted over all time goes on from here. */
  removed: { incidents: Readonly<Record<string, number>>; fixes: Readonly<Record<string, number>> };
  /** What stays known however old it is; absent in checkpoints of an older Medic. */
  known?: StillKnown;
};

/** The machine each host was last, and the channels that are told of changes. */
export type StillKnown = { identities: Readonly<Record<string, HostIdentity>>; channels: readonly string[] };

/**
 * What a person says of a host, or of a service of it (a name, may have wildcards), for a while. A window of the same host
 * and service that is open already takes this end.
 */
export type MaintenanceEvent =
  | { kind: "maintenance-started"; host: string; service?: string; until: string; by: string; reason?: string }
  | { kind: "maintenance-ended"; host: string; service?: string; by: string };

/** A person says that this is the machine a host's name stands for from now on. */
export type HostAccepted = { kind: "host-accepted"; host: string; identity: HostIdentity; by: string };

/** From here on a channel is told of changes. */
export type ChannelAdded = { kind: "channel-added"; channel: string };

export type HouseEvent = Checkpoint | MaintenanceEvent | HostAccepted | ChannelAdded;

/** What the journal adds to an event. `sequence` counts over all events from 1; `at` is ISO 8601, UTC. */
export type Written = { sequence: number; at: string };
