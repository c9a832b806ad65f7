// A whole Medic in this process, called as a person would call it: the real command line, the real HTTP, the real SSH
// client, in front of the sandbox's homelab. Only the homelab is simulated.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOutput } from "../../core/cli/context.ts";
import { runMedic } from "../../core/cli/medic.ts";
import { newToken } from "../../core/http/tokens.ts";
import { createSandbox, type Sandbox } from "../../core/sandbox/sandbox.ts";

export type Told = { code: number; stdout: string; stderr: string };

export type Scenario = AsyncDisposable & {
  sandbox: Sandbox;
  folder: string;
  token: string;
  /** One call of medic, with this scenario's hosts.yaml. */
  medic(...args: string[]): Promise<Told>;
  medicJson(...args: string[]): Promise<unknown>;
  /** `medic serve`, until it is stopped. */
  serve(...args: string[]): Promise<Served>;
  stopScrypted(): Promise<void>;
};

/** A test that fails ends it too, since nothing else would. */
export type Served = AsyncDisposable & {
  url: string;
  log(): string;
  ask(path: string, init?: { method?: string; body?: string; token?: string }): Promise<Response>;
  stop(): Promise<Told>;
};

/** `responder`: that part of hosts.yaml, in place of runbooks only. */
export type Bend = {
  responder?: string;
  listen?: string;
  publicUrl?: string;
  trust?: string;
  protect?: string;
  more?: string;
  privilege?: string;
};

export async function startScenario(bend: Bend = {}): Promise<Scenario> {
  const sandbox = await createSandbox();
  const folder = await mkdtemp(join(tmpdir(), "medic-scenario-"));
  const { token, sha256 } = newToken();
  await writeFile(join(folder, "hosts.yaml"), hostsYaml(sandbox, sha256, bend), { mode: 0o600 });
  const medic = (...args: string[]): Promise<Told> => callMedic(folder, args, new AbortController().signal);
  return {
    sandbox,
    folder,
    token,
    medic,
    async medicJson(...args) {
      const told = await medic(...args, "--json");
      return JSON.parse(told.stdout) as unknown;
    },
    serve: (...args) => startServe(folder, token, args),
    async stopScrypted() {
      await sandbox.homelab.run("docker stop scrypted");
    },
    async [Symbol.asyncDispose]() {
      await sandbox.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One call, without any scenario. */
export async function callMedic(
  folder: string,
  args: readonly string[],
  stop: AbortSignal,
  lines?: Collector,
): Promise<Told> {
  const stdout = lines ?? new Collector();
  const stderr = new Collector();
  const env = { MEDIC_CONFIG: join(folder, "hosts.yaml") };
  const out = createOutput({ stdout, stderr } as never, env);
  const code = await runMedic(args, { env, home: folder, folder, out, stop });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** A stream that keeps what was written. */
export class Collector {
  text = "";
  write(chunk: string): boolean {
    this.text += chunk;
    return true;
  }
}

/** Waits for a claim to become true; fails, after half a minute unless told otherwise, with what it waited for. */
export async function eventually(
  what: string,
  claim: () => boolean | Promise<boolean>,
  withinSeconds = 30,
): Promise<void> {
  for (let tries = 0; tries < withinSeconds * 40; tries++) {
    if (await claim()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`still waiting for: ${what}`);
}

/** A body as Alertmanager sends it. */
export function firing(labels: Record<string, string>, status: "firing" | "resolved" = "firing"): object {
  const alert = {
    status,
    labels: { alertname: "ScryptedDown", ...labels },
    annotations: { summary: "scrypted is down" },
    startsAt: "2026-11-23T20:00:00Z",
    endsAt: status === "firing" ? "0001-01-01T00:00:00Z" : "2026-11-23T20:01:00Z",
    generatorURL: "",
    fingerprint: "e48d6faf382bfead",
  };
  return { version: "4", receiver: "medic", status, groupKey: "g", truncatedAlerts: 0, alerts: [alert] };
}

async function startServe(folder: string, token: string, args: readonly string[]): Promise<Served> {
  const stop = new AbortController();
  const lines = new Collector();
  const ended = callMedic(folder, ["serve", ...args], stop.signal, lines);
  const urlOf = (): string | undefined => /medic_serving .*url=(\S+)/.exec(lines.text)?.[1];
  let early: Told | undefined;
  void ended.then((told) => (early = told));
  await eventually("medic serve to listen", () => urlOf() !== undefined || early !== undefined);
  const url = urlOf();
  if (url === undefined) throw new Error(`medic serve ended: ${early?.stderr}`);
  const end = (): Promise<Told> => {
    stop.abort(new DOMException("the test is over", "AbortError"));
    return ended;
  };
  return {
    url,
    log: () => lines.text,
    ask: (path, { token: own = token, ...init } = {}) =>
      fetch(new URL(path, url), {
        ...init,
        headers: { authorization: `Bearer ${own}`, "content-type": "application/json" },
      }),
    stop: end,
    async [Symbol.asyncDispose]() {
      await end();
    },
  };
}

function hostsYaml(
  sandbox: Sandbox,
  sha256: string,
  {
    responder = "{ order: [runbook] }",
    listen = "127.0.0.1:0",
    publicUrl,
    trust = "disruptive",
    protect = "postgres",
    more = "",
    privilege = "none",
  }: Bend,
): string {
  return `server:
  listen: ${listen}
  data: ./data
${publicUrl === undefined ? "" : `  publicUrl: ${publicUrl}\n`}  tokens: [{ name: test, sha256: ${sha256} }]
responder: ${responder}
limits: { stable: 1s }
${more}
hosts:
  nexus:
    address: ${sandbox.address}
    port: ${sandbox.port}
    user: ${sandbox.user}
    identity: ${sandbox.identity}
    hostKey: ${sandbox.hostKey}
    trust: ${trust}
    privilege: ${privilege}
    protect: [${protect}]
    plugins:
      docker: {}
      systemd: { units: ["*.service"] }
      scrypted: { container: scrypted }
`;
}
