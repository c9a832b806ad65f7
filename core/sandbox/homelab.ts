// The demo's homelab: one simulated server whose containers and units really stop and start, behind a shell that runs
// what it is told. `run` is the hand of a person at its console; `execute` is what its sshd calls.
import type { Clock } from "./clock.ts";
import { DockerEngine } from "./docker-engine.ts";
import type { HostFacts, Listener, Process, WebAnswer } from "./facts.ts";
import { Files } from "./files.ts";
import {
  addFiles,
  containers,
  disks,
  HOST_ADDRESS,
  HOST_NAME,
  images,
  systemProcesses,
  units,
} from "./homelab-contents.ts";
import type { Execution } from "./machine.ts";
import { createMachine } from "./machine.ts";
import { dockerProgram } from "./programs/docker.ts";
import { filesystemPrograms } from "./programs/filesystem.ts";
import { journalctlProgram } from "./programs/journalctl.ts";
import { networkPrograms } from "./programs/network.ts";
import { processPrograms } from "./programs/process.ts";
import { processListPrograms } from "./programs/processes.ts";
import { fragmentPath, systemctlProgram, systemdAnalyze, unitFile } from "./programs/systemctl.ts";
import { systemPrograms } from "./programs/system.ts";
import { textPrograms } from "./programs/text.ts";
import { Systemd } from "./systemd.ts";

export type Homelab = {
  name: string;
  files: Files;
  docker: DockerEngine;
  systemd: Systemd;
  /** Runs a command line as root at the console. */
  run(commandLine: string): Promise<{ exit: number; stdout: string; stderr: string }>;
  /** Runs one as a login would; rejects when it is killed. */
  execute(commandLine: string, how: Execution): Promise<number>;
};

const DAY = 86_400_000;

/** `ending` fires when the sandbox closes. */
export function createHomelab(clock: Clock, ending: AbortSignal): Homelab {
  const now = () => clock.now();
  const bootedAt = now() - 17 * DAY;
  const files = new Files(now);
  addFiles(files, bootedAt, now);
  const docker = new DockerEngine(clock, ending);
  docker.images.push(...images);
  for (const [index, container] of containers.entries()) docker.add(container, bootedAt + 60_000 + 1300 * index);
  const systemd = new Systemd(clock, ending);
  systemd.say("kernel", 0, undefined, "Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org)", bootedAt);
  for (const [index, unit] of units.entries()) systemd.add(unit, bootedAt + 4000 + 90 * index);
  for (const unit of systemd.units.values())
    files.add(fragmentPath(unit), unitFile(unit), { changedAt: bootedAt - DAY });
  const facts: HostFacts = {
    name: HOST_NAME,
    address: HOST_ADDRESS,
    bootedAt,
    cores: 4,
    memoryKilobytes: { total: 8_039_740, used: 2_119_628, cached: 3_526_848, swapTotal: 999_420, swapUsed: 0 },
    disks,
    load: () => [0.21, 0.18, 0.12],
    processes: () => [...systemProcesses(bootedAt), ...unitProcesses(systemd), ...containerProcesses(docker)],
    listeners: () => listeners(docker, systemd),
    request: (port, isSecure, path) => answer(docker, systemd, port, isSecure, path),
  };
  const machine = createMachine({
    files,
    now,
    sleep: async (milliseconds, signal) => await clock.sleep(milliseconds, signal),
    programs: {
      ...textPrograms,
      ...filesystemPrograms,
      ...processPrograms,
      ...systemPrograms(facts),
      ...processListPrograms(facts),
      ...networkPrograms(facts),
      docker: dockerProgram(docker),
      systemctl: systemctlProgram(systemd, bootedAt),
      "systemd-analyze": systemdAnalyze,
      journalctl: journalctlProgram(systemd),
    },
  });
  return {
    name: HOST_NAME,
    files,
    docker,
    systemd,
    execute: machine.execute,
    async run(commandLine) {
      const said = { stdout: "", stderr: "" };
      const exit = await machine.execute(commandLine, {
        user: "root",
        stdout: { write: (text) => void (said.stdout += text) },
        stderr: { write: (text) => void (said.stderr += text) },
        signal: ending,
      });
      return { exit, ...said };
    },
  };
}

function unitProcesses(systemd: Systemd): Process[] {
  return [...systemd.units.values()]
    .filter((unit) => unit.mainPid > 0)
    .map((unit) => ({
      user: "root",
      pid: unit.mainPid,
      parent: 1,
      memoryBytes: unit.memoryBytes,
      cpuPercent: 0.1,
      startedAt: unit.activeSince,
      name: /[^/ ]+(?= |$)/.exec(unit.program)?.[0].slice(0, 15) ?? "",
      command: unit.program,
    }));
}

function containerProcesses(docker: DockerEngine): Process[] {
  return docker.containers.flatMap(({ state, processes }) =>
    state.status !== "running"
      ? []
      : processes.map(({ command, memoryBytes, cpuPercent }, index) => ({
          user: "root",
          pid: state.pid + index,
          parent: index === 0 ? state.pid - 1 : state.pid,
          memoryBytes,
          cpuPercent,
          startedAt: state.startedAt,
          name: /[^/ ]+(?= |$)/.exec(command)?.[0].slice(0, 15) ?? "",
          command,
        })),
  );
}

function listeners(docker: DockerEngine, systemd: Systemd): Listener[] {
  const unitListens: readonly (readonly [string, string, number])[] = [
    ["ssh.service", "sshd", 22],
    ["caddy.service", "caddy", 80],
    ["caddy.service", "caddy", 443],
  ];
  const ofUnits = unitListens.flatMap(([name, process, port]) => {
    const unit = systemd.find(name);
    if (unit?.active !== "active") return [];
    return [{ protocol: "tcp" as const, address: "0.0.0.0", port, process, pid: unit.mainPid }];
  });
  const ofContainers = docker.listening().map(({ port, protocol, container }) => ({
    protocol,
    address: "0.0.0.0",
    port,
    process: "node",
    pid: container.state.pid,
  }));
  const published = docker.containers.flatMap(({ state, published: ports }) =>
    state.status !== "running"
      ? []
      : ports.map(({ host }) => ({
          protocol: "tcp" as const,
          address: "0.0.0.0",
          port: host,
          process: "docker-proxy",
          pid: state.pid + 9,
        })),
  );
  const avahi: Listener = { protocol: "udp", address: "0.0.0.0", port: 5353, process: "avahi-daemon", pid: 402 };
  return [...ofUnits, ...published, ...ofContainers, avahi];
}

function answer(
  docker: DockerEngine,
  systemd: Systemd,
  port: number,
  isSecure: boolean,
  path: string,
): WebAnswer | undefined {
  if (port === 80 || port === 443) {
    return systemd.find("caddy.service")?.active === "active"
      ? { status: 200, type: "text/html", body: "<html>nexus</html>\n" }
      : undefined;
  }
  const listens = docker.listening().some((one) => one.port === port && one.protocol === "tcp");
  if (!listens || (port !== 10443 && port !== 11080) || isSecure !== (port === 10443)) return undefined;
  if (path !== "/login")
    return { status: 302, type: "text/plain", body: "Found. Redirecting to ./endpoint/@scrypted/core/public/\n" };
  const body = { redirect: "/endpoint/@scrypted/core/public/", hasLogin: true, hostname: HOST_NAME };
  return { status: 200, type: "application/json; charset=utf-8", body: `${JSON.stringify(body)}\n` };
}
