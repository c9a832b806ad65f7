// The clients that live in Node, each used as its own documentation shows. What they have in common is only `run` and
// `close`: whether and how they pool is what is measured.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { silent } from "../../../core/log.ts";
import { perCommand, seedDict } from "../../../core/sandbox/contrast.ts";
import { createTransport, type How } from "../../../core/transport/pool.ts";
import { benchPool } from "../pool.ts";
import type { Target } from "./protocol.ts";

export type Client = {
  /** Rejects when the command did not run to exit 0. */
  run(command: string, host: number): Promise<void>;
  close(): Promise<void>;
};
export type MakeClient = (target: Target, hosts: number) => Client | Promise<Client>;

export const clients: Readonly<Record<string, MakeClient>> = {
  medic: (target, hosts) => medic(target, hosts, "diagnostic"),
  "medic-fix": (target, hosts) => medic(target, hosts, "fix"),
  "per-command": (target) => perCommand({ ...target, privateKey: readFileSync(target.identity) }),
  "seed-dict": (target, hosts) => each(hosts, () => seedDict({ ...target, privateKey: readFileSync(target.identity) })),
  "node-ssh": nodeSsh,
  "ssh-mcp": sshMcp,
  "openssh-mux": (target) => opensshMux(target),
  openssh: (target) => openssh(target),
};

function medic(target: Target, hosts: number, kind: How["kind"]): Client {
  const { address, port, user, identity, hostKey } = target;
  const settings = {
    transport: "ssh",
    address,
    port,
    user,
    identity,
    hostKey,
    privilege: "none",
    pool: benchPool,
  } as const;
  const named = Object.fromEntries(Array.from({ length: hosts }, (_, host) => [`host-${host}`, settings]));
  const transport = createTransport(named, { log: silent });
  return {
    async run(command, host) {
      const [program = "", ...args] = command.split(" ");
      const { exit } = await transport.run(`host-${host}`, [program, ...args], { kind, tool: "bench" });
      if (exit !== 0) throw new Error(`ended with ${exit}`);
    },
    close: () => transport.close(),
  };
}

type NodeSsh = {
  connect(config: object): Promise<unknown>;
  execCommand(command: string): Promise<{ code: number | null }>;
  dispose(): void;
};

/** One instance a host, connected once by whoever comes first, as its README has it. */
async function nodeSsh(target: Target, hosts: number): Promise<Client> {
  const { NodeSSH } = (await importPeer(target, "node-ssh/lib/cjs/index.js")) as { NodeSSH: new () => NodeSsh };
  const { address: host, port, user: username, identity: privateKeyPath } = target;
  return each(hosts, () => {
    const ssh = new NodeSSH();
    let connected: Promise<unknown> | undefined;
    return {
      async run(command) {
        connected ??= ssh.connect({ host, port, username, privateKeyPath });
        await connected;
        const { code } = await ssh.execCommand(command);
        if (code !== 0) throw new Error(`ended with ${code}`);
      },
      close: async () => ssh.dispose(),
    };
  });
}

type SshMcpRegistry = {
  getOrCreate(profile: string): Promise<{ exec(command: string, options: object): Promise<object> }>;
  closeAll(): Promise<void>;
};

/** Its pool alone: what its tools call, without the MCP protocol, policy and audit around them. */
async function sshMcp(target: Target, hosts: number): Promise<Client> {
  const { ConnectionRegistry } = (await importPeer(target, "ssh-mcp/build/ssh/connection-registry.js")) as {
    ConnectionRegistry: new (config: object) => SshMcpRegistry;
  };
  const { address: host, port, user, identity: keyRef, hostKey: trustedHostKey } = target;
  const shared = { host, port, user, auth: "key", keyRef, trustedHostKey, timeout: 60_000, maxOutputBytes: 1_048_576 };
  const profiles = Array.from({ length: hosts }, (_, index) => ({ ...shared, name: `host-${index}` }));
  const registry = new ConnectionRegistry({ profiles, defaults: { connectionIdleReapMs: 900_000 } });
  return {
    async run(command, index) {
      const connection = await registry.getOrCreate(`host-${index}`);
      const answer = await connection.exec(command, { timeoutMs: 60_000 });
      if ("exitCode" in answer && answer.exitCode !== 0) throw new Error(`ended with ${String(answer.exitCode)}`);
    },
    close: () => registry.closeAll(),
  };
}

/** `ssh -M` once, then an `ssh` for each command. The master is no daemon here, so that its cost can be counted. */
function opensshMux(target: Target): Client {
  const folder = mkdtempSync(join(tmpdir(), "medic-mux-"));
  const path = join(folder, "s");
  let master: { child: ChildProcess; ready: Promise<void> } | undefined;
  return {
    async run(command) {
      master ??= startMaster(target, path);
      await master.ready;
      await ssh(target, ["-o", "ControlMaster=no", "-S", path], command);
    },
    async close() {
      if (master !== undefined && master.child.exitCode === null) {
        const gone = new Promise((resolve) => master?.child.once("exit", resolve));
        master.child.kill("SIGTERM");
        await gone;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startMaster(target: Target, path: string): { child: ChildProcess; ready: Promise<void> } {
  const child = spawn("ssh", [...sshArguments(target), "-M", "-N", "-S", path, target.address], { stdio: "ignore" });
  const appeared = async () => {
    while (!existsSync(path)) {
      if (child.exitCode !== null) throw new Error(`the master ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { child, ready: appeared() };
}

function openssh(target: Target): Client {
  return { run: (command) => ssh(target, ["-S", "none"], command), close: async () => {} };
}

function ssh(target: Target, options: readonly string[], command: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const args = [...sshArguments(target), ...options, target.address, command];
  const child = spawn("ssh", args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.resume();
  child.stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-500)));
  child.once("error", reject);
  child.once("close", (code) => {
    if (code === 0) resolve();
    else reject(new Error(`ended with ${code}: ${said.trim()}`));
  });
  return promise;
}

function sshArguments({ port, user, identity, knownHosts }: Target): string[] {
  const options = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "HostKeyAlias=bench",
    "StrictHostKeyChecking=yes",
    "LogLevel=ERROR",
    `UserKnownHostsFile=${knownHosts}`,
  ];
  const flags = ["-F", "/dev/null", "-i", identity, "-p", String(port), "-l", user];
  return [...flags, ...options.flatMap((option) => ["-o", option])];
}

/** For designs that know one host: one of them for each. */
function each(hosts: number, make: () => { run(command: string): Promise<void>; close(): Promise<void> }): Client {
  const made = Array.from({ length: hosts }, make);
  return {
    run: (command, host) => made[host]?.run(command) ?? Promise.reject(new Error(`no host ${host}`)),
    close: async () => void (await Promise.all(made.map((client) => client.close()))),
  };
}

async function importPeer({ peers }: Target, file: string): Promise<unknown> {
  return import(pathToFileURL(join(peers, "node_modules", file)).href);
}
