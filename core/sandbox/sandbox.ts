// The sandbox whole: a homelab behind an SSH server on loopback, with keys made for this one run. It needs no root, no
// Docker, no sshd and no network, leaves nothing behind, and never runs a command on the machine it is on.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import ssh2 from "ssh2";

import type { Clock } from "./clock.ts";
import { realClock } from "./clock.ts";
import type { Homelab } from "./homelab.ts";
import { createHomelab } from "./homelab.ts";
import { generateKeyPair } from "./key-pair.ts";
import type { SshdCosts, SshdCounts, SshdLimits } from "./sshd.ts";
import { fingerprint, realisticCosts, startSshd, stockLimits } from "./sshd.ts";

export type SandboxOptions = {
  clock?: Clock;
  /** Uniform over [0, 1); decides whom MaxStartups drops and what a fork costs. */
  random?: () => number;
  limits?: Partial<SshdLimits>;
  costs?: SshdCosts;
};

export type Sandbox = {
  address: string;
  port: number;
  user: string;
  /** Path of the private key, in a folder that `close` removes. */
  identity: string;
  /** The private key itself. */
  privateKey: string;
  /** `SHA256:…` */
  hostKey: string;
  limits: SshdLimits;
  homelab: Homelab;
  counts(): SshdCounts;
  /** In sshd's own words. */
  log: readonly string[];
  close(): Promise<void>;
};

const USER = "medic";

export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { clock = realClock, random = Math.random, costs = realisticCosts } = options;
  const limits = { ...stockLimits, ...options.limits };
  const ending = new AbortController();
  const host = generateKeyPair();
  const client = generateKeyPair({ comment: "medic demo" });
  const hostPublic = ssh2.utils.parseKey(host.public);
  if (hostPublic instanceof Error) throw hostPublic;
  const homelab = createHomelab(clock, ending.signal);
  const folder = await mkdtemp(join(tmpdir(), "medic-sandbox-"));
  const identity = join(folder, "medic_ed25519");
  await writeFile(identity, client.private, { mode: 0o600 });
  const server = await startSshd({
    clock,
    random,
    limits,
    costs,
    user: USER,
    hostKey: host.private,
    authorizedKey: client.public,
    execute: async (commandLine, streams, signal) =>
      await homelab.execute(commandLine, { ...streams, user: USER, signal }),
  });
  return {
    address: server.address,
    port: server.port,
    user: USER,
    identity,
    privateKey: client.private,
    hostKey: fingerprint(hostPublic.getPublicSSH()),
    limits,
    homelab,
    counts: server.counts,
    log: server.log,
    close: async () => {
      ending.abort(new Error("the sandbox closes"));
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
