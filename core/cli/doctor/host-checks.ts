// What doctor checks on one host, in the order in which one thing needs the other: key, address, host key, login, then
// what Medic's tools need there. Every probe is bounded, so a wedged host costs time and nothing else. Changes nothing;
// what would mend something is told, not done.
import type { HostConfig } from "../../config/schema.ts";
import { script, type Command, type Result } from "../../plugin/contract.ts";
import type { Check } from "./check.ts";
import type { KeyFile } from "../../transport/identity.ts";
import { keyMends, refusalChecks } from "./login-checks.ts";
import { missingIn, pathOf, programOf, workerOf } from "./sudoers.ts";

/** The part of the transport that doctor needs. */
export type Runs = {
  run(
    host: string,
    command: Command,
    how: { kind: "diagnostic"; tool: string; commandSeconds: number; deadlineSeconds: number; signal: AbortSignal },
  ): Promise<Result>;
};

export type Ways = {
  transport: Runs;
  /** Commands the host's plugins run as root, as sudoers lists them. */
  sudoersCommands: readonly string[];
  /** The program without which a plugin can do nothing → the plugin. */
  vital: ReadonlyMap<string, string>;
  inspectKey(path: string, passphrase: string | undefined): Promise<KeyFile>;
  now(): number;
  /** How long one probe may take in all; the host's dialTimeout and 15 s when absent. */
  probeSeconds?: number;
  stop: AbortSignal;
};

type Add = (check: string, ok: Check["ok"], says: string, mend?: string) => void;

const commandSeconds = 10;
const skewSecondsMax = 5;

/** Looks at one host. Never rejects, and ends after a few probes' time at most. */
export async function diagnose(host: HostConfig, ways: Ways): Promise<Check[]> {
  const checks: Check[] = [];
  const add: Add = (check, ok, says, mend) =>
    void checks.push({ host: host.name, check, ok, says, ...(mend === undefined ? {} : { mend }) });

  if (host.transport === "ssh" && !(await checkKey(host, ways, add))) {
    add("login", "unknown", "not tried without a key");
    return checks;
  }
  const hello = await probe(host, ["true"], ways);
  if (!("exit" in hello)) {
    checks.push(...refusalChecks(host, hello.error));
    return checks;
  }
  if (host.transport === "ssh") {
    add("address", true, `${host.address}:${host.port} answers`);
    add("host key", true, host.hostKey === undefined ? `known in ${host.knownHosts}` : "the one in hosts.yaml");
    add("login", true, `as ${host.user}`);
  }
  if (hello.exit === 127 && /timeout/.test(hello.stderr)) {
    const mend = "on the host: apt-get install coreutils (or what brings timeout there)";
    add("timeout", false, "there is no timeout program, and without it no tool that only looks may run", mend);
    return checks;
  }
  await checkFacts(host, ways, add);
  return checks;
}

async function checkKey(host: HostConfig, ways: Ways, add: Add): Promise<boolean> {
  if (host.identity === undefined) return true;
  const key = await ways.inspectKey(host.identity, host.passphrase);
  const { ok, says, mend } = keyMends(key, host);
  add("key", ok, says, mend);
  // A key that others can read still logs in; an agent may do without the key.
  return ok || key.is === "exposed" || host.agent === true;
}

/** `programs`: each with its path. */
type Facts = { now: number; uid: number; groups: readonly string[]; programs: ReadonlyMap<string, string> };

const factsScript = `echo "now $(date +%s)"
echo "uid $(id -u)"
echo "groups $(id -Gn)"
for program in "$@"; do
  if command -v "$program" >/dev/null 2>&1; then echo "program $program $(command -v "$program")"; fi
done`;

