// host_overview: how the host is, in one round trip. Each part stands alone: a NAS with BusyBox lacks half of the
// programs, so a part that could not be seen is named in `missing` and the others count.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import * as v from "valibot";
import { disksOf, failedOf, memoryOf, pressureOf, processesOf } from "./overview-parts.ts";

// `df -l` leaves network mounts alone: one that is gone would hang it. BusyBox has no -l, and takes the second form.
const text = `echo "--medic:now"
date +%s
echo "--medic:name"
hostname
uname -s -r -m
echo "--medic:uptime"
cat /proc/uptime
echo "--medic:load"
cat /proc/loadavg
echo "--medic:cores"
nproc
echo "--medic:memory"
cat /proc/meminfo
echo "--medic:pressure"
for kind in cpu memory io; do
  echo "$kind $(head -n 1 "/proc/pressure/$kind")"
done
echo "--medic:disks"
df -P -k -l || df -P -k
echo "--medic:inodes"
df -P -i -l || df -P -i
echo "--medic:failed"
systemctl list-units --failed --no-legend --plain --no-pager && echo "--medic:failed-known"
echo "--medic:memory-top"
ps -eo pid,rss,pcpu,etimes,comm --sort=-rss | head -n 9
echo "--medic:cpu-top"
ps -eo pid,rss,pcpu,etimes,comm --sort=-pcpu | head -n 9
echo "--medic:time"
timedatectl show -p NTPSynchronized
echo "--medic:reboot"
if [ -e /var/run/reboot-required ]; then echo yes; cat /var/run/reboot-required.pkgs; else echo no; fi
echo "--medic:end"
`;

export const hostOverview = diagnostic({
  name: "host_overview",
  description:
    "How the host is: uptime, load, memory, pressure, disks, inodes, failed units, top processes, time sync, reboot needed.",
  input: v.strictObject({}),
  command: () => script(text),
  parse(result) {
    const said = sections(result.stdout);
    if (said["end"] === undefined || said["uptime"] === undefined) {
      // What it printed last is some figure; only an error text says why it ended.
      return unavailable(result.stderr === "" ? `the overview broke off, exit ${result.exit}` : result);
    }
    const parts = partsOf(said);
    const missing = Object.entries(parts).flatMap(([name, part]) => (part === undefined ? [name] : []));
    return { ...parts, missing };
  },
});

/** Each part, or undefined where the host does not tell. */
function partsOf(said: Readonly<Partial<Record<string, string>>>) {
  const [name = "", kernel = ""] = (said["name"] ?? "").split("\n");
  const [one, five, fifteen] = (said["load"] ?? "").split(" ").map(Number.parseFloat);
  const cores = wholeOf(said["cores"]);
  const time = /^NTPSynchronized=(yes|no)$/m.exec(said["time"] ?? "")?.[1];
  const [reboot, ...packages] = (said["reboot"] ?? "").split("\n");
  return {
    system: name === "" ? undefined : { name, kernel },
    uptimeSeconds: wholeOf(said["uptime"]?.split(" ")[0]),
    load: isFigure(one) && isFigure(five) && isFigure(fifteen) ? { one, five, fifteen } : undefined,
    cores,
    memory: memoryOf(said["memory"] ?? ""),
    pressure: pressureOf(said["pressure"] ?? ""),
    disks: disksOf(said["disks"] ?? "", 1024),
    inodes: disksOf(said["inodes"] ?? "", 1),
    failedUnits: said["failed-known"] === undefined ? undefined : failedOf(said["failed"] ?? ""),
    topByMemory: processesOf(said["memory-top"] ?? ""),
    topByProcessor: processesOf(said["cpu-top"] ?? ""),
    timeSynchronized: time === undefined ? undefined : time === "yes",
    rebootNeeded:
      reboot === undefined || reboot === "" ? undefined : { needed: reboot === "yes", packages: packages.slice(0, 20) },
  };
}

function isFigure(value: number | undefined): value is number {
  return Number.isFinite(value);
}

function wholeOf(digits: string | undefined): number | undefined {
  const number = Number.parseFloat(digits ?? "");
  return Number.isFinite(number) ? Math.floor(number) : undefined;
}

/** What an overview found. */
export type Overview = Exclude<ReturnType<typeof hostOverview.parse>, { unavailable: string }>;
