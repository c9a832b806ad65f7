// How this host runs Scrypted and whether it runs, in one round trip: docker or compose, the Proxmox container (docker
// behind a unit), the Home Assistant add-on, or systemd alone. Every fix and runbook of this plugin stands on it.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Result, Unavailable } from "medic/plugin";
import { blind, brief, isMissing, processesOf, runOf, statusFormat, statusOf } from "medic/plugins/docker";
import type { Container } from "medic/plugins/docker";
import * as v from "valibot";
import type { ScryptedOptions } from "./options.ts";

export type Install = "docker" | "compose" | "lxc" | "addon" | "systemd" | "none";
export type Unit = {
  name: string;
  active: string;
  sub: string;
  result: string;
  /** It starts docker-compose.sh, as the Proxmox container does: pull, recreate, maybe upgrade the system. */
  startsCompose: boolean;
};
export type ScryptedStatus = {
  install: Install;
  running: boolean;
  /** Names this run: the container and its StartedAt, or the unit's InvocationID; null while it does not run. */
  run: string | null;
  ageSeconds: number | null;
  container: Container | null;
  unit: Unit | null;
  /** Ids of the plugins that run; null when the host does not show processes. */
  plugins: string[] | null;
};

// Older systemd knows no --timestamp: then the unit's age stays unknown.
const text = `properties=LoadState,ActiveState,SubState,Result,InvocationID,ActiveEnterTimestamp,ExecStart
date +%s
echo --medic:container
root docker container inspect --format '${statusFormat}' -- "$1" 2>&1
echo --medic:processes
root docker top "$1" -o pid,ppid,rss,pcpu,etimes,args 2>/dev/null
echo --medic:addon
addon=$(root docker container ls --all --filter name=addon_ --format '{{.Names}}' 2>/dev/null | grep -E '^addon_[a-z0-9]+_scrypted$' | head -n 1)
if [ -n "$addon" ]; then
  echo "$addon"
  root docker container inspect --format '${statusFormat}' -- "$addon" 2>&1
fi
echo --medic:unit
systemctl show --timestamp=unix --property=$properties -- "$2" 2>/dev/null || systemctl show --property=$properties -- "$2" 2>&1
exit 0`;

export const scryptedStatus = diagnostic({
  name: "scrypted_status",
  description:
    "How this host runs Scrypted (docker, compose, Proxmox LXC, add-on, systemd), whether it runs and since when, and its plugins.",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) => script(text, options.container, options.unit),
  parse(result, _input, options: ScryptedOptions): ScryptedStatus | Unavailable {
    const parts = partsOf(result, options);
    if ("unavailable" in parts) return parts;
    const { container, unit, install } = parts;
    if (install === "systemd") return ofUnit(parts);
    return {
      install,
      running: container?.running ?? false,
      run: container === null ? null : (runOf(container) ?? null),
      ageSeconds: container?.ageSeconds ?? null,
      container,
      unit,
      plugins: container?.running === true ? parts.plugins : [],
    };
  },
});

export const scryptedDetect = diagnostic({
  name: "scrypted_detect",
  description: "Which installation of Scrypted this host has, and every sign of one; two of them fight for one port.",
  input: v.strictObject({}),
  command: (_input, options: ScryptedOptions) => script(text, options.container, options.unit),
  parse(result, _input, options: ScryptedOptions): { install: Install; signs: string[] } | Unavailable {
    const parts = partsOf(result, options);
    if ("unavailable" in parts) return parts;
    const signs: string[] = [];
    if (parts.named !== null)
      signs.push(`container "${parts.named.name}" (${parts.named.state}, ${parts.named.image})`);
    if (parts.named?.composeProject !== undefined) signs.push(`compose project "${parts.named.composeProject}"`);
    if (parts.addon !== null) signs.push(`add-on container "${parts.addon.name}" (${parts.addon.state})`);
    if (parts.unit !== null) {
      const starts = parts.unit.startsCompose ? ", starts docker-compose.sh" : "";
      signs.push(`unit "${parts.unit.name}" (${parts.unit.active}${starts})`);
    }
    return { install: parts.install, signs };
  },
});

