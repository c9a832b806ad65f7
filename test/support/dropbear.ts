// dropbear, the server of a NAS and of OpenWrt, started for one test with a port, keys and a user of its own.
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fingerprint } from "../../core/transport/host-key.ts";
import { endServer, freePort, makeGround, removeGround, startServer, type RealServer } from "./real-server.ts";
import { childrenOf, killProcess } from "./system-user.ts";

export const dropbearPrograms = ["/usr/sbin/dropbear", "/usr/bin/dropbearkey"] as const;

export type Dropbear = RealServer &
  AsyncDisposable & {
    /** Logins by key, from its own log. */
    authenticated(): number;
    /** Pids of the processes that carry connections. */
    connections(): number[];
  };

export async function startDropbear(): Promise<Dropbear> {
  const ground = await makeGround();
  const { folder, user, identity, publicKey, ledger } = ground;
  const [server, keygen] = dropbearPrograms;
  const address = "127.0.0.32";
  const port = await freePort(address);
  const hostKeyFile = join(folder, "host");
  const made = spawnSync(keygen, ["-t", "ed25519", "-f", hostKeyFile], { encoding: "utf8" });
  const blob = /^ssh-ed25519 (\S+)/m.exec(made.stdout)?.[1];
  if (blob === undefined) throw new Error(`Cannot make a host key for dropbear: ${made.stderr}`);
  permitKey(user.home, publicKey);
  const pidFile = join(folder, "dropbear.pid");
  const logFile = join(folder, "dropbear.log");
  writeFileSync(logFile, "");
  // Through a shell, for its log: dropbear has standard error or syslog and nothing else.
  const line = 'exec "$0" -F -E -s -m -p "$1" -r "$2" -P "$3" 2>> "$4"';
  const child = await startServer(
    "/bin/sh",
    ["-c", line, server, `${address}:${port}`, hostKeyFile, pidFile, logFile],
    pidFile,
  );
  return {
    address,
    port,
    user,
    identity,
    ledger,
    hostKey: fingerprint(Buffer.from(blob, "base64")),
    authenticated: () => readFileSync(logFile, "utf8").match(/Pubkey auth succeeded/g)?.length ?? 0,
    connections: () => childrenOf(child.pid ?? 0),
    async [Symbol.asyncDispose]() {
      const connections = childrenOf(child.pid ?? 0);
      await endServer(child);
      for (const pid of connections) killProcess(pid);
      await removeGround(ground);
    },
  };
}

// dropbear looks in the user's home only, and insists that nobody else may write there.
function permitKey(home: string, publicKey: string): void {
  const { uid, gid } = statSync(home);
  const folder = join(home, ".ssh");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "authorized_keys"), `${publicKey}\n`, { mode: 0o600 });
  for (const path of [folder, join(folder, "authorized_keys")]) chownSync(path, uid, gid);
}
