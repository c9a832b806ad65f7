// What Scrypted runs and holds: its processes, its ports, mDNS, its logs. Knows no policy.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import { blind, brief, isMissing, lines, listenersOf, processesOf, since, tooLong } from "medic/plugins/docker";
import type { Listener } from "medic/plugins/docker";
import * as v from "valibot";
import { hostOf, securePort } from "./options.ts";
import type { ScryptedOptions } from "./options.ts";
import { pluginIdOf } from "./status.ts";

type Used = { pid: number; memoryBytes: number; cpuPercent: number; ageSeconds: number };
export type PluginProcesses = {
  running: boolean;
  server: Used | null;
  plugins: (Used & { id: string })[];
  memoryBytes: number;
};

export const scryptedPluginProcesses = diagnostic({
  name: "scrypted_plugin_processes",
  description: "Scrypted's server and its plugins as processes: memory, CPU, age of each. A young plugin has crashed.",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) =>
    script(
      `root docker top "$1" -o pid,ppid,rss,pcpu,etimes,args && exit
echo --medic:host
ps -eo pid,ppid,rss,pcpu,etimes,args`,
      options.container,
    ),
  parse(result): PluginProcesses | Unavailable {
    if (result.exit !== 0) return blind(result) ?? unavailable(result);
    const lost = tooLong(result);
    if (lost !== undefined) return lost;
    const host = sections(result.stdout)["host"];
    const shown = processesOf(host ?? result.stdout);
    // On the host there are others, and a "child" of somebody else is no plugin.
    const all = host === undefined ? shown : shown.filter(({ command }) => /scrypted/.test(command));
    if (shown.length === 0) return unavailable("the host shows no processes");
    const plugins = all.flatMap(({ command, parent, ...used }) => {
      const id = pluginIdOf(command);
      return id === undefined ? [] : [{ id, parent, ...used }];
    });
    // In its container the first process is the server; on the host only the parent of a plugin is known to be it.
    const serverPid = plugins[0]?.parent ?? (host === undefined ? all[0]?.pid : undefined);
    const server = all.find(({ pid }) => pid === serverPid);
    const own = [...(server === undefined ? [] : [server]), ...plugins];
    return {
      running: own.length > 0,
      server: server === undefined ? null : usedBy(server),
      plugins: plugins
        .map((plugin) => ({ id: plugin.id, ...usedBy(plugin) }))
        .toSorted((one, other) => other.memoryBytes - one.memoryBytes),
      memoryBytes: own.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    };
  },
});

function usedBy({ pid, memoryBytes, cpuPercent, ageSeconds }: Used): Used {
  return { pid, memoryBytes, cpuPercent, ageSeconds };
}

export type Ports = { ports: { port: number; role: string; listeners: Listener[] }[] };

export const scryptedPorts = diagnostic({
  name: "scrypted_ports",
  description: "Who listens on Scrypted's ports (https, http, debug) at its address; process names need privilege.",
  input: v.strictObject({}),
  command: () => ["root", "ss", "-H", "-ltunp"],
  parse(result, _input, options: ScryptedOptions): Ports | Unavailable {
    const lost = result.exit === 0 ? tooLong(result) : unavailable(result);
    if (lost !== undefined) return lost;
    const host = hostOf(options);
    const listeners = listenersOf(result.stdout).filter(
      (listener) => listener.protocol === "tcp" && serves(listener.address, host),
    );
    const roles = [
      { port: securePort(options), role: "https" },
      { port: 11080, role: "http" },
      { port: 10081, role: "debug" },
    ];
    return {
      ports: roles.map((role) => ({ ...role, listeners: listeners.filter(({ port }) => port === role.port) })),
    };
  },
});

/** Whether a listener at this address gets what is sent to the host of the url. */
function serves(address: string, host: string): boolean {
  const bare = address.replaceAll(/[[\]]/g, "").replace(/%.*$/, "");
  if (["*", "0.0.0.0", "::", "::ffff:0.0.0.0"].includes(bare)) return true;
  if (host === "localhost") return bare === "::1" || bare.startsWith("127.") || bare.startsWith("::ffff:127.");
  const isAddress = /^[\d.]+$/.test(host) || host.includes(":");
  // A name may stand for any of the host's addresses.
  return isAddress ? bare === host || bare === `::ffff:${host}` : true;
}

