// What Scrypted keeps and what it stands on: its volume, its database, its devices, its image. Looks at the host's side
// of the mounts, so it also works while Scrypted is down. Knows no policy.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import {
  blind,
  brief,
  disksOf,
  imageFacts,
  imageScript,
  isMissing,
  jsonLines,
  notUnderstood,
  statusFormat,
  statusOf,
} from "medic/plugins/docker";
import type { ImageFacts } from "medic/plugins/docker";
import * as v from "valibot";
import type { ScryptedOptions } from "./options.ts";

/** Mount points and their types; docker's own and the kernel's would be hundreds of lines. */
const filesystems = `cut -d ' ' -f 1-3 /proc/mounts | grep -v -E ' /(proc|sys|dev|run|var/lib/docker)[/ ]'`;

const insideVolume = "/server/volume";

const mounts = v.object({
  name: v.string(),
  mounts: v.array(v.object({ Source: v.optional(v.string(), ""), Destination: v.string(), RW: v.boolean() })),
});
type Space = {
  path: string;
  filesystem: string;
  mount: string;
  usedPercent: number;
  freeBytes: number;
  inodesUsedPercent: number | null;
  writable: boolean;
};
export type Storage = { volume: Space | null; recordings: Space[]; problems: string[] };

export const scryptedStorage = diagnostic({
  name: "scrypted_storage",
  description:
    "Scrypted's volume and recordings: which disk, how full, which filesystem, whether they are mounts at all (else lost on recreate).",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) =>
    script(
      `root docker container inspect --format '{"name":{{json .Name}},"mounts":{{json .Mounts}}}' -- "$1" 2>&1
echo --medic:space
df -Pk 2>/dev/null
echo --medic:inodes
df -Pi 2>/dev/null
echo --medic:filesystems
${filesystems}
exit 0`,
      options.container,
    ),
  parse(result, _input, options: ScryptedOptions): Storage | Unavailable {
    const parts = sections(result.stdout);
    const said = parts[""] ?? "";
    const container = jsonLines(said, mounts)?.[0];
    if (container === undefined && options.volume === undefined) {
      if (isMissing(said)) return unavailable('no container to ask for its volume: set "volume" in hosts.yaml');
      return blind(result) ?? unavailable(brief(said) || "docker said nothing about the container");
    }
    const problems: string[] = [];
    const spaceOf = (path: string, writable: boolean): Space | null => {
      const disk = under(disksOf(parts["space"] ?? ""), path);
      if (disk === undefined) return null;
      const filesystem = filesystemOf(parts["filesystems"] ?? "", path);
      const inodes = disksOf(parts["inodes"] ?? "").find(({ mount }) => mount === disk.mount);
      return { path, filesystem, ...disk, inodesUsedPercent: inodes?.usedPercent ?? null, writable };
    };
    const inside = container?.mounts.find(({ Destination }) => Destination === insideVolume);
    const path = options.volume ?? inside?.Source;
    if (path === undefined) {
      problems.push(`nothing is mounted at ${insideVolume}: the database is inside the container, a recreate loses it`);
    }
    const volume = path === undefined ? null : spaceOf(path, inside?.RW ?? true);
    const others = container?.mounts.filter((mount) => /(?:^|\/)(?:nvr|recordings?)/i.test(mount.Destination)) ?? [];
    const recordings = others.flatMap((mount) => spaceOf(mount.Source, mount.RW) ?? []);
    for (const space of [...(volume === null ? [] : [volume]), ...recordings]) problems.push(...problemsOf(space));
    return { volume, recordings, problems };
  },
});

/** Nothing more can be written there. */
export function isFull({ freeBytes, inodesUsedPercent, writable }: Space): boolean {
  return freeBytes < fullBelowBytes || (inodesUsedPercent ?? 0) >= 100 || !writable;
}
const fullBelowBytes = 32 * 1024 * 1024;

function problemsOf({ path, filesystem, usedPercent, inodesUsedPercent, writable }: Space): string[] {
  return [
    ...(usedPercent >= 95 ? [`"${path}" is ${usedPercent}% full`] : []),
    ...((inodesUsedPercent ?? 0) >= 95 ? [`"${path}" has used ${inodesUsedPercent}% of its inodes`] : []),
    ...(writable ? [] : [`"${path}" is mounted read-only`]),
    ...(isRemote(filesystem) ? [`"${path}" is on ${filesystem}: leveldb breaks on network filesystems`] : []),
  ];
}

