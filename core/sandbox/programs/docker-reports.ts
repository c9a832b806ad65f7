// The parts of `docker` that only report: processes, usage, disk, networks, images, the daemon itself.
import type { Container, DockerEngine } from "../docker-engine.ts";
import type { Context } from "../program.ts";
import { fail } from "../program.ts";
import { idOf } from "./docker-shapes.ts";
import { fillTemplate } from "./go-template.ts";
import type { Options } from "./options.ts";

type Report = (
  options: Options,
  context: Context,
  engine: DockerEngine,
  args: readonly string[],
) => number | Promise<number>;

/** One sample of `docker stats` takes docker about so long. */
const SAMPLE_MILLISECONDS = 900;

export const dockerReports: Readonly<Record<string, Report>> = {
  top,
  stats,

  "system df": (options, context, engine) => {
    const running = engine.containers.filter(({ state }) => state.status === "running").length;
    const imageBytes = engine.images.reduce((sum, image) => sum + image.sizeBytes, 0);
    const rows = [
      usage("Images", engine.images.length, engine.images.length, imageBytes, "0B (0%)"),
      usage("Containers", engine.containers.length, running, 21_400, "0B (0%)"),
      usage("Local Volumes", 1, 1, 48_300_000, "0B (0%)"),
      usage("Build Cache", 0, 0, 0, "0B"),
    ];
    return printRows(rows, options, context);
  },

  "image ls": (options, context, engine) =>
    printRows(
      engine.images.map((image) => ({
        Repository: image.reference.replace(/:[^:/]*$/, ""),
        Tag: /:([^:/]*)$/.exec(image.reference)?.[1] ?? "latest",
        ID: image.id.slice(0, 12),
        Digest: `sha256:${image.digest}`,
        CreatedAt: image.createdAt,
        Size: human(image.sizeBytes),
      })),
      options,
      context,
    ),

  "network ls": (options, context) =>
    printRows(
      ["bridge", "host", "none"].map((name) => ({
        ID: idOf(name).slice(0, 12),
        Name: name,
        Driver: name === "none" ? "null" : name,
        Scope: "local",
      })),
      options,
      context,
    ),

  "volume ls": (options, context) => printRows([], options, context),

  info: (options, context, engine) => {
    const count = (status: string) => engine.containers.filter(({ state }) => state.status === status).length;
    const facts = {
      Containers: engine.containers.length,
      ContainersRunning: count("running"),
      ContainersPaused: count("paused"),
      ContainersStopped: count("exited"),
      Images: engine.images.length,
      Driver: "overlay2",
      LoggingDriver: "json-file",
      CgroupDriver: "systemd",
      CgroupVersion: "2",
      DockerRootDir: "/var/lib/docker",
      Name: "nexus",
      ServerVersion: "20.10.24+dfsg1",
      OperatingSystem: "Debian GNU/Linux 12 (bookworm)",
      OSType: "linux",
      Architecture: "x86_64",
      NCPU: 4,
      MemTotal: 8_232_693_760,
    };
    const format = options.value("f", "format");
    const lines = Object.entries(facts).map(([key, value]) => ` ${key}: ${value}`);
    context.stdout.write(`${format === undefined ? lines.join("\n") : fillTemplate(format, facts)}\n`);
    return 0;
  },

  version: (options, context) => {
    const facts = { Client: { Version: "20.10.24+dfsg1" }, Server: { Version: "20.10.24+dfsg1", ApiVersion: "1.41" } };
    const format = options.value("f", "format");
    context.stdout.write(
      `${format === undefined ? "Client:\n Version: 20.10.24+dfsg1" : fillTemplate(format, facts)}\n`,
    );
    return 0;
  },
};

/** What follows the name goes to `ps`. */
function top(_options: Options, context: Context, engine: DockerEngine, args: readonly string[]): number {
  const [name = "", ...psArgs] = args.filter((argument) => argument !== "--");
  const container = engine.find(name);
  if (container === undefined) return fail(context, `Error response from daemon: No such container: ${name}`);
  if (container.state.status !== "running") {
    return fail(context, `Error response from daemon: Container ${container.id} is not running`);
  }
  const at = psArgs.findIndex((argument) => /^-?e?o$/.test(argument));
  const columns = (at === -1 ? "user,pid,ppid,c,stime,tty,time,args" : (psArgs[at + 1] ?? "pid,args")).split(",");
  const titles = columns.map((column) => TITLES[column] ?? column.toUpperCase());
  const rows = processesOf(container, context.now()).map((process) => columns.map((column) => process[column] ?? "-"));
  for (const row of [titles, ...rows]) {
    context.stdout.write(`${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(20))).join("")}\n`);
  }
  return 0;
}

