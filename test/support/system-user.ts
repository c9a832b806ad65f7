// A plain user of this machine, for as long as a test of a real server runs. It owns nothing but its home, has no start-up
// files and a shell that reads none: what a login costs is the server's, and what it left running is found by its number.
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const prefix = "medic-fault";

export type SystemUser = {
  name: string;
  /** A folder of its own, for `authorized_keys` and what its commands write. */
  home: string;
  /** Command lines of its processes, without the server's own. */
  running(): string[];
  /** Lets it become root without a password until it is removed. */
  permitSudo(): void;
  /** Ends what it left running, and removes it. The home is the caller's to remove. */
  remove(): Promise<void>;
};

let made = 0;

/** Needs root. `home` is made, and is the user's. */
export async function makeSystemUser(home: string): Promise<SystemUser> {
  for (const left of leftUsers()) removeUser(left);
  const name = `${prefix}-${process.pid}-${(made += 1)}`;
  const about = ["--system", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", "--password", "*"];
  await retried(() => spawnSync("useradd", [...about, name], { encoding: "utf8" }));
  const uid = Number(/^[^:]*:[^:]*:(\d+):/m.exec(passwdLine(name))?.[1]);
  const gid = Number(/^[^:]*:[^:]*:\d+:(\d+):/m.exec(passwdLine(name))?.[1]);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chownSync(home, uid, gid);
  return {
    name,
    home,
    running: () =>
      processes((process) => process.uid === uid)
        .map(commandLine)
        .filter((line) => line !== "" && !/^sshd: |dropbear/.test(line)),
    permitSudo: () => writeFileSync(sudoersFile(name), `${name} ALL=(ALL) NOPASSWD: ALL\n`, { mode: 0o440 }),
    async remove() {
      for (const pid of processes((process) => process.uid === uid)) killProcess(pid);
      await retried(() => removeUser(name));
    },
  };
}

/** Pids of the processes whose command line holds the text, whoever they belong to. */
export function processesNaming(text: string): number[] {
  return processes(({ command }) => command.includes(text));
}

/** Pids of the processes that a process started itself. */
export function childrenOf(parent: number): number[] {
  return processes((process) => process.parent === parent);
}

type Process = { pid: number; parent: number; uid: number; command: string };

function processes(isMeant: (process: Process) => boolean): number[] {
  return readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      // One that has ended and waits for its parent is no process any more.
      if (/^State:\s+Z/m.test(status)) return [];
      const figure = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
      return isMeant({ pid, parent: figure("PPid"), uid: figure("Uid"), command: commandLine(pid) }) ? [pid] : [];
    } catch {
      // Ended while it was looked at.
      return [];
    }
  });
}

/** Empty when the process is gone. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

function passwdLine(name: string): string {
  return (
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((line) => line.startsWith(`${name}:`)) ?? ""
  );
}

/** Of runs that were killed before they could clean up: the number in the name is a process that is gone. */
function leftUsers(): string[] {
  const names = readFileSync("/etc/passwd", "utf8").match(new RegExp(`^${prefix}-\\d+-\\d+(?=:)`, "gm")) ?? [];
  return names.filter((name) => !existsSync(`/proc/${name.split("-")[2]}`));
}

function sudoersFile(name: string): string {
  return join("/etc/sudoers.d", name);
}

function removeUser(name: string) {
  rmSync(sudoersFile(name), { force: true });
  return spawnSync("userdel", ["--force", name], { encoding: "utf8" });
}

// Somebody else may be changing /etc/passwd, which is locked then.
async function retried(attempt: () => { status: number | null; stderr: string }): Promise<void> {
  let said = "";
  for (let tries = 0; tries < 40; tries += 1) {
    const { status, stderr } = attempt();
    if (status === 0) return;
    said = stderr;
    await sleep(100);
  }
  throw new Error(`Cannot change the users of this machine: ${said}`);
}

/** Ends a process at once, if it is still there. */
export function killProcess(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
