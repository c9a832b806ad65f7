// What the lab demands of the machine it runs on, and the one thing it changes there: a few Debian packages.
//
// Everything else the lab writes lies in its own folder. Refuses, with the reason, a machine it cannot run on.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { run } from "./process.ts";

/** The machine or the command line is not as it must be: told in one line, exit 2. */
export class Unfit extends Error {}

/** Debian packages by the program that shows they are there. */
const packages: Record<string, string> = {
  "openssh-server": "/usr/sbin/sshd",
  "openssh-client": "/usr/bin/ssh-keygen",
  "docker.io": "/usr/sbin/dockerd",
  "docker-compose": "/usr/bin/docker-compose",
  iptables: "/usr/sbin/iptables",
  "busybox-static": "/bin/busybox",
  systemd: "/lib/systemd/systemd",
  "systemd-container": "/usr/bin/systemd-nspawn",
  dbus: "/usr/bin/dbus-daemon",
  "libpam-systemd": "/usr/share/pam-configs/systemd",
  sudo: "/usr/bin/sudo",
  openssl: "/usr/bin/openssl",
  curl: "/usr/bin/curl",
  procps: "/usr/bin/ps",
  strace: "/usr/bin/strace",
  "dropbear-bin": "/usr/sbin/dropbear",
  "util-linux": "/usr/bin/flock",
  iproute2: "/usr/bin/ss",
  nginx: "/usr/sbin/nginx",
  shellcheck: "/usr/bin/shellcheck",
  chromium: "/usr/bin/chromium",
  "qemu-user": "/usr/bin/qemu-aarch64",
  "libc6-arm64-cross": "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
  "libstdc++6-arm64-cross": "/usr/aarch64-linux-gnu/lib/libstdc++.so.6",
  prometheus: "/usr/bin/prometheus",
  "prometheus-alertmanager": "/usr/bin/prometheus-alertmanager",
  "prometheus-blackbox-exporter": "/usr/bin/prometheus-blackbox-exporter",
};

/** Refuses a machine or a user with whom the lab cannot work. */
export function requireMachine(): void {
  if (process.platform !== "linux" || !existsSync("/etc/debian_version")) {
    throw new Unfit(
      "Cannot run the lab here: it needs Debian 12, because its hosts are made of this machine's own root",
    );
  }
  if (process.getuid?.() !== 0) {
    throw new Unfit("Cannot run the lab: it mounts and boots hosts, which only root may. Run it again as root");
  }
  const root = statSync("/").dev;
  const apart = ["/usr", "/etc"].filter((folder) => statSync(folder).dev !== root);
  if (apart.length > 0) {
    throw new Unfit(
      `Cannot run the lab here: ${apart.join(" and ")} is a file system of its own, and the hosts see "/" only`,
    );
  }
}

/** The packages that are not installed yet. */
export function missingPackages(): string[] {
  return Object.keys(packages).filter((name) => !existsSync(packages[name] ?? name));
}

/** Installs what is missing, after one confirmation unless `yes`. */
export async function installPackages(yes: boolean, say: (line: string) => void): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  say(`needs packages: ${missing.join(" ")}`);
  if (!yes && !(await confirmed("Install them with apt-get?"))) {
    throw new Unfit("Cannot run the lab: packages are missing. Agree to install them, or run it again with --yes");
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const lock = ["-o", "DPkg::Lock::Timeout=300"];
  await withoutServiceStarts(async () => {
    for (const args of [["update"], ["install", "--yes", "--no-install-recommends", ...missing]]) {
      const { exit, stderr } = await run(["apt-get", ...lock, "-q", ...args], { env, withinSeconds: 900 });
      if (exit !== 0)
        throw new Error(`Cannot install packages: apt-get ${args[0]} ended with ${exit}: ${stderr.trim()}`);
    }
  });
  const still = missingPackages();
  if (still.length > 0)
    throw new Error(`Cannot run the lab: apt-get installed all, yet missing are ${still.join(" ")}`);
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}

/** Debian starts a daemon as it installs it. This machine asked for a lab, not for a Prometheus on port 9090. */
export async function withoutServiceStarts(install: () => Promise<void>): Promise<void> {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return install();
  const ours = "#!/bin/sh\n# Written by the lab of Medic while it installs packages; removed right after.\nexit 101\n";
  writeFileSync(policy, ours, { mode: 0o755 });
  try {
    await install();
  } finally {
    if (readFileSync(policy, "utf8") === ours) rmSync(policy);
  }
}
