// The whole way in without a network: the application in front of a real intake and a real journal in memory.
import { randomBytes } from "node:crypto";
import { type AppParts, createApp } from "../../core/http/app.ts";
import { createSignatures } from "../../core/http/link-signature.ts";
import { newToken, type Role, roles } from "../../core/http/tokens.ts";
import { silent } from "../../core/log.ts";
import type { IncidentEvent } from "../../core/incident/incident.ts";
import { world } from "../incident/world.ts";

const latency = { count: 13, sumSeconds: 0.13, p50Seconds: 0.01, p95Seconds: 0.02 } as const;

export const statistics = {
  host: "nexus",
  transport: "ssh",
  state: "open",
  open: 1,
  dials: 1,
  reuses: 12,
  commands: 13,
  inFlight: 0,
  waiting: 0,
  refusedOpens: 0,
  channelLimit: 10,
  warm: 1,
  closes: { idle: 1 },
  latency: { queue: latency, dial: latency, open: latency, run: latency },
  connectedAt: "2026-11-23T12:00:00.000Z",
} as const;

export const limits = { alertBytes: 1024 * 1024, requestsPerMinute: 6000, failedLoginsPerMinute: 60 } as const;

export function frontDoor(bend: Partial<AppParts> & { roles?: readonly Role[] } = {}) {
  const around = world();
  const { token, sha256 } = newToken();
  const signatures = createSignatures(randomBytes(32));
  const parts: AppParts = {
    intake: around.intake,
    journal: around.journal,
    approvals: around.approvals,
    channels: () => [{ channel: "phone", sent: 3, failed: 2, givenUp: 1, waiting: 4 }],
    isSigned: (approval, signature) => signatures.isOf(approval, signature),
    maintenance: around.maintenance,
    acceptHost(host, identity, by) {
      if (host !== "nexus") return false;
      around.journal.note({ kind: "host-accepted", host, identity, by });
      return true;
    },
    statistics: () => [statistics],
    runTool: () => Promise.resolve(undefined),
    tokens: [
      { name: "other", sha256: newToken().sha256, roles },
      { name: "monitor", sha256, roles: bend.roles ?? roles },
    ],
    limits,
    trouble: () => around.journal.trouble(),
    now: around.clock.now,
    log: silent,
    ...bend,
  };
  const app = createApp(parts);
  const authorization = `Bearer ${token}`;
  /** With the token, unless `headers` say otherwise. */
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> =>
    app.request(path, { ...init, headers: { authorization, ...(init.headers as Record<string, string>) } });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    ask(path, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  return { ...around, app, token, authorization, ask, post, signatures };
}

/** As Alertmanager sends it. */
export function webhook(...alerts: { host?: string; service?: string; status?: string }[]): object {
  return {
    version: "4",
    status: "firing",
    alerts: alerts.map(({ host = "nexus", service = "scrypted", status = "firing" }) => ({
      status,
      labels: { alertname: "ServiceDown", host, service },
      annotations: {},
      startsAt: "2026-11-23T11:59:00Z",
      endsAt: "0001-01-01T00:00:00Z",
      fingerprint: `${host}-${service}`,
    })),
  };
}

/** A question as the agent writes it down. */
function question(incident: string, expiresAt: string): IncidentEvent {
  return {
    kind: "approval-requested",
    approval: `${incident}.1`,
    host: "nexus",
    tool: "docker_restart",
    input: { name: "scrypted" },
    steps: [["root", "docker", "restart", "--", "3a191c2c"]],
    touches: ["scrypted"],
    risk: "disruptive",
    why: '"docker_restart" is disruptive and "nexus" has trust: reversible in hosts.yaml',
    evidence: ['docker_status: {"running":true,"health":"unhealthy"}'],
    digest: "d".repeat(64),
    expiresAt,
  };
}

/** One approval of a minute is out. */
export async function asking(bend: Parameters<typeof frontDoor>[0] = {}) {
  const door = frontDoor(bend);
  const incident = await door.opened();
  door.record(
    incident,
    { kind: "investigation-started", resumed: false },
    question(incident, new Date(door.clock.now() + 60_000).toISOString()),
  );
  return { ...door, incident, id: `${incident}.1` };
}
