// A real homelab on one machine: `npm run lab -- up|status|down|logs [--yes] [--json] [--hosts nexus,atlas,vega]`.
//
// Needs root on Debian 12. Each host is systemd as PID 1 on an overlay of this machine's root, with journald, sudo, an
// sshd with OpenSSH's own limits on 127.0.0.11-13:2222, and a Docker of its own that runs a stand-in for
// Scrypted, its watchtower and two bystanders. Prometheus, Alertmanager and a blackbox exporter watch the containers
// and send their alerts to 127.0.0.1:19480, where Medic listens with `.lab/hosts.yaml`.
//
// All files lie in `.lab/` (MEDIC_LAB names another folder). On the machine itself nothing changes but a few Debian
// packages. `down` leaves only keys and images, so that the next `up` is quick and the hosts keep their identities.
//
//   up      makes what is missing, starts what is not up; safe to repeat      --json prints lab.json
//   status  what is up; exit 0 when all of it is, else 1                      --json prints the same as data
//   down    ends everything, and removes Medic's data (.lab/data) with it; safe to repeat, and after a failed `up`
//   logs    sshd's log of each host
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endBridges } from "./bridges.ts";
import { containerNames, startContainers } from "./containers.ts";
import { awaitHost, bootHost, containerProcess, controlGroup, endHost, hostFolder, hostLeader } from "./host.ts";
import { sshdPort } from "./host-files.ts";
import { builder, copyTemplate, dockerTemplate } from "./images.ts";
import { hostIdentity, keyPair, knownHostsLine, places, token, type Place } from "./keys.ts";
import { inHost, labFolder, readLab, type Lab, type LabHost } from "./lab.ts";
import { installPackages, requireMachine, Unfit } from "./machine.ts";
import { medicConfig } from "./medic-config.ts";
import {
  armAlerts,
  endMonitors,
  endpoints,
  monitorProcess,
  monitors,
  probesSucceed,
  startMonitors,
  watchHosts,
} from "./monitoring.ts";
import { livingProcess, rememberProcess } from "./process.ts";

const usage = "usage: npm run lab -- up|status|down|logs [--yes] [--json] [--hosts nexus,atlas,vega]";
const began = Date.now();
const seconds = () => ((Date.now() - began) / 1000).toFixed(1);
// Progress goes to stderr, so that stdout is the answer alone.
const say = (line: string) => process.stderr.write(`${seconds().padStart(5)} s  ${line}\n`);

type Options = { yes: boolean; json: boolean; hosts: readonly Place[] };

// A reader that has seen enough, like `head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof Unfit ? 2 : 1;
}

async function main(): Promise<number> {
  const { verb, options } = commandLine();
  requireMachine();
  const folder = labFolder();
  if (verb === "up") return alone(folder, () => up(folder, options));
  if (verb === "down") return alone(folder, () => down(folder));
  return verb === "status" ? status(folder, options) : logs(options);
}

async function up(folder: string, { yes, json, hosts: wanted }: Options): Promise<number> {
  await installPackages(yes, say);
  const keys = { medic: await keyPair(folder, "medic_ed25519"), operator: await keyPair(folder, "operator_ed25519") };
  const secret = token(folder);
  const isUp = ({ name }: Place) => hostLeader(folder, name) !== undefined;
  // Hosts that an earlier `up` started belong to the lab as well.
  const here = places.filter((place) => wanted.includes(place) || isUp(place));
  const template = here.every(isUp) ? "" : await dockerTemplate(folder, say);
  await Promise.all([startMonitors(folder, here, secret.path), ...here.map(ensureHost)]);
  say("containers run");
  watchHosts(folder, here);
  await probesSucceed(here);
  await armAlerts(folder);
  say("monitors see every Scrypted");

  const hosts = await Promise.all(here.map(describe));
  const identities = await Promise.all(here.map((place) => hostIdentity(folder, place)));
  const knownHosts = join(folder, "known_hosts");
  const lines = here.map((place, index) => knownHostsLine(place, sshdPort, identities[index]!.hostKey));
  writeFileSync(knownHosts, lines.join(""));
  const config = join(folder, "hosts.yaml");
  writeFileSync(config, medicConfig({ folder, hosts, identity: keys.medic.path, token: secret.value }), {
    mode: 0o600,
  });
  const lab: Lab = {
    folder,
    hosts,
    keys: {
      medic: { path: keys.medic.path, fingerprint: keys.medic.fingerprint },
      operator: { path: keys.operator.path, fingerprint: keys.operator.fingerprint },
    },
    knownHosts,
    config,
    tokenFile: secret.path,
    token: secret.value,
    webhookUrl: endpoints.webhook,
    prometheus: `http://${endpoints.prometheus}`,
    alertmanager: `http://${endpoints.alertmanager}`,
    blackbox: `http://${endpoints.blackbox}`,
    pids: Object.fromEntries([
      ...here.map(({ name }) => [name, containerProcess(folder, name)]),
      ...monitors.map((name) => [name, monitorProcess(folder, name)]),
    ]) as Record<string, number>,
  };
  const text = `${JSON.stringify(lab, null, 2)}\n`;
  writeFileSync(join(folder, "lab.json"), text, { mode: 0o600 });
  say(`up: ${here.map(({ name, address }) => `${name} ${address}`).join(", ")}`);
  if (json) process.stdout.write(text);
  return 0;

  async function ensureHost(place: Place): Promise<void> {
    const { name } = place;
    const absent = !isUp(place);
    if (absent) {
      // What a failed or killed `up` left of it.
      await endHost(folder, name);
      const dockerData = join(hostFolder(folder, name), "docker");
      await copyTemplate(template, dockerData);
      const authorized = { medic: keys.medic.publicLine, operator: keys.operator.publicLine };
      const identity = await hostIdentity(folder, place);
      bootHost(folder, { place, identity, authorized, controlGroup: controlGroup(name) }, dockerData);
    }
    const leader = await awaitHost(folder, name);
    if (absent) say(`${name} booted`);
    await startContainers(leader, place);
  }

  async function describe(place: Place): Promise<LabHost> {
    const { hostKey, machineId } = await hostIdentity(folder, place);
    const leader = hostLeader(folder, place.name);
    if (leader === undefined) throw new Error(`Cannot finish up: host "${place.name}" ended meanwhile`);
    return {
      ...place,
      port: sshdPort,
      hostKey: hostKey.fingerprint,
      machineId,
      scrypted: `https://${place.address}:10443`,
      leader,
      sshdLog: ["nsenter", `--target=${leader}`, "--all", "--", "journalctl", "-t", "sshd", "-o", "short-iso-precise"],
    };
  }
}

