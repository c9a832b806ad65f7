// OpenSSH's own server, started for one test with a configuration, a port, keys and a user of its own, and broken on
// purpose: its processes killed, its listener restarted, its keys and limits changed. Nothing outside its folder is
// written, except the user.
import type { ChildProcess } from "node:child_process";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateKeyPair } from "../../core/sandbox/key-pair.ts";
import { fingerprint } from "../../core/transport/host-key.ts";
import { countLog, type ServerCounts } from "../../scripts/bench/sshd-log.ts";
import { endServer, freePort, makeGround, removeGround, startServer, type RealServer } from "./real-server.ts";
import { childrenOf, killProcess, processesNaming } from "./system-user.ts";

export const sshdProgram = "/usr/sbin/sshd";

type SshdOptions = {
  maxSessions?: number;
  maxStartups?: string;
  /** More lines of sshd_config. */
  lines?: readonly string[];
  /** What stands before the key in authorized_keys, e.g. `command="…"`. */
  keyOptions?: string;
  /** Lets the user become root without a password. */
  sudo?: boolean;
};

export type RealSshd = RealServer &
  AsyncDisposable & {
    /** Since the start, from sshd's own log. */
    counts(): ServerCounts;
    log(): string;
    /** Pids of the processes that carry logged-in connections: `user` runs the commands, `monitor` is its root half. */
    connections(): { user: number[]; monitor: number[] };
    /** The listener ends and a new one takes its port; connections that are there live on. */
    restart(): Promise<void>;
    /** For connections made from now on. */
    limit(maxSessions: number): Promise<void>;
    /** A new host key for connections made from now on; `hostKey` is the new one then. */
    changeHostKey(): Promise<void>;
    /** The key is no longer let in. */
    revoke(): void;
    /** The key is let in again. */
    permit(): void;
  };

export async function startRealSshd(options: SshdOptions = {}): Promise<RealSshd> {
  const ground = await makeGround();
  const { folder, user, identity, publicKey, ledger } = ground;
  const address = "127.0.0.31";
  const port = await freePort(address);
  const file = (name: string) => join(folder, name);
  const pidFile = file("sshd.pid");
  let { maxSessions = 10 } = options;
  let hostKey = "";
  const permit = () =>
    writeFileSync(file("authorized_keys"), `${options.keyOptions ?? ""} ${publicKey}\n`.trimStart(), { mode: 0o644 });
  const makeHostKey = () => {
    const key = generateKeyPair();
    writeFileSync(file("host"), key.private, { mode: 0o600 });
    hostKey = fingerprint(Buffer.from(key.public.split(" ")[1] ?? "", "base64"));
  };
  const configure = () => {
    const lines = [
      `ListenAddress ${address}:${port}`,
      `HostKey ${file("host")}`,
      `PidFile ${pidFile}`,
      `AuthorizedKeysFile ${file("authorized_keys")}`,
      `AllowUsers ${user.name}`,
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      `MaxSessions ${maxSessions}`,
      `MaxStartups ${options.maxStartups ?? "10:30:100"}`,
      "UseDNS no",
      "PrintMotd no",
      "LogLevel VERBOSE",
      ...(options.lines ?? []),
    ];
    writeFileSync(file("sshd_config"), `${lines.join("\n")}\n`);
  };
  const start = () => startServer(sshdProgram, ["-D", "-f", file("sshd_config"), "-E", file("sshd.log")], pidFile);
  let child: ChildProcess | undefined;
  const restart = async () => {
    if (child !== undefined) await endServer(child);
    configure();
    child = await start();
  };
  const close = async () => {
    if (child !== undefined) await endServer(child);
    for (const pid of processesNaming(`sshd: ${user.name}`)) killProcess(pid);
    await removeGround(ground);
  };

  try {
    if (options.sudo === true) user.permitSudo();
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    makeHostKey();
    permit();
    await restart();
  } catch (error) {
    await close();
    throw error;
  }
  const log = () => readFileSync(file("sshd.log"), "utf8");
  return {
    address,
    port,
    user,
    identity,
    ledger,
    get hostKey() {
      return hostKey;
    },
    log,
    counts: () => countLog(log()),
    connections() {
      const monitor = processesNaming(`sshd: ${user.name} [priv]`);
      return { monitor, user: monitor.flatMap(childrenOf) };
    },
    restart,
    async limit(sessions) {
      maxSessions = sessions;
      await restart();
    },
    async changeHostKey() {
      makeHostKey();
      await restart();
    },
    revoke: () => writeFileSync(file("authorized_keys"), ""),
    permit,
    [Symbol.asyncDispose]: close,
  };
}

/** Whether this sshd knows a keyword of sshd_config, such as PerSourcePenalties (9.8 and later). */
export function knowsKeyword(keyword: string): boolean {
  const dump = spawnSync(sshdProgram, ["-T", "-f", "/dev/null"], { encoding: "utf8" });
  return new RegExp(`^${keyword} `, "im").test(dump.stdout);
}