/** The row whose mount point holds a path: the longest one wins. */
function under<T extends { mount: string }>(rows: readonly T[], path: string): T | undefined {
  const holds = (mount: string) => mount === "/" || path === mount || path.startsWith(`${mount}/`);
  return rows.filter(({ mount }) => holds(mount)).toSorted((one, other) => other.mount.length - one.mount.length)[0];
}

function filesystemOf(mounted: string, path: string): string {
  const rows = mounted.split("\n").map((line) => {
    const [, mount = "", type = ""] = line.split(" ");
    // A blank in a mount point is written \040.
    return { mount: mount.replaceAll("\\040", " "), type };
  });
  return under(rows, path)?.type ?? "unknown";
}

function isRemote(filesystem: string): boolean {
  return /^(?:nfs|cifs|smb|fuse\.sshfs|9p|ceph|glusterfs)/.test(filesystem);
}

export type Database = {
  path: string;
  present: boolean;
  /** Its files belong together: CURRENT names a manifest that exists. */
  intact: boolean;
  /** The manifest that CURRENT names. */
  manifest: string | null;
  files: number;
  filesystem: string;
  /** The process that is seen to hold its lock. Null proves nothing: a host may hide locks. */
  heldBy: number | null;
  lastWriteAt: string | null;
  backup: { at: string; bytes: number } | null;
  problems: string[];
};

export const scryptedDatabase = diagnostic({
  name: "scrypted_database",
  description:
    "Scrypted's database as files: present, CURRENT and its manifest, held by a process, on which filesystem, the last backup.",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) =>
    script(
      `volume=$2
if [ -z "$volume" ]; then
  root docker container inspect --format '{{.Name}}' -- "$1" || exit
  volume=$(root docker container inspect --format '{{range .Mounts}}{{println .Destination .Source}}{{end}}' -- "$1" | while read -r destination source; do if [ "$destination" = ${insideVolume} ]; then echo "$source"; fi; done)
fi
echo --medic:volume
echo "$volume"
if [ -z "$volume" ]; then exit 0; fi
echo --medic:files
ls -1A -- "$volume/scrypted.db" 2>&1
echo --medic:current
cat -- "$volume/scrypted.db/CURRENT" 2>/dev/null
echo --medic:times
stat -c '%Y %s %d %i %n' -- "$volume/scrypted.db" "$volume/scrypted.db/LOCK" "$volume/backup.zip" 2>/dev/null
echo --medic:locks
grep -F " WRITE " /proc/locks 2>/dev/null
echo --medic:filesystems
${filesystems}
exit 0`,
      options.container,
      options.volume ?? "",
    ),
  parse(result): Database | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const parts = sections(result.stdout);
    const volume = (parts["volume"] ?? "").trim();
    if (volume === "")
      return unavailable(`nothing is mounted at ${insideVolume}, so its files cannot be seen from the host`);
    const listed = parts["files"] ?? "";
    if (/Permission denied/i.test(listed)) return unavailable(`this login may not read "${volume}/scrypted.db"`);
    const present = !/No such file or directory/i.test(listed);
    const names = present ? listed.split("\n").filter((name) => name !== "") : [];
    const current = (parts["current"] ?? "").trim();
    const stats = statsOf(parts["times"] ?? "", volume);
    const lock = stats.get("scrypted.db/LOCK");
    const filesystem = filesystemOf(parts["filesystems"] ?? "", volume);
    const backup = stats.get("backup.zip");
    const problems = [
      ...(present ? [] : ["the database is gone"]),
      ...(present && current === "" ? ["CURRENT is missing or empty"] : []),
      ...(current !== "" && !names.includes(current)
        ? [`CURRENT names "${brief(current, 40)}", which is missing`]
        : []),
      ...(isRemote(filesystem) ? [`it is on ${filesystem}: leveldb breaks on network filesystems`] : []),
    ];
    return {
      path: `${volume}/scrypted.db`,
      present,
      intact: present && names.includes(current),
      manifest: current === "" ? null : brief(current, 40),
      files: names.length,
      filesystem,
      heldBy: lock === undefined ? null : holderOf(parts["locks"] ?? "", lock.file),
      lastWriteAt: stats.get("scrypted.db")?.at ?? null,
      backup: backup === undefined ? null : { at: backup.at, bytes: backup.bytes },
      problems,
    };
  },
});

