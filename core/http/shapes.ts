// The JSON that the API answers with, as schemas: the promise to whoever reads it, and what the tests hold real answers
// to. New keys may come; none of these goes or changes its meaning.
import * as v from "valibot";

const instant = v.pipe(v.string(), v.isoTimestamp());
const count = v.pipe(v.number(), v.minValue(0));
const labels = v.record(v.string(), v.string());

/** Every refusal and failure. */
export const errorShape = v.strictObject({ error: v.pipe(v.string(), v.minLength(1)) });

/** The states of an incident. */
export const stateName = v.picklist([
  "open",
  "investigating",
  "awaiting-approval",
  "fixing",
  "verifying",
  "resolved",
  "escalated",
  "dismissed",
]);
const takenShape = v.object({ id: v.string(), key: v.string(), state: stateName });

/** `POST /webhooks/…` → 202. */
export const acceptedShape = v.object({ accepted: count, ignored: count, incidents: v.array(takenShape) });

/** `POST /incidents` → 202. */
export const investigationShape = v.object({ incident: takenShape });

const alertShape = v.object({
  source: v.string(),
  fingerprint: v.string(),
  status: v.picklist(["firing", "resolved"]),
  name: v.string(),
  labels,
  annotations: labels,
  startsAt: instant,
  endsAt: v.optional(instant),
});

const attemptShape = v.object({
  fix: v.string(),
  input: v.record(v.string(), v.unknown()),
  outcome: v.string(),
  why: v.string(),
  facts: v.optional(v.object({ began: v.string(), changed: v.string(), healthy: v.string() })),
});

/** One incident as it stands. `alertCleared` in a resolved state: whether the monitor agrees. */
export const incidentShape = v.object({
  id: v.string(),
  key: v.string(),
  target: v.object({
    host: v.optional(v.string()),
    plugin: v.optional(v.string()),
    service: v.optional(v.string()),
    unclear: v.optional(v.string()),
  }),
  alert: alertShape,
  firing: v.array(v.string()),
  alerts: count,
  state: v.looseObject({ is: stateName }),
  attempts: v.array(attemptShape),
  earlier: v.optional(v.array(attemptShape)),
  reopenedAt: v.optional(instant),
  onlyPlans: v.optional(v.literal(true)),
  dryRun: v.optional(v.literal(true)),
  openedAt: instant,
  changedAt: instant,
  endedAt: v.optional(instant),
  durationSeconds: v.optional(count),
});

/** `GET /incidents`, newest first. */
export const incidentsShape = v.object({ incidents: v.array(incidentShape) });

/** `GET /incidents/:id`, events oldest first. */
export const incidentStoryShape = v.object({
  incident: incidentShape,
  events: v.array(v.looseObject({ sequence: count, incident: v.string(), at: instant, kind: v.string() })),
});

const approvalShape = v.object({
  id: v.string(),
  incident: v.string(),
  key: v.string(),
  host: v.string(),
  tool: v.string(),
  input: v.record(v.string(), v.unknown()),
  steps: v.array(v.array(v.string())),
  touches: v.array(v.string()),
  risk: v.picklist(["reversible", "disruptive", "destructive"]),
  why: v.string(),
  said: v.optional(v.string()),
  evidence: v.array(v.string()),
  digest: v.string(),
  requestedAt: instant,
  expiresAt: instant,
  answer: v.looseObject({ is: v.picklist(["pending", "approved", "denied", "expired", "withdrawn"]) }),
});

/** `GET /approvals`: what waits for a person, oldest first. */
export const approvalsShape = v.object({ approvals: v.array(approvalShape) });

/** `GET /approvals/:id`, by its own id or its incident's; `POST /approvals/:id` answers with it too. */
export const approvalAnswerShape = v.object({ approval: approvalShape });

const windowShape = v.object({
  host: v.string(),
  service: v.optional(v.string()),
  since: instant,
  until: instant,
  by: v.string(),
  reason: v.optional(v.string()),
});

/** `POST /maintenance` → 201; `DELETE /maintenance` → 200, with the end it had now. */
export const windowAnswerShape = v.object({ window: windowShape });

/** `GET /maintenance`: what is open, and what hosts.yaml opens next. */
export const maintenanceShape = v.object({ windows: v.array(windowShape), next: v.array(windowShape) });

const latencyShape = v.object({ count, sumSeconds: count, p50Seconds: count, p95Seconds: count });

/** `GET /hosts`: what the connections did. */
export const hostsShape = v.object({
  hosts: v.array(
    v.object({
      host: v.string(),
      transport: v.picklist(["ssh", "local"]),
      state: v.picklist(["closed", "dialing", "open", "draining"]),
      open: count,
      dials: count,
      reuses: count,
      commands: count,
      inFlight: count,
      waiting: count,
      refusedOpens: count,
      channelLimit: count,
      warm: count,
      closes: v.record(v.string(), count),
      latency: v.object({ queue: latencyShape, dial: latencyShape, open: latencyShape, run: latencyShape }),
      nextDialSeconds: v.optional(count),
      connectedAt: v.optional(instant),
      hostKey: v.optional(v.string()),
      lastError: v.optional(v.string()),
    }),
  ),
});

/** `POST /hosts/:host/tools/:tool`: the outcome decides what else is there. */
export const toolAnswerShape = v.looseObject({ tool: v.string(), outcome: v.string() });

/** `GET /livez`. */
export const liveShape = v.strictObject({ live: v.literal(true) });

/** `GET /readyz`. */
export const readyShape = v.union([
  v.strictObject({ ready: v.literal(true) }),
  v.strictObject({ ready: v.literal(false), why: v.string() }),
]);
