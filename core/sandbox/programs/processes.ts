// `ps` and `pgrep` over the simulated processes: the system's, the units' and the containers'.
import type { HostFacts, Process } from "../facts.ts";
import type { Context, Programs } from "../program.ts";
import { readOptions } from "./options.ts";

/** The programs, on a host where these processes run. */
export function processListPrograms(facts: HostFacts): Programs {
  return {
    ps: (args, context) => ps(args, context, facts),

    pgrep: (args, context) => {
      const options = readOptions(args, ["u"]);
      const pattern = new RegExp(options.operands[0] ?? "");
      const found = facts
        .processes()
        .filter((process) => pattern.test(options.has("f") ? process.command : process.name));
      for (const process of found)
        context.stdout.write(`${process.pid}${options.has("a") ? ` ${process.command}` : ""}\n`);
      return found.length > 0 ? 0 : 1;
    },
  };
}

const PS_TITLES: Readonly<Record<string, string>> = {
  user: "USER",
  pid: "PID",
  ppid: "PPID",
  rss: "RSS",
  pcpu: "%CPU",
  pmem: "%MEM",
  etimes: "ELAPSED",
  etime: "ELAPSED",
  comm: "COMMAND",
  args: "COMMAND",
  cmd: "CMD",
  stat: "STAT",
  vsz: "VSZ",
  uid: "UID",
  nlwp: "NLWP",
};

function ps(args: readonly string[], context: Context, facts: HostFacts): number {
  const options = readOptions(args, ["o", "p", "C", "sort", "format", "u"]);
  const formats = options.values("o", "format");
  const isBsd = /^-?a?ux/.test(args[0] ?? "") && formats.length === 0;
  const columns = (
    formats.length === 0
      ? isBsd
        ? "user,pid,pcpu,pmem,vsz,rss,stat,etimes,args"
        : "pid,etime,comm"
      : formats.join(",")
  ).split(",");
  const pid = options.value("p");
  const name = options.value("C");
  const total = facts.memoryKilobytes.total;
  const shown = facts
    .processes()
    .filter(
      (process) =>
        (pid === undefined || pid.split(",").includes(String(process.pid))) &&
        (name === undefined || process.name === name),
    );
  const sorted = sortProcesses(shown, options.value("sort"));
  const cell = (process: Process, column: string): string => {
    const seconds = String(Math.floor((context.now() - process.startedAt) / 1000));
    const cells: Record<string, string> = {
      user: process.user,
      uid: process.user === "root" ? "0" : "1000",
      pid: String(process.pid),
      ppid: String(process.parent),
      rss: String(Math.round(process.memoryBytes / 1024)),
      vsz: String(Math.round(process.memoryBytes / 512)),
      pcpu: process.cpuPercent.toFixed(1),
      pmem: ((process.memoryBytes / 1024 / total) * 100).toFixed(1),
      etimes: seconds,
      etime: seconds,
      stat: "Ss",
      nlwp: "1",
      comm: process.name,
      args: process.command,
      cmd: process.command,
    };
    return (
      cells[column.split("=")[0]?.replace("%cpu", "pcpu").replace("%mem", "pmem").replace("command", "args") ?? ""] ??
      "-"
    );
  };
  const isBare = options.has("h", "no-headers", "no-heading") || columns.every((column) => column.endsWith("="));
  const names = columns.map((column) => column.replace(/=.*$/, ""));
  const titles = names.map((column) => PS_TITLES[column] ?? column.toUpperCase());
  const rows = sorted.map((process) => columns.map((column) => cell(process, column)));
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of isBare ? rows : [titles, ...rows]) {
    const isText = (column: string) => /^(?:user|comm|args|cmd|command|stat)$/.test(column);
    context.stdout.write(
      `${row.map((text, index) => (index === row.length - 1 ? text : isText(names[index] ?? "") ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0))).join(" ")}\n`,
    );
  }
  return sorted.length > 0 ? 0 : 1;
}

function sortProcesses(processes: readonly Process[], key: string | undefined): readonly Process[] {
  if (key === undefined) return processes;
  const name = key.replace(/^[-+]/, "");
  const sign = key.startsWith("-") ? -1 : 1;
  const value = (process: Process) =>
    /cpu/.test(name) ? process.cpuPercent : /rss|mem|vsz/.test(name) ? process.memoryBytes : process.pid;
  return processes.toSorted((one, other) => sign * (value(one) - value(other)));
}