function statsOf(text: string, volume: string): ReadonlyMap<string, { at: string; bytes: number; file: string }> {
  const rows = text.split("\n").map((line) => /^(\d{1,12}) (\d+) (\d+) (\d+) (.+)$/.exec(line));
  return new Map(
    rows.flatMap((row) => {
      if (row === null) return [];
      const at = new Date(Number(row[1]) * 1000).toISOString();
      const name = (row[5] ?? "").slice(volume.length + 1);
      return [[name, { at, bytes: Number(row[2]), file: fileOf(Number(row[3]), row[4] ?? "") }] as const];
    }),
  );
}

/** A file as /proc/locks names it: "fd:00:131", from what `stat` calls %d and %i. */
function fileOf(device: number, inode: string): string {
  const hex = (part: number) => part.toString(16).padStart(2, "0");
  return `${hex((device >> 8) & 0xfff)}:${hex((device & 0xff) | ((device >> 12) & 0xfff00))}:${inode}`;
}

/** Rows of /proc/locks: "1: POSIX  ADVISORY  WRITE 812 fd:00:131 0 EOF"; one who only waits has "->". */
function holderOf(locks: string, file: string): number | null {
  const rows = locks.split("\n").map((line) => /^\d+: \S+\s+\S+\s+WRITE (\d+) (\S+) /.exec(line));
  const holder = rows.find((row) => row?.[2] === file)?.[1];
  return holder === undefined ? null : Number(holder);
}

export type Devices = { mapped: { path: string; present: boolean }[]; unmapped: string[] };

export const scryptedDevices = diagnostic({
  name: "scrypted_devices",
  description:
    "Devices that Scrypted's container maps, against those the host has; one that is missing stops the container from starting.",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) =>
    script(
      `root docker container inspect --format '{{.Name}}' -- "$1" || exit
echo --medic:devices
root docker container inspect --format '{{range .HostConfig.Devices}}{{println .PathOnHost}}{{end}}' -- "$1" | while read -r path; do if [ -e "$path" ]; then echo "present $path"; elif [ -n "$path" ]; then echo "missing $path"; fi; done
for path in /dev/dri /dev/kfd /dev/apex_0 /dev/bus/usb /dev/nvidia0 /dev/accel; do if [ -e "$path" ]; then echo "host $path"; fi; done
exit 0`,
      options.container,
    ),
  parse(result): Devices | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const shown = sections(result.stdout)["devices"];
    if (shown === undefined) return unavailable(result);
    const rows = shown.split("\n").flatMap((line) => {
      const row = /^(present|missing|host) (\/.+)$/.exec(line);
      return row === null ? [] : [{ kind: row[1] ?? "", path: row[2] ?? "" }];
    });
    const mapped = rows
      .filter(({ kind }) => kind !== "host")
      .map(({ kind, path }) => ({ path, present: kind === "present" }));
    const isMapped = (path: string) =>
      mapped.some((device) => device.path === path || device.path.startsWith(`${path}/`));
    const onHost = rows.filter(({ kind }) => kind === "host").map(({ path }) => path);
    return { mapped, unmapped: onHost.filter((path) => !isMapped(path)) };
  },
});

export type UpdateState = {
  image: { exists: false } | ImageFacts;
  watchtower: { exists: boolean; running: boolean; restartCount: number | null };
};

export const scryptedUpdateState = diagnostic({
  name: "scrypted_update_state",
  description:
    "The image Scrypted runs (digest, date), whether a newer one is pulled but unused, and whether its watchtower is alive.",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) =>
    script(
      `${imageScript}echo --medic:watchtower
root docker container inspect --format '${statusFormat}' -- "$2" 2>&1
exit 0`,
      options.container,
      options.watchtower,
    ),
  parse(result, _input, options: ScryptedOptions): UpdateState | Unavailable {
    const said = sections(result.stdout)["watchtower"] ?? "";
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const image = imageFacts(result.stdout, options.container);
    const watchtower = isMissing(said) ? ({ exists: false } as const) : statusOf(said, options.watchtower, 0);
    if (image === undefined || watchtower === undefined) return notUnderstood(result);
    return {
      image,
      watchtower: watchtower.exists
        ? { exists: true, running: watchtower.running, restartCount: watchtower.restartCount }
        : { exists: false, running: false, restartCount: null },
    };
  },
});