async function down(folder: string): Promise<number> {
  const failures: unknown[] = [];
  const all = [...places, builder].map(({ name }) => endHost(folder, name));
  for (const ended of await Promise.allSettled([endMonitors(folder), ...all])) {
    if (ended.status === "rejected") failures.push(ended.reason);
  }
  await endBridges().catch((error: unknown) => failures.push(error));
  for (const path of ["lab.json", "hosts.yaml", "known_hosts", "hosts", "data"]) {
    if (failures.length === 0) rmSync(join(folder, path), { recursive: true, force: true });
  }
  if (failures.length > 0) throw new Error(failures.map((failure) => (failure as Error).message).join("\n"));
  say("down: nothing is left but keys and images");
  return 0;
}

type HostStatus = { name: string; up: boolean; system: string; sshd: string; containers: Record<string, string> };

async function status(folder: string, { json, hosts }: Options): Promise<number> {
  const hostRows = await Promise.all(hosts.map((place) => hostStatus(folder, place)));
  const monitorRows = monitors.map((name) => ({ name, pid: monitorProcess(folder, name) ?? null }));
  const allUp = hostRows.every((host) => host.up) && monitorRows.every(({ pid }) => pid !== null);
  if (json) process.stdout.write(`${JSON.stringify({ up: allUp, hosts: hostRows, monitors: monitorRows }, null, 2)}\n`);
  else {
    for (const host of hostRows) {
      const containers = Object.entries(host.containers).map(([name, state]) => `${name} ${state}`);
      const text = host.system === "down" ? "down" : `${host.system}, sshd ${host.sshd}, ${containers.join(", ")}`;
      process.stdout.write(`${host.name.padEnd(13)} ${text}\n`);
    }
    for (const { name, pid } of monitorRows)
      process.stdout.write(`${name.padEnd(13)} ${pid ? `up, pid ${pid}` : "down"}\n`);
  }
  return allUp ? 0 : 1;
}

async function hostStatus(folder: string, { name }: Place): Promise<HostStatus> {
  if (hostLeader(folder, name) === undefined) return { name, up: false, system: "down", sshd: "down", containers: {} };
  const [system, sshd, list] = await Promise.all([
    inHost(name, ["systemctl", "is-system-running"]),
    inHost(name, ["systemctl", "is-active", "ssh.service"]),
    inHost(name, ["docker", "container", "ls", "--all", "--format", "{{.Names}} {{.State}}"]),
  ]);
  const lines = list.stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const containers = Object.fromEntries(
    containerNames.map((container) => [container, lines.find(([each]) => each === container)?.[1] ?? "missing"]),
  );
  const up = sshd.stdout.trim() === "active" && Object.values(containers).every((state) => state === "running");
  return { name, up, system: system.stdout.trim(), sshd: sshd.stdout.trim(), containers };
}

async function logs({ hosts }: Options): Promise<number> {
  const lab = readLab();
  for (const { name } of lab.hosts.filter((host) => hosts.some((wanted) => wanted.name === host.name))) {
    const { stdout } = await inHost(name, ["journalctl", "-q", "-t", "sshd", "-o", "short-iso-precise"]);
    process.stdout.write(stdout);
  }
  return 0;
}

/** Only one `up` or `down` at a time. */
async function alone(folder: string, act: () => Promise<number>): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, "lock");
  for (;;) {
    try {
      writeFileSync(lock, "", { flag: "wx" });
      break;
    } catch {
      const other = existsSync(lock) && readFileSync(lock, "utf8") === "" ? undefined : livingProcess(lock);
      if (other !== undefined)
        throw new Error(`Cannot change the lab now: process ${other} is at it. Wait, and try again`);
      rmSync(lock, { force: true });
    }
  }
  rememberProcess(process.pid, lock);
  try {
    return await act();
  } finally {
    rmSync(lock, { force: true });
  }
}

function commandLine(): { verb: "up" | "status" | "down" | "logs"; options: Options } {
  const flags = { yes: { type: "boolean" }, json: { type: "boolean" }, hosts: { type: "string" } } as const;
  let parsed;
  try {
    parsed = parseArgs({ options: flags, allowPositionals: true });
  } catch (error) {
    throw new Unfit(`${(error as Error).message}\n${usage}`);
  }
  const { values, positionals } = parsed;
  const names = values.hosts?.split(",") ?? places.map(({ name }) => name);
  const hosts = names.map((name) => {
    const known = places.find((place) => place.name === name);
    if (known) return known;
    throw new Unfit(`Cannot find host "${name}": the lab has ${places.map((place) => place.name).join(", ")}`);
  });
  const verb = (["up", "status", "down", "logs"] as const).find((each) => each === positionals[0]);
  if (verb === undefined || positionals.length > 1) throw new Unfit(usage);
  return { verb, options: { yes: values.yes ?? false, json: values.json ?? false, hosts } };
}