async function checkFacts(host: HostConfig, ways: Ways, add: Add): Promise<void> {
  const needed = [...new Set(ways.sudoersCommands.map(workerOf))];
  const began = ways.now() / 1000;
  const answer = await probe(host, script(factsScript, ...new Set([...needed, "journalctl", "sudo", "pkcheck"])), ways);
  const ended = ways.now() / 1000;
  const facts = "exit" in answer ? readFacts(answer.stdout) : undefined;
  if (facts === undefined) {
    add("host", "unknown", "exit" in answer ? `cannot be asked: ${lastLine(answer)}` : answer.error.message);
    return;
  }
  checkClock(facts.now, began, ended, add);
  for (const program of needed.filter((program) => !facts.programs.has(program))) {
    const plugin = ways.vital.get(program);
    if (plugin === undefined) add(program, true, `is not there: tools that ask it will say "unavailable"`);
    else add(program, false, `is not there, and plugin ${plugin} needs it`, absentMend(host, program, plugin));
  }
  const uses = (program: string): boolean => needed.includes(program) && facts.programs.has(program);
  if (facts.uid === 0) return add("rights", true, "root");
  if (host.privilege === "sudo") await checkSudo(host, facts, ways, add);
  else {
    if (uses("docker")) await checkDocker(host, facts, ways, add);
    if (uses("systemctl")) await checkPolkit(host, facts, ways, add);
  }
  if (facts.programs.has("journalctl")) checkJournal(host, facts, add);
}

function absentMend({ name }: HostConfig, program: string, plugin: string): string {
  return `on the host: install ${program}; or take ${plugin} out of hosts.${name}.plugins`;
}

function readFacts(stdout: string): Facts | undefined {
  const values = (name: string): string[] =>
    stdout.split("\n").flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1).trim()] : []));
  const now = Number(values("now")[0] || Number.NaN);
  const uid = Number(values("uid")[0] || Number.NaN);
  if (!Number.isFinite(now) || !Number.isFinite(uid)) return undefined;
  const programs = values("program").map((line): [string, string] => {
    const [name = "", path = ""] = line.split(" ");
    return [name, path];
  });
  return { now, uid, groups: (values("groups")[0] ?? "").split(" "), programs: new Map(programs) };
}

function checkClock(there: number, began: number, ended: number, add: Add): void {
  // `date` answers in whole seconds, some time between the two: only what neither explains is a difference.
  const ahead = there - ended;
  const behind = began - (there + 1);
  const skew = Math.max(ahead, behind, 0);
  if (skew <= skewSecondsMax) return add("clock", true, "agrees with this machine's");
  const says = `is ${Math.round(skew)} s ${ahead > behind ? "ahead of" : "behind"} this machine's`;
  add("clock", false, says, "on the host: sudo timedatectl set-ntp true (and look at this machine's clock too)");
}

async function checkDocker(host: HostConfig, facts: Facts, ways: Ways, add: Add): Promise<void> {
  const answer = await probe(host, ["docker", "version", "--format", "{{.Server.Version}}"], ways);
  if (!("exit" in answer)) return add("docker", "unknown", answer.error.message);
  if (answer.exit === 0) return add("docker", true, `answers, version ${answer.stdout.trim()}`);
  const says = lastLine(answer);
  if (/permission denied/i.test(answer.stderr)) {
    const user = host.user || "this user";
    const why = facts.groups.includes("docker") ? "may not use the docker socket" : "is not in the group docker";
    const group = host.user === "" ? '"$USER"' : host.user;
    return add(
      "docker",
      false,
      `${user} ${why}`,
      `on the host: sudo usermod -aG docker ${group} (the group is as good as root; else privilege: sudo and medic doctor ${host.name} --sudoers)`,
    );
  }
  if (/daemon running|cannot connect/i.test(answer.stderr)) {
    return add("docker", false, "its daemon does not answer", "on the host: sudo systemctl enable --now docker");
  }
  add("docker", "unknown", says);
}

async function checkPolkit(host: HostConfig, facts: Facts, ways: Ways, add: Add): Promise<void> {
  if (host.trust === "observe") return add("rights", true, "none needed: trust is observe, so no fix runs");
  const mend = `hosts.${host.name}.privilege: sudo, and on the host the lines of: medic doctor ${host.name} --sudoers`;
  const says = `${host.user || "this user"} may not start or restart units`;
  if (!facts.programs.has("pkcheck"))
    return add("rights", false, `${says}: there is neither polkit nor privilege: sudo`, mend);
  const check = script('pkcheck --action-id org.freedesktop.systemd1.manage-units --process "$$"');
  const answer = await probe(host, check, ways);
  if (!("exit" in answer)) return add("rights", "unknown", answer.error.message);
  if (answer.exit === 0) return add("rights", true, "polkit lets Medic manage units");
  // A rule for single units is asked with the unit's name, which only systemd itself may do.
  add("rights", "unknown", `${says} in general; a polkit rule for single units cannot be seen from here`, mend);
}