type Parts = {
  install: Install;
  named: Container | null;
  addon: Container | null;
  /** The one that Scrypted runs in. */
  container: Container | null;
  unit: Unit | null;
  invocation: string;
  unitSeconds: number | null;
  plugins: string[] | null;
};

function partsOf(result: Result, options: ScryptedOptions): Parts | Unavailable {
  const found = sections(result.stdout);
  const now = Number(found[""]?.trim());
  if (!Number.isInteger(now) || now === 0 || found["unit"] === undefined) {
    return blind(result) ?? unavailable(`the host's answer is not understood: ${brief(result.stdout, 120)}`);
  }
  const said = found["container"] ?? "";
  const unit = unitOf(found["unit"], options.unit);
  const named = statusOf(said, options.container, now);
  const noDocker = /not found/.test(`${said}\n${result.stderr}`);
  // Docker that cannot be asked is not docker without Scrypted; where systemd alone runs it, docker does not matter.
  if (named === undefined && !isMissing(said) && !noDocker && (unit === null || unit.startsCompose)) {
    return unavailable(brief(said === "" ? result.stderr : said) || "docker said nothing about the container");
  }
  const [addonName = ""] = (found["addon"] ?? "").split("\n");
  const addon = addonName === "" ? undefined : statusOf(found["addon"] ?? "", addonName, now);
  const own = named?.exists === true ? named : null;
  const addOn = addon?.exists === true ? addon : null;
  const properties = propertiesOf(found["unit"]);
  const started = Number(/^@(\d+)$/.exec(properties.get("ActiveEnterTimestamp") ?? "")?.[1]);
  const processes = processesOf(found["processes"] ?? "");
  return {
    install: installOf(own, addOn, unit),
    named: own,
    addon: addOn,
    container: own ?? addOn,
    unit,
    invocation: properties.get("InvocationID") ?? "",
    unitSeconds: Number.isFinite(started) && started > 0 ? Math.max(0, now - started) : null,
    plugins: processes.length === 0 ? null : pluginIds(processes.map((process) => process.command)),
  };
}

function installOf(named: Container | null, addon: Container | null, unit: Unit | null): Install {
  if (named !== null) {
    if (unit?.startsCompose === true) return "lxc";
    return named.composeProject === undefined ? "docker" : "compose";
  }
  if (addon !== null) return "addon";
  if (unit === null) return "none";
  return unit.startsCompose ? "lxc" : "systemd";
}

function ofUnit({ unit, invocation, unitSeconds }: Parts): ScryptedStatus {
  const running = unit?.active === "active";
  return {
    install: "systemd",
    running,
    run: running && invocation !== "" ? invocation : null,
    ageSeconds: running ? unitSeconds : null,
    container: null,
    unit,
    plugins: null,
  };
}

function unitOf(shown: string, name: string): Unit | null {
  const properties = propertiesOf(shown);
  if (properties.get("LoadState") !== "loaded") return null;
  return {
    name,
    active: properties.get("ActiveState") ?? "unknown",
    sub: properties.get("SubState") ?? "unknown",
    result: properties.get("Result") ?? "unknown",
    startsCompose: (properties.get("ExecStart") ?? "").includes("docker-compose.sh"),
  };
}

function propertiesOf(shown: string): ReadonlyMap<string, string> {
  const rows = shown.split("\n").map((line) => /^([A-Za-z]+)=(.*)$/.exec(line));
  return new Map(rows.flatMap((row) => (row === null ? [] : [[row[1] ?? "", row[2] ?? ""] as const])));
}

/** Ids of Scrypted's plugins among commands: `node … child @scrypted/core`. */
export function pluginIds(commands: readonly string[]): string[] {
  const ids = commands.flatMap((command) => pluginIdOf(command) ?? []);
  return [...new Set(ids)].toSorted();
}

export function pluginIdOf(command: string): string | undefined {
  return /\schild (@?[\w.-]+(?:\/[\w.-]+)?)/.exec(command)?.[1];
}
