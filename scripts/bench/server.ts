// The server that a benchmark measures against: a real sshd with stock limits, started and ended here, or the sandbox
// where there is none. It counts on its own side; a client's counters prove nothing.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import { createSandbox } from "../../core/sandbox/sandbox.ts";
import { fingerprint } from "../../core/transport/host-key.ts";
import { countLog, logCounter, type ServerCounts } from "./sshd-log.ts";

/** What sshd has without a word about them in its configuration. */
export const stockLimits: ServerLimits = { maxSessions: 10, maxStartups: "10:30:100" };
const sshdPath = "/usr/sbin/sshd";
/** sshd refuses a user whose shell is nologin, and root's own start-up files would be measured along. */
const benchUser = "medic-bench";
let accounts = 0;

export type ServerLimits = { maxSessions: number; maxStartups: string };

export type BenchServer = ServerLimits & {
  kind: "sshd" | "sandbox";
  version: string;
  address: string;
  port: number;
  user: string;
  /** Path of the private key. */
  identity: string;
  hostKey: string;
  /** Since the start. */
  counts(): ServerCounts;
  close(): Promise<void>;
};

/** A real one: a process whose cost can be looked at, and a folder that its user can read. */
export type Sshd = BenchServer & { pid: number; folder: string; hostPublicKey: string };

export function hasSshd(): boolean {
  return existsSync(sshdPath);
}

export async function startSshd(limits = stockLimits): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), "medic-bench-"));
  chmodSync(folder, 0o755);
  const address = "127.0.0.1";
  const port = await freePort(address);
  const hostKey = writeKey(folder, "host");
  const clientKey = writeKey(folder, "client");
  const log = join(folder, "sshd.log");
  const pidFile = join(folder, "sshd.pid");
  const account = benchAccount();
  const lines = [
    `ListenAddress ${address}:${port}`,
    `HostKey ${hostKey.path}`,
    `PidFile ${pidFile}`,
    `AuthorizedKeysFile ${clientKey.path}.pub`,
    `AllowUsers ${account.user}`,
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    `MaxSessions ${limits.maxSessions}`,
    `MaxStartups ${limits.maxStartups}`,
    "UseDNS no",
    "PrintMotd no",
    "LogLevel VERBOSE",
  ];
  writeFileSync(join(folder, "sshd_config"), `${lines.join("\n")}\n`);
  if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const child = spawn(sshdPath, ["-D", "-f", join(folder, "sshd_config"), "-E", log], { stdio: "ignore" });
  const close = async () => {
    await ended(child);
    await account.remove();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await started(child, pidFile, log);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...limits,
    kind: "sshd",
    version: sshdVersion(),
    address,
    port,
    user: account.user,
    identity: clientKey.path,
    hostKey: fingerprint(hostKey.blob),
    hostPublicKey: `ssh-ed25519 ${hostKey.blob.toString("base64")}`,
    pid: child.pid ?? 0,
    folder,
    counts: logCounter(log),
    close,
  };
}

/** For machines without sshd: the same limits, but a server that shares this process with the clients. */
export async function startSandbox(): Promise<BenchServer> {
  const sandbox = await createSandbox();
  const { address, port, user, identity, hostKey } = sandbox;
  const counts = () => countLog(sandbox.log.join("\n"));
  return {
    ...stockLimits,
    kind: "sandbox",
    version: "in-process",
    address,
    port,
    user,
    identity,
    hostKey,
    counts,
    close: sandbox.close,
  };
}

function writeKey(folder: string, name: string): { path: string; blob: Buffer } {
  const key = generateKeyPair();
  const path = join(folder, name);
  writeFileSync(path, key.private, { mode: 0o600 });
  writeFileSync(`${path}.pub`, `${key.public}\n`, { mode: 0o644 });
  return { path, blob: Buffer.from(key.public.split(" ")[1] ?? "", "base64") };
}

// Without root an sshd can only log its own user in; with root a plain one is made for the time of the run. It owns
// nothing and has no start-up files: what a login shell reads would be measured along.
function benchAccount(): { user: string; remove(): Promise<void> } {
  const { uid, username } = userInfo();
  if (uid !== 0) return { user: username, remove: async () => {} };
  const user = `${benchUser}-${process.pid}-${(accounts += 1)}`;
  for (const left of leftAccounts()) spawnSync("userdel", [left]);
  const about = ["--system", "--no-create-home", "--home-dir", "/", "--shell", "/bin/sh", "--password", "*"];
  const made = spawnSync("useradd", [...about, user], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`Cannot make the user "${user}": ${made.stderr}`);
  return { user, remove: () => removeAccount(user) };
}

/** Commands that outlive their connection keep the account in use for as long as they run. Its home is not its own. */
async function removeAccount(user: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    if (spawnSync("userdel", [user], { stdio: "ignore" }).status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  process.stderr.write(`Cannot remove the user "${user}": something still runs as it. Run userdel ${user} later\n`);
}

/** Of runs that were killed before they could clean up: the first number in the name is a process that is gone. */
function leftAccounts(): string[] {
  const names = readFileSync("/etc/passwd", "utf8").match(new RegExp(`^${benchUser}-\\d+-\\d+(?=:)`, "gm")) ?? [];
  return names.filter((name) => !existsSync(`/proc/${name.split("-").at(-2)}`));
}

async function freePort(address: string): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, address, resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

// By its pid file: a TCP probe would be one more connection in the log.
async function started(child: ChildProcess, pidFile: string, log: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (existsSync(pidFile)) return;
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const said = existsSync(log) ? readFileSync(log, "utf8").trim() : "nothing";
  throw new Error(`Cannot start ${sshdPath}: it said "${said}"`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

function sshdVersion(): string {
  // There is no option for it before 9.3: the usage text names it.
  const said = spawnSync(sshdPath, ["-V"], { encoding: "utf8" });
  return /OpenSSH_[\w.]+/.exec(`${said.stdout}${said.stderr}`)?.[0] ?? "unknown";
}
