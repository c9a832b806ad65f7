// `npm run bench -- setup`: gets the server and the peers. npm's go into a folder of their own, outside Medic's
// dependencies; Debian's are asked for once; the Go client is built.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { withoutServiceStarts } from "../lab/machine.ts";
import { debianPackages, debianVersion, goProgram, goSource, muster, npmPeers, peerFolder } from "./roster.ts";
import { hasSshd } from "./server.ts";

export async function setup(isAgreed: boolean): Promise<number> {
  mkdirSync(peerFolder, { recursive: true });
  const about = { private: true, description: "What Medic is measured against", dependencies: npmPeers };
  writeFileSync(join(peerFolder, "package.json"), `${JSON.stringify(about, null, 2)}\n`);
  // No install scripts: Medic's own ssh2 has no native addon either.
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], peerFolder);
  const lacking = debianPackages.filter((name) => debianVersion(name) === undefined);
  if (lacking.length > 0) await installDebian(lacking, isAgreed);
  buildGo();
  const { contenders, missing } = muster(["node-ssh", "ssh-mcp", "openssh-mux", "asyncssh", "go"]);
  for (const { name } of contenders) process.stderr.write(`ready    ${name}\n`);
  for (const { client, why } of missing) process.stderr.write(`missing  ${client}: ${why}\n`);
  if (!hasSshd())
    process.stderr.write("missing  sshd: there is no /usr/sbin/sshd, and everything is measured against it\n");
  return missing.length === 0 && hasSshd() ? 0 : 1;
}

async function installDebian(names: readonly string[], isAgreed: boolean): Promise<void> {
  const command = `apt-get install --yes --no-install-recommends ${names.join(" ")}`;
  if (userInfo().uid !== 0) return say(`not root: run "sudo ${command}" for the rest`);
  if (!isAgreed && !(await agrees(`Run "${command}"?`))) return say("left out the Debian packages");
  const apt = (...args: string[]) =>
    run("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], "/", { DEBIAN_FRONTEND: "noninteractive" });
  // A machine that asked for benchmarks did not ask for a login service.
  await withoutServiceStarts(async () => {
    apt("update");
    apt(...command.split(" ").slice(1));
  });
}

async function agrees(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    say("nobody to ask: give --yes to install Debian packages");
    return false;
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`${question} [y/N] `);
  asking.close();
  return /^y(es)?$/i.test(answer.trim());
}

// Debian's x/crypto lies in a GOPATH, so nothing is fetched.
function buildGo(): void {
  const environment = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOCACHE: join(peerFolder, "go-cache") };
  run("go", ["build", "-o", goProgram, goSource], "/", environment);
}

function run(program: string, args: readonly string[], folder: string, environment: Record<string, string> = {}): void {
  say(`${program} ${args.join(" ")}`);
  const stdio = ["ignore", process.stderr, process.stderr] as const;
  const { status, error } = spawnSync(program, args, {
    cwd: folder,
    stdio: [...stdio],
    env: { ...process.env, ...environment },
  });
  // The summary at the end names what is missing because of it.
  if (status !== 0) say(`cannot run "${program}": ${error?.message ?? `it ended with ${status}`}`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