function checkJournal(host: HostConfig, { groups }: Facts, add: Add): void {
  if (groups.includes("systemd-journal") || groups.includes("adm")) return add("journal", true, "readable");
  const group = host.user === "" ? '"$USER"' : host.user;
  const says = `${host.user || "this user"} is not in the group systemd-journal, so journals look empty`;
  add("journal", false, says, `on the host: sudo usermod -aG systemd-journal ${group}`);
}

async function checkSudo(host: HostConfig, facts: Facts, ways: Ways, add: Add): Promise<void> {
  if (!facts.programs.has("sudo")) {
    const mend = `on the host: apt-get install sudo; or hosts.${host.name}.privilege: none`;
    return add("sudo", false, "privilege is sudo, and there is no sudo", mend);
  }
  // Through a pipe, or sudo breaks its lines at 80 columns.
  const answer = await probe(host, script("sudo -n -l 2>&1 | cat"), ways);
  if (!("exit" in answer)) return add("sudo", "unknown", answer.error.message);
  const commands = ways.sudoersCommands.map((command) => whereItIs(command, facts));
  const missing = missingIn(answer.stdout, commands);
  if (missing.length === 0) return add("sudo", true, "allows all that the plugins need");
  const elsewhere = commands.filter((command) => !ways.sudoersCommands.includes(command)).map(pathOf);
  const correction = elsewhere.length === 0 ? "" : `, with ${[...new Set(elsewhere)].join(", ")} for the paths there`;
  const mend = `medic doctor ${host.name} --sudoers > medic.sudoers, and put it into /etc/sudoers.d of the host${correction}`;
  const count = missing.length === commands.length ? "none" : `${missing.length} not`;
  add("sudo", false, `of ${commands.length} commands allowed: ${count}, like ${missing[0]}`, mend);
}

/** A command with the path its program has on this host: sudo compares paths, and a NAS keeps docker in a place of its own. */
function whereItIs(command: string, { programs }: Facts): string {
  const path = programs.get(programOf(command));
  // /bin and /usr/bin are one folder wherever systemd is.
  const isSame =
    path === undefined || !path.startsWith("/") || path.replace(/^\/usr/, "") === pathOf(command).replace(/^\/usr/, "");
  return isSame ? command : path + command.slice(pathOf(command).length);
}

type Failure = { error: { kind: string; message: string; offered?: string } };

/** One command, bounded even where the transport is not. A breakage is a value here: doctor tells it. */
async function probe(host: HostConfig, command: Command, ways: Ways): Promise<Result | Failure> {
  const seconds = ways.probeSeconds ?? host.pool.dialTimeout + commandSeconds + 5;
  const { promise: late, resolve } = Promise.withResolvers<Failure>();
  const giveUp = new AbortController();
  const timer = setTimeout(() => {
    resolve({ error: { kind: "Silent", message: `did not answer within ${seconds} s` } });
    giveUp.abort();
  }, seconds * 1000);
  const signal = AbortSignal.any([ways.stop, giveUp.signal]);
  const how = { kind: "diagnostic", tool: "doctor", commandSeconds, deadlineSeconds: seconds, signal } as const;
  try {
    return await Promise.race([ways.transport.run(host.name, command, how), late]);
  } catch (error) {
    return { error: failure(error) };
  } finally {
    clearTimeout(timer);
  }
}

function failure(error: unknown): Failure["error"] {
  if (!(error instanceof Error)) return { kind: "Unknown", message: String(error) };
  const { kind, offered } = error as Error & { kind?: string; offered?: string };
  return { kind: kind ?? error.name, message: error.message, ...(offered === undefined ? {} : { offered }) };
}

function lastLine({ stdout, stderr, exit }: Result): string {
  return (stderr.trim() || stdout.trim()).split("\n").at(-1) || `ended with ${exit} and said nothing`;
}
