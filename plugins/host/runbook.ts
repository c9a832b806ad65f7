// An alert about the host itself. Medic changes nothing about a host: it says what is wrong with it, in figures.
import { call, look, need, runbook } from "medic/plugin";
import { hostOverview, type Overview } from "./overview.ts";
import { hostTimeSync, timeText } from "./time-sync.ts";

const FULL_PERCENT = 95;
const MEMORY_LOW_PERCENT = 5;
/** An alert about the clock: the figures of load and disks would only hide what a person has to run. */
const isAboutTime = /clock|\bntp|ntp\b|time.?(?:sync|skew|drift)/i;
const PRESSURE_HIGH_PERCENT = 50;

export const hostInTrouble = runbook({
  title: "The host itself is in trouble",
  guidance:
    "host_overview has nearly everything in one call. A full disk (or no inodes left, df -i) breaks services in odd ways: " +
    "find what grew with host_inspect du. Load is only high relative to the cores; pressure says what is waited for. " +
    "Kernel lines (host_kernel_log) about I/O errors or memory explain much. Medic has no fix for a host: escalate with figures.",
  when: (incident) => incident.service === undefined,
  *decide(incident) {
    if (isAboutTime.test(incident.alert.name)) {
      const { time } = yield* look({ time: call(hostTimeSync, {}) });
      if (!("unavailable" in time)) return { escalate: `"${incident.host}": ${timeText(time)}` };
    }
    const { overview } = yield* need({ overview: call(hostOverview, {}) });
    const troubles = troublesOf(overview);
    if (troubles.length > 0) return { escalate: `"${incident.host}": ${troubles.join("; ")}` };
    const unseen = overview.missing.length === 0 ? "" : `; could not see ${overview.missing.join(", ")}`;
    return {
      escalate: `"${incident.host}" shows no cause for "${incident.alert.name}" now: ${figuresOf(overview)}${unseen}`,
    };
  },
});

function troublesOf({ disks, inodes, memory, load, cores, pressure, failedUnits }: Overview): string[] {
  const troubles: string[] = [];
  for (const disk of disks ?? []) {
    if (disk.usedPercent < FULL_PERCENT) continue;
    const free = `${Math.round(disk.available / 1024 / 1024)} MiB free`;
    troubles.push(`disk ${disk.mount} is ${disk.usedPercent} % full (${free}, ${disk.device})`);
  }
  for (const disk of inodes ?? []) {
    if (disk.usedPercent >= FULL_PERCENT)
      troubles.push(`disk ${disk.mount} has used ${disk.usedPercent} % of its inodes`);
  }
  if (memory !== undefined && memory.availablePercent < MEMORY_LOW_PERCENT) {
    troubles.push(`${memory.availablePercent} % of memory is available`);
  }
  if (load !== undefined && cores !== undefined && load.five > 2 * cores) {
    troubles.push(`load is ${load.five} on ${cores} cores`);
  }
  for (const [kind, waited] of Object.entries(pressure ?? {})) {
    if (waited.minute >= PRESSURE_HIGH_PERCENT) troubles.push(`${kind} is waited for ${waited.minute} % of the time`);
  }
  if (failedUnits !== undefined && failedUnits.length > 0) troubles.push(`failed units: ${failedUnits.join(", ")}`);
  return troubles;
}

function figuresOf({ disks, memory, load, uptimeSeconds }: Overview): string {
  const fullest = (disks ?? []).toSorted((one, other) => other.usedPercent - one.usedPercent)[0];
  const parts = [
    ...(uptimeSeconds === undefined ? [] : [`up ${Math.round(uptimeSeconds / 3600)} h`]),
    ...(load === undefined ? [] : [`load ${load.five}`]),
    ...(memory === undefined ? [] : [`${memory.availablePercent} % of memory available`]),
    ...(fullest === undefined ? [] : [`fullest disk ${fullest.mount} at ${fullest.usedPercent} %`]),
  ];
  return parts.join(", ");
}
