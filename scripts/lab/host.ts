// A host of the lab: systemd as PID 1 on an overlay of this machine's root, its network shared, all else its own.
//
//   gone ── bootHost ──▶ booting ── awaitHost ──▶ up ── endHost ──▶ gone
//                           └───────────── endHost ───────────────▲
//
// Its mounts are made in a mount namespace that only its processes hold. So when they end, by whatever means, nothing
// stays mounted on the machine; what remains is a folder and empty control groups, which `endHost` removes.
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { hiddenPaths, stageHost, type HostFiles } from "./host-files.ts";
import { childrenOf, endProcess, livingProcess, run, signalProcess, startProcess, until } from "./process.ts";

/** Where a host's files are while it is up. */
export function hostFolder(folder: string, name: string): string {
  return join(folder, "hosts", name);
}

/** The control group that holds all of a host's processes, in each hierarchy. */
export function controlGroup(name: string): string {
  return `medic-lab-${name}`;
}

/** This machine's process id of the host's PID 1; undefined when the host is not up. */
export function hostLeader(folder: string, name: string): number | undefined {
  const container = containerProcess(folder, name);
  return container && childrenOf(container).find((child) => child.name === "systemd")?.pid;
}

/** The process that holds a host, from its first mount on. */
export function containerProcess(folder: string, name: string): number | undefined {
  return livingProcess(join(hostFolder(folder, name), "container.pid"));
}

/** The argument vector that runs another one inside the host whose PID 1 is `leader`. */
export function enter(leader: number, argv: readonly [string, ...string[]]): [string, ...string[]] {
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return ["nsenter", `--target=${leader}`, "--all", "--", "env", "-i", path, "HOME=/root", "LC_ALL=C.UTF-8", ...argv];
}

