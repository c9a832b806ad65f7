// Whether docker is at work on a container although nobody waits for its answer any more: between the signal that asks a
// process to end and the start of the next run, its state shows nothing, and only docker's events do. Pure.
import type { Unavailable } from "medic/plugin";
import type { Happening } from "./history.ts";
import type { ContainerStatus } from "./status.ts";

/** What moves a container from one run to the next; the last of these says where it is. */
const ofItsLife = new Set(["kill", "die", "stop", "start", "restart", "destroy"]);
/** A request to reload or to reopen logs (HUP, USR1, USR2): docker calls that a kill too, and nothing ends by it. */
const notToEnd = new Set([1, 10, 12]);

/**
 * How far back docker's events are asked for: a stop that began earlier is over, whoever asked for it, and is not waited
 * for. Docker kills after the grace and then starts again; it may take its time on a busy host.
 */
export function lookBackSeconds(sinceSeconds: number, graceSeconds: number): number {
  return Math.max(1, Math.min(sinceSeconds, graceSeconds + 120));
}

/** It was asked to end, and has not been started again since. Docker that forgot its events tells nothing: false. */
export function isBetweenRuns(
  status: ContainerStatus,
  traces: { events: readonly Happening[] } | Unavailable,
): boolean {
  if (!status.exists || status.error !== "" || "unavailable" in traces) return false;
  const last = traces.events.findLast(({ what, id, signal }) => {
    const isReload = what === "kill" && signal !== undefined && notToEnd.has(signal);
    return status.id.startsWith(id) && ofItsLife.has(what) && !isReload;
  });
  return last !== undefined && ["kill", "die", "stop"].includes(last.what);
}
