// Programs that report the host itself: `date`, `uptime`, `free`, `df`, `id`, `uname`, `timedatectl`, …
import type { HostFacts } from "../facts.ts";
import type { Context, Program, Programs } from "../program.ts";
import { fail } from "../program.ts";
import { readOptions } from "./options.ts";

/** The programs, on a host of which these things are true. */
export function systemPrograms(facts: HostFacts): Programs {
  const line =
    (text: string): Program =>
    (_args, context) => (context.stdout.write(`${text}\n`), 0);
  return {
    date,
    hostname: line(facts.name),
    nproc: line(String(facts.cores)),
    arch: line("x86_64"),
    whoami: (_args, context) => (context.stdout.write(`${context.user}\n`), 0),
    who: () => 0,
    sync: () => 0,

    id: (args, context) => {
      const options = readOptions(args);
      const user = options.operands[0] ?? context.user;
      const number = user === "root" ? "0" : "1000";
      const groups = user === "root" ? ["root"] : [user, "docker", "systemd-journal"];
      const shown =
        options.has("u") || options.has("g")
          ? options.has("n")
            ? user
            : number
          : options.has("G")
            ? (options.has("n") ? groups : [number, "998", "999"]).join(" ")
            : `uid=${number}(${user}) gid=${number}(${user}) groups=${number}(${groups.join("),998(")})`;
      context.stdout.write(`${shown}\n`);
      return 0;
    },
    groups: (_args, context) => (
      context.stdout.write(context.user === "root" ? "root\n" : `${context.user} docker systemd-journal\n`),
      0
    ),

    uname: (args, context) => {
      const options = readOptions(args);
      const all = [
        "Linux",
        facts.name,
        "6.1.0-28-amd64",
        "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)",
        "x86_64",
        "GNU/Linux",
      ];
      const picked = { s: all[0], n: all[1], r: all[2], v: all[3], m: all[4], o: all[5] };
      const wanted = Object.entries(picked).filter(([flag]) => options.has(flag));
      context.stdout.write(
        `${options.has("a") ? all.join(" ") : wanted.length === 0 ? "Linux" : wanted.map(([, text]) => text).join(" ")}\n`,
      );
      return 0;
    },

    uptime: (args, context) => {
      const seconds = (context.now() - facts.bootedAt) / 1000;
      const days = Math.floor(seconds / 86_400);
      const clock = `${Math.floor((seconds % 86_400) / 3600)}:${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
      if (args.includes("-s")) context.stdout.write(`${isoText(facts.bootedAt)}\n`);
      else if (args.includes("-p")) context.stdout.write(`up ${days} days\n`);
      else
        context.stdout.write(
          ` ${isoText(context.now()).slice(11)} up ${days} days, ${clock},  0 users,  load average: ${facts
            .load()
            .map((one) => one.toFixed(2))
            .join(", ")}\n`,
        );
      return 0;
    },

    free: (args, context) => {
      const { total, used, cached, swapTotal, swapUsed } = facts.memoryKilobytes;
      const unit = args.some((flag) => /^-\w*m/.test(flag))
        ? 1024
        : args.some((flag) => /^-\w*b/.test(flag))
          ? 1 / 1024
          : 1;
      const row = (title: string, numbers: readonly number[]) =>
        `${title.padEnd(8)}${numbers.map((one) => String(Math.round(one / unit)).padStart(12)).join("")}\n`;
      context.stdout.write(
        `${" ".repeat(8)}${["total", "used", "free", "shared", "buff/cache", "available"].map((title) => title.padStart(12)).join("")}\n`,
      );
      context.stdout.write(row("Mem:", [total, used, total - used - cached, 12_400, cached, total - used]));
      context.stdout.write(row("Swap:", [swapTotal, swapUsed, swapTotal - swapUsed]));
      return 0;
    },

    df: (args, context) => df(args, context, facts),

    timedatectl: (args, context) => {
      const properties = { Timezone: "Etc/UTC", LocalRTC: "no", CanNTP: "yes", NTP: "yes", NTPSynchronized: "yes" };
      if (args[0] !== "show") {
        context.stdout.write("System clock synchronized: yes\n              NTP service: active\n");
        return 0;
      }
      const options = readOptions(args.slice(1), ["p", "property"]);
      const wanted = options.values("p", "property").flatMap((list) => list.split(","));
      for (const [key, value] of Object.entries(properties)) {
        if (wanted.length === 0 || wanted.includes(key))
          context.stdout.write(options.has("value") ? `${value}\n` : `${key}=${value}\n`);
      }
      return 0;
    },

    dmesg: (_args, context) => {
      if (context.user !== "root") return fail(context, "dmesg: read kernel buffer failed: Operation not permitted");
      context.stdout.write("[    0.000000] Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org)\n");
      return 0;
    },

    findmnt: (args, context) => {
      const options = readOptions(args, ["o", "T", "target", "t", "output"]);
      const path = options.value("T", "target") ?? options.operands[0];
      const disks = path === undefined ? facts.disks : [diskOf(path, facts)];
      const columns = (options.value("o", "output") ?? "TARGET,SOURCE,FSTYPE,OPTIONS").split(",");
      for (const disk of disks) {
        const cells: Record<string, string> = {
          TARGET: disk.mount,
          SOURCE: disk.device,
          FSTYPE: disk.type,
          OPTIONS: "rw,relatime",
          SIZE: `${disk.sizeKilobytes}K`,
          "USE%": `${percent(disk.usedKilobytes, disk.sizeKilobytes)}%`,
        };
        context.stdout.write(`${columns.map((column) => cells[column] ?? "").join(" ")}\n`);
      }
      return 0;
    },

    mountpoint: (args, context) => {
      const path = readOptions(args).operands[0] ?? "";
      const isMount = facts.disks.some((disk) => disk.mount === path);
      if (!args.includes("-q")) context.stdout.write(`${path} is ${isMount ? "" : "not "}a mountpoint\n`);
      return isMount ? 0 : 1;
    },

    sysctl: (args, context) => {
      const name = readOptions(args).operands[0] ?? "";
      const content = context.files.read(`/proc/sys/${name.replaceAll(".", "/")}`);
      if (content === undefined)
        return fail(
          context,
          `sysctl: cannot stat /proc/sys/${name.replaceAll(".", "/")}: No such file or directory`,
          255,
        );
      context.stdout.write(args.includes("-n") ? content : `${name} = ${content}`);
      return 0;
    },
  };
}

function date(args: readonly string[], context: Context): number {
  const given = readOptions(args, ["d", "date"]).value("d", "date");
  const at =
    given?.startsWith("@") === true
      ? Number(given.slice(1)) * 1000
      : given === undefined
        ? context.now()
        : Date.parse(given);
  if (Number.isNaN(at)) return fail(context, `date: invalid date '${given ?? ""}'`);
  const iso = new Date(at).toISOString();
  const day = new Date(at).toLocaleString("en", { weekday: "short", timeZone: "UTC" });
  const month = new Date(at).toLocaleString("en", { month: "short", timeZone: "UTC" });
  const values: Record<string, string> = {
    s: String(Math.floor(at / 1000)),
    F: iso.slice(0, 10),
    T: iso.slice(11, 19),
    Y: iso.slice(0, 4),
    m: iso.slice(5, 7),
    d: iso.slice(8, 10),
    H: iso.slice(11, 13),
    M: iso.slice(14, 16),
    S: iso.slice(17, 19),
    N: `${iso.slice(20, 23)}000000`,
    z: "+0000",
    Z: "UTC",
    a: day,
    b: month,
    e: String(Number(iso.slice(8, 10))).padStart(2),
    "%": "%",
    n: "\n",
  };
  const format =
    args.find((argument) => argument.startsWith("+"))?.slice(1) ??
    (args.some((flag) => /^-I|^--iso/.test(flag)) ? "%FT%T+00:00" : "%a %b %e %T %Z %Y");
  context.stdout.write(`${format.replace(/%([a-zA-Z%])/g, (whole, letter: string) => values[letter] ?? whole)}\n`);
  return 0;
}

function df(args: readonly string[], context: Context, facts: HostFacts): number {
  const options = readOptions(args, ["x", "t", "B", "exclude-type", "type", "output"]);
  const excluded = options.values("x", "exclude-type");
  const types = options.values("t", "type");
  const disks = options.operands.length === 0 ? facts.disks : options.operands.map((path) => diskOf(path, facts));
  const shown = disks.filter(
    (disk) => !excluded.includes(disk.type) && (types.length === 0 || types.includes(disk.type)),
  );
  const unit = options.has("m") ? 1024 : options.value("B") === "1" ? 1 / 1024 : 1;
  const rows = shown.map((disk) => {
    const [size, used] = options.has("i")
      ? [disk.inodes, disk.inodesUsed]
      : [Math.round(disk.sizeKilobytes / unit), Math.round(disk.usedKilobytes / unit)];
    const type = options.has("T") ? [disk.type] : [];
    return [
      disk.device,
      ...type,
      String(size),
      String(used),
      String(size - used),
      `${percent(used, size)}%`,
      disk.mount,
    ];
  });
  const kind = options.has("T") ? ["Type"] : [];
  const titles = options.has("i")
    ? ["Filesystem", ...kind, "Inodes", "IUsed", "IFree", "IUse%", "Mounted on"]
    : [
        "Filesystem",
        ...kind,
        unit === 1 ? (options.has("P") ? "1024-blocks" : "1K-blocks") : "1M-blocks",
        "Used",
        "Available",
        options.has("P") ? "Capacity" : "Use%",
        "Mounted on",
      ];
  const widths = titles.map((_, column) => Math.max(...[titles, ...rows].map((row) => row[column]?.length ?? 0)));
  for (const row of [titles, ...rows]) {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      if (column === row.length - 1) return cell;
      return column <= kind.length ? cell.padEnd(width) : cell.padStart(width);
    });
    context.stdout.write(`${cells.join(" ")}\n`);
  }
  return 0;
}

/** The disk on which a path lies. */
function diskOf(path: string, facts: HostFacts): HostFacts["disks"][number] {
  const fitting = facts.disks.filter(({ mount }) => mount === "/" || path === mount || path.startsWith(`${mount}/`));
  const best = fitting.toSorted((one, other) => other.mount.length - one.mount.length)[0];
  return (
    best ?? { device: "none", type: "none", sizeKilobytes: 0, usedKilobytes: 0, mount: "/", inodes: 0, inodesUsed: 0 }
  );
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.ceil((part / whole) * 100);
}

function isoText(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace("T", " ");
}