export const scryptedMdns = diagnostic({
  name: "scrypted_mdns",
  description: "Who holds mDNS (5353/udp): HomeKit and camera discovery fail when the host's avahi has it alone.",
  input: v.strictObject({}),
  command: () => ["root", "ss", "-H", "-ltunp"],
  parse(result): { listeners: Listener[]; avahi: boolean; scrypted: boolean } | Unavailable {
    const lost = result.exit === 0 ? tooLong(result) : unavailable(result);
    if (lost !== undefined) return lost;
    const listeners = listenersOf(result.stdout).filter(({ protocol, port }) => protocol === "udp" && port === 5353);
    return {
      listeners,
      avahi: listeners.some(({ process }) => process?.startsWith("avahi") === true),
      scrypted: listeners.some(({ process }) => /^(?:node|MainThread|scrypted)/.test(process ?? "")),
    };
  },
});

export type Logs = { source: "docker" | "journal"; lines: string[]; note: string | null };

export const scryptedLogs = diagnostic({
  name: "scrypted_logs",
  description:
    "Scrypted's newest log lines, from docker or the journal. Its default logging driver is none: then unavailable, with what to look at instead.",
  input: v.strictObject({ since: v.optional(since, "2h"), lines: v.optional(lines, 100) }),
  command: (input, options: ScryptedOptions) =>
    script(
      `if root docker container inspect --format '{{.Name}} {{.HostConfig.LogConfig.Type}}' -- "$1" 2>&1; then
  echo --medic:docker
  root docker logs --timestamps --since "$4" --tail "$3" -- "$1" 2>&1
  code=$?
else
  echo --medic:output
  systemctl show --property=StandardOutput --value -- "$2"
  echo --medic:journal
  journalctl --unit "$2" --since "$5" --lines "$3" --reverse --no-pager --quiet --output short-iso 2>&1
  code=$?
fi
echo --medic:exit
echo "$code"
exit 0`,
      options.container,
      options.unit,
      String(input.lines),
      input.since,
      journalTime(input.since),
    ),
  parse(result, input, options: ScryptedOptions): Logs | Unavailable {
    const parts = sections(result.stdout);
    const said = parts["docker"] ?? parts["journal"];
    if (said === undefined) return blind(result) ?? unavailable(result);
    const all = said.split("\n").filter((line) => line !== "" && !line.startsWith("-- "));
    const kept = all.map((line) => line.slice(0, 1000));
    if (parts["docker"] !== undefined) {
      if (/does not support reading/.test(said)) {
        const driver = (parts[""] ?? "").trim().split(" ").at(-1) ?? "unknown";
        return unavailable(
          `the logging driver of "${options.container}" is "${driver}" (Scrypted's default), nothing can be read: ` +
            "scrypted_plugin_processes, scrypted_ports, scrypted_database and docker_events still tell",
        );
      }
      if (parts["exit"] !== "0") return unavailable(brief(said));
      return { source: "docker", lines: kept.slice(-input.lines), note: null };
    }
    const inspected = parts[""] ?? "";
    if (!isMissing(inspected) && !/not found/.test(`${inspected}${result.stderr}`))
      return unavailable(brief(inspected));
    if (parts["exit"] !== "0") return unavailable(brief(said) || "the journal cannot be read");
    const silent = parts["output"]?.trim() === "null";
    if (kept.length === 0)
      return unavailable(silent ? nullOutput : "the journal shows nothing of it, or not to this login");
    return { source: "journal", lines: kept.toReversed(), note: silent ? nullOutput : null };
  },
});

const nullOutput = "the unit's output goes nowhere (StandardOutput=null): only systemd's own lines exist";

/** docker's "15m" and ISO times, as journalctl takes them. */
function journalTime(time: string): string {
  return time.includes("T") ? `${time.slice(0, 10)} ${time.slice(11, 19)} UTC` : `-${time}`;
}
