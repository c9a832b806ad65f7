// Whom Medic is measured against, what each needs, and whether that is here. A peer that is missing is named with the
// reason and the way to get it; it is never left out without a word.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeArguments } from "./child.ts";

export type ClientName =
  | "medic"
  | "medic-fix"
  | "per-command"
  | "seed-dict"
  | "node-ssh"
  | "ssh-mcp"
  | "openssh-mux"
  | "openssh"
  | "asyncssh"
  | "go";

export type Contender = {
  name: ClientName;
  /** Program and arguments; the target follows as JSON. */
  command: [string, string[]];
  /** The root process is only ours around other programs: its memory is not the client's. */
  childrenOnly: boolean;
};
export type Missing = { client: ClientName; why: string };

export const peerFolder = resolve(import.meta.dirname, "../../.medic/bench-peers");
export const npmPeers = { "node-ssh": "13.2.1", "ssh-mcp": "2.11.0" } as const;
/** The peers, and the server that all of them are measured against. */
export const debianPackages = [
  "openssh-server",
  "openssh-client",
  "python3-asyncssh",
  "golang-go",
  "golang-golang-x-crypto-dev",
] as const;
export const goProgram = resolve(peerFolder, "go-client");
export const goSource = fileURLToPath(import.meta.resolve("./peers/go/main.go"));
const python = "/usr/bin/python3";
const driver = fileURLToPath(import.meta.resolve("./peers/driver.ts"));
const asyncsshDriver = fileURLToPath(import.meta.resolve("./peers/asyncssh_driver.py"));

/** What each client is, for people who read the report. */
export const descriptions: Readonly<Record<ClientName, string>> = {
  medic: "Medic's transport; a diagnostic: the host itself limits it with `timeout -s KILL`",
  "medic-fix": "the same, a fix: plain, without that limit; to see what the limit costs",
  "per-command": "ssh2, a connection for each command",
  "seed-dict": "ssh2, a dictionary of connections: check, await, store",
  "node-ssh": "node-ssh, one instance a host",
  "ssh-mcp": "the connection registry of ssh-mcp, without the MCP protocol around it",
  "openssh-mux": "`ssh` for each command over a ControlMaster; its times include starting `ssh` from Node",
  openssh: "`ssh` without a ControlMaster",
  asyncssh: "asyncssh, one connection a host",
  go: "golang.org/x/crypto/ssh, one connection a host",
};

export function muster(wanted: readonly ClientName[]): { contenders: Contender[]; missing: Missing[] } {
  const contenders: Contender[] = [];
  const missing: Missing[] = [];
  for (const client of wanted) {
    const why = lacking(client);
    if (why === undefined) contenders.push(contender(client));
    else missing.push({ client, why: `${why}; npm run bench -- setup installs it` });
  }
  return { contenders, missing };
}

/** Names and versions as the installed parts tell them. */
export function peerVersions(): Record<string, string> {
  const said = (program: string, ...args: string[]) => {
    const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
    return `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").at(-1) ?? "";
  };
  const asyncssh = existsSync(python)
    ? said(python, "-W", "ignore", "-c", "import asyncssh; print(asyncssh.__version__)")
    : "";
  return {
    ...npmPeers,
    openssh: /OpenSSH_[\w.]+/.exec(said("ssh", "-V"))?.[0] ?? "missing",
    asyncssh: /^[\d.]+$/.test(asyncssh) ? asyncssh : "missing",
    go: /go[\d.]+/.exec(said("go", "version"))?.[0] ?? "missing",
    "x/crypto": debianVersion("golang-golang-x-crypto-dev") ?? "missing",
  };
}

function contender(name: ClientName): Contender {
  const childrenOnly = name === "openssh-mux" || name === "openssh";
  if (name === "go") return { name, childrenOnly, command: [goProgram, []] };
  if (name === "asyncssh") return { name, childrenOnly, command: [python, [asyncsshDriver]] };
  return { name, childrenOnly, command: nodeArguments(driver, name) };
}

function lacking(client: ClientName): string | undefined {
  const runs = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: "ignore" }).status === 0;
  switch (client) {
    case "node-ssh":
    case "ssh-mcp":
      return existsSync(resolve(peerFolder, "node_modules", client)) ? undefined : `npm's ${client} is not installed`;
    case "openssh":
    case "openssh-mux":
      return runs("ssh", "-V") ? undefined : "there is no ssh";
    case "asyncssh":
      return runs(python, "-W", "ignore", "-c", "import asyncssh") ? undefined : "python3-asyncssh is not installed";
    case "go":
      return existsSync(goProgram) ? undefined : "the Go client is not built";
    default:
      return undefined;
  }
}

/** Of an installed package; undefined where it is not, or where there is no Debian. */
export function debianVersion(name: string): string | undefined {
  const status = "/var/lib/dpkg/status";
  if (!existsSync(status)) return undefined;
  const entry = readFileSync(status, "utf8")
    .split("\n\n")
    .find((entry) => entry.startsWith(`Package: ${name}\nStatus: install ok installed\n`));
  return entry === undefined ? undefined : /^Version: (.*)$/m.exec(entry)?.[1];
}