const TITLES: Readonly<Record<string, string>> = {
  args: "COMMAND",
  pcpu: "%CPU",
  pmem: "%MEM",
  etimes: "ELAPSED",
  command: "COMMAND",
  comm: "COMMAND",
  user: "UID",
};

/** What `ps` knows of the processes of one container, by column. */
export function processesOf(container: Container, now: number): Record<string, string>[] {
  if (container.state.status !== "running") return [];
  const elapsed = String(Math.floor((now - container.state.startedAt) / 1000));
  return container.processes.map(({ command, memoryBytes, cpuPercent }, index) => ({
    user: "root",
    pid: String(container.state.pid + index),
    ppid: String(index === 0 ? container.state.pid - 1 : container.state.pid),
    rss: String(Math.round(memoryBytes / 1024)),
    pcpu: cpuPercent.toFixed(1),
    "%cpu": cpuPercent.toFixed(1),
    pmem: ((memoryBytes / 8_232_693_760) * 100).toFixed(1),
    etimes: elapsed,
    etime: elapsed,
    c: "0",
    tty: "?",
    time: "00:00:04",
    stat: "Sl",
    comm: command.split(/[\s/]+/).at(0) ?? "",
    args: command,
    command,
  }));
}

async function stats(options: Options, context: Context, engine: DockerEngine): Promise<number> {
  const missing = options.operands.find((name) => engine.find(name) === undefined);
  if (missing !== undefined) return fail(context, `Error response from daemon: No such container: ${missing}`);
  await context.sleep(SAMPLE_MILLISECONDS, context.signal);
  const wanted = options.operands.map((name) => engine.find(name)?.id);
  const shown = engine.containers.filter(({ id, state }) =>
    wanted.length === 0 ? state.status === "running" : wanted.includes(id),
  );
  const rows = shown.map((container) => {
    const isRunning = container.state.status === "running";
    const processes = isRunning ? container.processes : [];
    const memory = processes.reduce((sum, process) => sum + process.memoryBytes, 0);
    return {
      ID: container.id.slice(0, options.has("no-trunc") ? undefined : 12),
      Name: container.name,
      Container: container.name,
      CPUPerc: `${processes.reduce((sum, process) => sum + process.cpuPercent, 0).toFixed(2)}%`,
      MemUsage: isRunning ? `${binary(memory)} / 7.667GiB` : "0B / 0B",
      MemPerc: `${((memory / 8_232_693_760) * 100).toFixed(2)}%`,
      NetIO: "0B / 0B",
      BlockIO: isRunning ? "12.3MB / 4.1MB" : "0B / 0B",
      PIDs: String(processes.length * 11),
    };
  });
  return printRows(rows, options, context);
}

function printRows(rows: readonly Record<string, string>[], options: Options, context: Context): number {
  const format = options.value("format");
  if (options.has("q", "quiet")) for (const row of rows) context.stdout.write(`${row["ID"] ?? ""}\n`);
  else if (format !== undefined)
    for (const row of rows) context.stdout.write(`${fillTemplate(format.replace(/^table /, ""), row)}\n`);
  else for (const row of rows) context.stdout.write(`${Object.values(row).join("   ")}\n`);
  return 0;
}

function usage(kind: string, total: number, active: number, bytes: number, free: string): Record<string, string> {
  return { Type: kind, TotalCount: String(total), Active: String(active), Size: human(bytes), Reclaimable: free };
}

/** Decimal, as docker prints sizes: 1.2GB. */
function human(bytes: number): string {
  if (bytes === 0) return "0B";
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), 4);
  return `${Number((bytes / 1000 ** power).toPrecision(4))}${["B", "kB", "MB", "GB", "TB"][power] ?? "B"}`;
}

/** Binary, as docker prints memory: 212.4MiB. */
function binary(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), 4);
  return `${Number((bytes / 1024 ** power).toPrecision(4))}${["B", "KiB", "MiB", "GiB", "TiB"][power] ?? "B"}`;
}