/** Begins to boot a host; `awaitHost` sees the end of it. Its Docker keeps its data in `dockerData`. */
export function bootHost(folder: string, files: HostFiles, dockerData: string): void {
  const { name } = files.place;
  const home = hostFolder(folder, name);
  for (const part of ["layer", "root"]) mkdirSync(join(home, part), { recursive: true });
  mkdirSync(dockerData, { recursive: true });
  stageHost(join(home, "own"), files);
  const groups = hierarchies().map((hierarchy) => join(hierarchy, files.controlGroup));
  for (const group of groups) mkdirSync(group, { recursive: true });

  const boot = ["unshare", "--mount", "--propagation=private", "sh", "-c", bootScript, "boot"] as const;
  startProcess(
    [...boot, home, name, dockerData, groups.join(" "), ...emptied(folder)],
    { pidFile: join(home, "container.pid"), logFile: join(home, "console.log") },
    { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", SYSTEMD_NSPAWN_API_VFS_WRITABLE: "yes" },
  );
}

/** Waits until a host has booted, and sees to it that its sshd and its Docker run. At once when they do already. */
export async function awaitHost(folder: string, name: string): Promise<number> {
  const refuse = (why: string) => {
    const console = readFileSync(join(hostFolder(folder, name), "console.log"), "utf8");
    return new Error(`Cannot boot host "${name}": ${why}: ${console.trim().split("\n").slice(-5).join(" | ")}`);
  };
  let state = "no answer";
  const up = await until(async () => {
    if (containerProcess(folder, name) === undefined) throw refuse("its container ended");
    const leader = hostLeader(folder, name);
    if (leader === undefined) return false;
    state = (await run(enter(leader, ["systemctl", "is-system-running", "--wait"]))).stdout.trim();
    return state === "running" || state === "degraded";
  }, 60);
  const leader = hostLeader(folder, name);
  if (!up || leader === undefined) throw refuse(`systemd is "${state}" after 60 s`);
  for (const unit of ["ssh.service", "docker.service"]) {
    const { exit, stderr } = await run(enter(leader, ["systemctl", "start", unit]));
    if (exit === 0) continue;
    const { stdout: journal } = await run(enter(leader, ["journalctl", "-q", "-n", "8", "-o", "cat", "-u", unit]));
    throw new Error(`Cannot start ${unit} on "${name}": ${stderr.trim()}: ${journal.trim()}`);
  }
  return leader;
}

/** Ends a host like a pulled plug, and removes what it leaves. A host that is gone, or half there, is well. */
export async function endHost(folder: string, name: string): Promise<void> {
  const home = hostFolder(folder, name);
  const leader = hostLeader(folder, name);
  // All of the host's processes are in the process namespace of its PID 1 and end with it, at once.
  if (leader !== undefined) signalProcess(leader, "SIGKILL");
  const pidFile = join(home, "container.pid");
  if (leader !== undefined) await until(() => livingProcess(pidFile) === undefined, 5);
  await endProcess(pidFile);
  await removeControlGroups(controlGroup(name));
  const mounted = readFileSync("/proc/self/mountinfo", "utf8").includes(` ${home}/`);
  if (mounted)
    throw new Error(`Cannot remove "${home}": something is mounted below it. Unmount it, then run down again`);
  rmSync(home, { recursive: true, force: true });
  // systemd-nspawn leaves empty folders of its own behind.
  for (const path of [`/run/systemd/nspawn/propagate/${name}`, "/run/systemd/nspawn/propagate"]) removeEmpty(path);
  for (const path of ["/run/systemd/nspawn/locks", "/run/systemd/nspawn"]) removeEmpty(path);
}

/** The mounted hierarchies in which a container's own group has to be made by hand. */
function hierarchies(): string[] {
  const top = "/sys/fs/cgroup";
  if (existsSync(join(top, "cgroup.controllers"))) return [top];
  return ["systemd", "unified"].map((name) => join(top, name)).filter((path) => existsSync(path));
}

async function removeControlGroups(name: string): Promise<void> {
  const ours = ["(", "-path", `*/${name}`, "-o", "-path", `*/${name}/*`, ")"];
  const gone = await until(async () => {
    // Docker's groups lie below the group *this* process is in, so they are found by their name, not their place.
    await run(["find", "/sys/fs/cgroup", "-depth", "-type", "d", ...ours, "-exec", "rmdir", "{}", ";"]);
    return (await run(["find", "/sys/fs/cgroup", "-type", "d", "-name", name])).stdout === "";
  }, 5);
  if (!gone) throw new Error(`Cannot remove control group "${name}": processes are still in it`);
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    // Gone already, or another container of this machine still uses it.
    if (!["ENOENT", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** What a host must not see, the lab and the repository included; a path below another one is covered by it. */
function emptied(folder: string): string[] {
  const all = [...hiddenPaths(), folder, join(import.meta.dirname, "../..")].filter((path) => existsSync(path));
  const covered = (path: string): boolean => path !== "/" && (all.includes(dirname(path)) || covered(dirname(path)));
  return all.filter((path) => !covered(path));
}

// The layer is a tmpfs, because an overlay's upper layer must not lie inside its lower one. A device 0:0 there makes
// the path of that name disappear; what `own` then brings under that name is all that is seen.
const bootScript = `set -eu
home=$1 name=$2 docker=$3 groups=$4
shift 4
umask 022
mount -t tmpfs -o size=2g,mode=755 "medic-lab-$name" "$home/layer"
mkdir "$home/layer/upper" "$home/layer/work"
for path; do
  mkdir -p "$home/layer/upper$(dirname "$path")"
  mknod "$home/layer/upper$path" c 0 0
done
mount -t overlay -o "lowerdir=/,upperdir=$home/layer/upper,workdir=$home/layer/work" "medic-lab-$name" "$home/root"
cp -a "$home/own/." "$home/root/"
for group in $groups; do echo $$ > "$group/cgroup.procs"; done
exec systemd-nspawn --quiet --boot --directory="$home/root" --machine="$name" --register=no --keep-unit \\
  --console=pipe --resolv-conf=off --timezone=off --link-journal=no --kill-signal=SIGRTMIN+4 --capability=all \\
  --system-call-filter="add_key keyctl bpf @keyring" --bind="$docker:/var/lib/docker"
`;
