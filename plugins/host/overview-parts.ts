// The parts of an overview, each read from one program's output; undefined when it is not what that program prints.
const MOUNTS_MAX = 60;

/** Made by the kernel, not by disks: full by nature, or of no size. */
const notDisks = /^(?:tmpfs|devtmpfs|udev|none|proc|sysfs|cgroup2?|shm|overlay|squashfs|efivarfs|\/dev\/loop\d+)$/;

export type Disk = {
  mount: string;
  device: string;
  size: number;
  used: number;
  available: number;
  usedPercent: number;
};

/** `df -P`, in blocks of `unit` bytes (1 for inodes). Overlays of containers and kernel file systems are left out. */
export function disksOf(text: string, unit: number): Disk[] | undefined {
  const rows = text.split("\n").flatMap((line) => {
    const row = /^(.+?)\s+(\d+)\s+(\d+)\s+(-?\d+)\s+(\d+)%\s+(\/.*)$/.exec(line);
    if (row === null) return [];
    const [, device = "", size = "", used = "", available = "", percent = "", mount = ""] = row;
    if ((notDisks.test(device) && mount !== "/") || Number(size) === 0) return [];
    return [
      {
        mount,
        device,
        size: Number(size) * unit,
        used: Number(used) * unit,
        available: Number(available) * unit,
        usedPercent: Number(percent),
      },
    ];
  });
  return rows.length === 0 ? undefined : onePerDevice(rows).slice(0, MOUNTS_MAX);
}

/** Bind mounts show one disk many times: the shortest path is the one people know. */
function onePerDevice(rows: readonly Disk[]): Disk[] {
  const shortest = new Map<string, Disk>();
  for (const row of rows) {
    const known = shortest.get(row.device);
    if (known === undefined || row.mount.length < known.mount.length) shortest.set(row.device, row);
  }
  return [...shortest.values()];
}

/** /proc/meminfo, in bytes. */
export function memoryOf(text: string) {
  const bytes = (key: string): number | undefined => {
    const found = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const total = bytes("MemTotal");
  const available = bytes("MemAvailable") ?? bytes("MemFree");
  if (total === undefined || total === 0 || available === undefined) return undefined;
  return {
    total,
    available,
    availablePercent: Math.round((available / total) * 100),
    swapTotal: bytes("SwapTotal") ?? 0,
    swapFree: bytes("SwapFree") ?? 0,
  };
}

/** /proc/pressure: percent of the last 10 s in which something waited for it. */
export function pressureOf(text: string) {
  const found = text.split("\n").flatMap((line) => {
    const row = /^(cpu|memory|io) some avg10=([\d.]+) avg60=([\d.]+)/.exec(line);
    return row === null ? [] : [[row[1] ?? "", { tenSeconds: Number(row[2]), minute: Number(row[3]) }] as const];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** `ps -eo pid,rss,pcpu,etimes,comm`; BusyBox's ps knows none of it. */
export function processesOf(text: string) {
  const rows = text.split("\n").flatMap((line) => {
    const row = /^\s*(\d+)\s+(\d+)\s+([\d.]+)\s+(\d+)\s+(.+)$/.exec(line);
    if (row === null) return [];
    const [, pid, memory, processor, age, name = ""] = row;
    return [
      {
        pid: Number(pid),
        name: name.slice(0, 64),
        memoryBytes: Number(memory) * 1024,
        processorPercent: Number(processor),
        ageSeconds: Number(age),
      },
    ];
  });
  return rows.length === 0 ? undefined : rows.slice(0, 8);
}

/** `systemctl list-units --failed --plain`. */
export function failedOf(text: string): string[] {
  return text.split("\n").flatMap((line) => /^\s*(?:[●×*]\s+)?(\S+\.[a-z]+)\s+\S+\s+failed\s/.exec(line)?.[1] ?? []);
}
