// The runbook for alerts about what Scrypted takes while it answers: memory and disk. A restart would hide a leak and keep
// the recordings where they are, so it only finds the cause, in figures, and says what a person has to run.
import { call, look, matches, need, pause, runbook } from "medic/plugin";
import type { Decision, Incident, Inquiry } from "medic/plugin";
import type { ScryptedOptions } from "./options.ts";
import { scryptedPluginProcesses } from "./processes.ts";
import type { PluginProcesses } from "./processes.ts";
import { scryptedRecordings } from "./recordings.ts";
import type { Recordings } from "./recordings.ts";

const watchSeconds = 10;
const mebibyte = 1024 * 1024;
const grewBytesMin = 16 * mebibyte;
const layerBytesMax = 32 * mebibyte;

const ofMemory = /memory|\boom\b|rss/i;
const ofStorage = /storage|disk|recording|nvr/i;

/** Whether an alert is about what Scrypted takes, not about whether it answers. */
export function isComplaint({ alert }: Incident): boolean {
  return ofMemory.test(alert.name) || ofStorage.test(alert.name);
}

export const scryptedTakesTooMuch = runbook({
  title: "Scrypted takes too much memory or disk",
  guidance: `Memory: scrypted_plugin_processes twice, some seconds apart, names the plugin that grows; reload that plugin in the console. A restart
helps for a while and hides the leak. Disk: scrypted_recordings says whether recordings lie in the container's own layer or on the root disk; they
belong on a disk of their own, as a volume. Nothing here is Medic's to change.`,
  when: (incident, options: ScryptedOptions) =>
    matches([options.container, options.unit], incident.service) && isComplaint(incident),
  *decide(incident, options: ScryptedOptions): Inquiry<Decision> {
    if (ofMemory.test(incident.alert.name)) return yield* memory(options);
    const { recordings } = yield* need({ recordings: call(scryptedRecordings, {}) });
    return { escalate: storage(recordings, options) };
  },
});

function* memory({ container }: ScryptedOptions): Inquiry<Decision> {
  const { before } = yield* need({ before: call(scryptedPluginProcesses, {}) });
  if (!before.running) return { escalate: `"${container}" does not run, so nothing of it takes memory` };
  yield* pause(watchSeconds);
  const { after } = yield* look({ after: call(scryptedPluginProcesses, {}) });
  const now = "unavailable" in after ? before : after;
  const grown = now.plugins.map((plugin) => ({ ...plugin, grew: grownBy(plugin, before) }));
  const worst = grown.toSorted((one, other) => other.grew - one.grew || other.memoryBytes - one.memoryBytes)[0];
  const total = `all of it takes ${mib(now.memoryBytes)}`;
  if (worst === undefined) return { escalate: `no plugin of "${container}" runs; ${total}` };
  const takes = `the plugin ${worst.id} (pid ${worst.pid}) takes ${mib(worst.memoryBytes)}`;
  if (worst.grew < grewBytesMin)
    return { escalate: `${takes}, the most of all, and did not grow in ${watchSeconds} s; ${total}` };
  const advice = `Reload that plugin in Scrypted's console; docker restart ${container} helps only for a while`;
  return { escalate: `${takes} and grew by ${mib(worst.grew)} in ${watchSeconds} s: it leaks; ${total}. ${advice}` };
}

function grownBy({ id, pid, memoryBytes }: PluginProcesses["plugins"][number], before: PluginProcesses): number {
  // Another pid is another run, which began small.
  const earlier = before.plugins.find((plugin) => plugin.id === id && plugin.pid === pid);
  return earlier === undefined ? 0 : memoryBytes - earlier.memoryBytes;
}

function storage({ layerBytes, root, mounts }: Recordings, { container }: ScryptedOptions): string {
  const rootDisk =
    root === null ? "the root disk" : `the root disk (${root.usedPercent} % full, ${mib(root.freeBytes)} free)`;
  const onRoot = mounts.filter((mount) => mount.isOnRoot && mount.isRecordings);
  const move =
    "stop it, move the recordings to a disk of their own, and mount that as a volume at the folder that the NVR plugin records to";
  if (layerBytes > layerBytesMax) {
    return (
      `"${container}" keeps ${mib(layerBytes)} in its own layer, where no volume is mounted: recordings there lie on docker's disk ` +
      `and are lost when it is recreated; ${rootDisk}. Do not recreate it: docker cp them out, then ${move}`
    );
  }
  if (onRoot.length > 0) {
    return `its recordings at "${onRoot.map(({ source }) => source).join('", "')}" lie on ${rootDisk}: ${move}`;
  }
  return `no recordings lie on the root disk, and its own layer holds ${mib(layerBytes)}; ${rootDisk}`;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MiB`;
}
