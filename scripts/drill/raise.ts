// How Medic hears of what a drill broke: by an alert that is posted, or by the lab's own Prometheus and Alertmanager. These
// tell one address, so one drill at a time is heard of that way; whoever runs drills sees to it. Judges nothing.
import { setTimeout as sleep } from "node:timers/promises";
import type { IncidentRecord } from "../../core/incident/incident.ts";
import { labHost, readLab } from "../lab/lab.ts";
import { alertsOver, pageAnswers, watchPages } from "../lab/monitoring.ts";
import type { OwnMedic } from "../lab/own-medic.ts";
import type { ServeProcess } from "../lab/serving.ts";
import type { Drill } from "./drill.ts";

const heardWithinSeconds = 40;

/** Where this drill's Medic has to listen to be told; undefined where any port will do. */
export function portOf({ raisedBy }: Drill): number | undefined {
  return raisedBy === undefined ? undefined : Number(new URL(readLab().webhookUrl).port);
}

/** Before Medic listens and before anything is broken: the monitors see the service well, and have nothing left to tell. */
export async function watch(drill: Drill, host: string): Promise<void> {
  const { raisedBy, alert } = drill;
  if (raisedBy === undefined) return;
  if (raisedBy !== "scrypted probe") {
    const { address } = labHost(host);
    const page = { host, service: alert.service, url: `http://${address}:${raisedBy.httpPort}/` };
    watchPages(readLab().folder, [page]);
    await pageAnswers(page);
  }
  await alertsOver(host);
}

/** Ends what `watch` began. */
export function unwatch({ raisedBy }: Drill): void {
  if (raisedBy !== undefined) watchPages(readLab().folder, []);
}

/** The incident that Medic has of it, and when it heard: milliseconds since 1970. */
export async function raise(
  drill: Drill,
  host: string,
  { medic, serve, signal }: { medic: OwnMedic; serve: ServeProcess; signal: AbortSignal },
): Promise<{ incident: string; alertedAt: number }> {
  if (drill.raisedBy === undefined) {
    const alertedAt = Date.now();
    return { incident: await medic.alert({ host, ...drill.alert }), alertedAt };
  }
  const deadline = Date.now() + heardWithinSeconds * 1000;
  const isOurs = ({ target }: IncidentRecord): boolean =>
    target.host === host && target.service === drill.alert.service;
  while (Date.now() < deadline) {
    const heard = (await serve.incidents()).find(isOurs);
    const at = heard === undefined ? undefined : medic.story(heard.id).events[0]?.at;
    if (heard !== undefined && at !== undefined) return { incident: heard.id, alertedAt: Date.parse(at) };
    await sleep(200, undefined, { signal });
  }
  throw new Error(`Cannot carry out "${drill.name}": the monitors told nothing within ${heardWithinSeconds} s`);
}
