// The alert intake and the API. Let in (door.ts), bound, parse, hand over, answer: a webhook's 202 means that its alerts
// are on disk. It refuses to know how incidents are worked on; what it asks of the other rooms arrives as arguments.
//
//   POST /webhooks/alertmanager   POST /webhooks/generic         GET /livez   GET /readyz   (no token)
//   GET  /incidents               GET  /incidents/:id            POST /incidents {host, service?, dryRun?}
//   GET  /hosts                   POST /hosts/:host/tools/:tool {input?, approved?}   POST /hosts/:host/identity (identity.ts)
//   GET  /approvals               GET  /approvals/:id            POST /approvals/:id {decision}
//   GET  /a/:id/:signature        POST /a/:id/:signature  decision=…   (no token: the signature is the right)
//   GET  /metrics                 (Prometheus)               GET, POST, DELETE /maintenance (maintenance.ts)
import { type Context, Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import * as v from "valibot";
import type { Alert } from "../incident/alert.ts";
import type { IncidentRecord, JournalEvent, State } from "../incident/incident.ts";
import type { Accepted, Taken } from "../incident/intake.ts";
import { JournalError } from "../incident/journal-error.ts";
import { parseAlertmanager } from "../incident/sources/alertmanager.ts";
import { type GenericMapping, type LabelNames, parseGeneric } from "../incident/sources/generic.ts";
import { SourceError } from "../incident/sources/source.ts";
import type { Log } from "../log.ts";
import { redactText } from "../secrets/redact.ts";
import type { Approval } from "../incident/approval.ts";
import { linkRoutes } from "./approval-links.ts";
import { approvalRoutes, type ApprovalsPart } from "./approvals.ts";
import { readJson } from "./body.ts";
import { createDoor, type DoorParts } from "./door.ts";
import { type AcceptHost, identityRoutes } from "./identity.ts";
import { maintenanceRoutes, type MaintenancePart } from "./maintenance.ts";
import { type ChannelNumbers, type HostNumbers, metricsText, metricsType, type Tallies } from "./metrics.ts";
import { RequestError, shown } from "./request-error.ts";
import { valid } from "./valid.ts";
import { stateName } from "./shapes.ts";

/** Read anew at each request, so that tokens and limits may change meanwhile. */
export type AppParts = DoorParts & {
  intake: {
    accept(alerts: readonly Alert[]): Promise<Accepted>;
    investigate(host: string, service: string | undefined, onlyPlans: boolean): Promise<Taken | { refused: string }>;
  };
  journal: {
    incident(id: string): IncidentRecord | undefined;
    incidents(wanted: { states?: readonly State["is"][]; limit?: number }): IncidentRecord[];
    events(id: string): JournalEvent[];
    tallies(): Tallies;
  };
  approvals: ApprovalsPart;
  maintenance: MaintenancePart;
  acceptHost: AcceptHost;
  /** What became of messages, by channel. */
  channels(): readonly ChannelNumbers[];
  /** Whether a link to this approval was signed so. */
  isSigned(approval: Approval, signature: string): boolean;
  /** What the connections did, by host; see `hostsShape`. */
  statistics(): readonly HostNumbers[];
  /** Runs one tool for a person. Undefined when there is no such host. */
  runTool(call: ToolRequest, signal: AbortSignal): Promise<ToolAnswer | undefined>;
  /** How `POST /webhooks/generic` reads a body; without it, it is refused. */
  generic?: { mapping: GenericMapping; names: LabelNames } | undefined;
  limits: { alertBytes: number };
  /** Why alerts cannot be taken at the moment. */
  trouble(): string | undefined;
};

export type ToolRequest = {
  host: string;
  tool: string;
  input: object;
  /** The person agrees to what would only be asked. */
  approved: boolean;
  /** Whose token it was. */
  by: string;
};
export type ToolAnswer = { tool: string; outcome: string };

type Variables = { Variables: { owner: string } };

const BODY_WITHIN_SECONDS = 20;
/** When a monitor may try again. */
const RETRY_AFTER_SECONDS = 10;

const name = v.pipe(v.string("expected text"), v.minLength(1, "is empty"), v.maxLength(253, "is too long"));
const investigationShape = v.strictObject({
  host: name,
  service: v.nullish(name),
  dryRun: v.optional(v.boolean("expected true or false"), false),
});
const toolBodyShape = v.strictObject({
  input: v.optional(
    v.pipe(
      v.unknown(),
      // To a record, a list is an object like any other.
      v.check((input) => !Array.isArray(input), "expected an object"),
      v.record(v.string(), v.unknown(), "expected an object"),
    ),
    {},
  ),
  approved: v.optional(v.boolean("expected true or false"), false),
});
const listingShape = v.strictObject({
  state: v.exactOptional(
    v.pipe(
      v.string(),
      v.transform((text) => text.split(",")),
      v.array(v.picklist(stateName.options, `expected some of ${stateName.options.join(",")}`)),
    ),
  ),
  limit: v.optional(
    v.pipe(v.string(), v.regex(/^([1-9]\d{0,2}|1000)$/, "expected a number from 1 to 1000"), v.transform(Number)),
    "100",
  ),
});

/** Makes the application; it listens to nothing by itself. */
export function createApp(parts: AppParts): Hono<Variables> {
  const app = new Hono<Variables>();
  const { intake, journal } = parts;
  const body = (c: Context): Promise<unknown> =>
    readJson(c.req.raw, { bytesMax: parts.limits.alertBytes, withinSeconds: BODY_WITHIN_SECONDS });

  app.get("/livez", (c) => c.json({ live: true }));
  app.get("/readyz", (c) => {
    const why = parts.trouble();
    return why === undefined ? c.json({ ready: true }) : c.json({ ready: false, why }, 503);
  });

  const door = createDoor(parts);
  linkRoutes(app, parts, door);
  app.use(async (c, next) => {
    c.set("owner", door.enter(c));
    await next();
  });
  app.use(methodNotAllowed({ app, onMethodNotAllowed: otherMethod }));

  app.post("/webhooks/alertmanager", async (c) => {
    const { alerts, truncated } = parseAlertmanager(await body(c));
    if (truncated > 0) parts.log.warning("alerts_truncated", { by: "alertmanager", alerts: truncated });
    return c.json(await intake.accept(alerts), 202);
  });
  app.post("/webhooks/generic", async (c) => {
    const { generic } = parts;
    if (generic === undefined) {
      throw new RequestError(501, "Cannot read the alert: hosts.yaml has no alerts.generic that says how");
    }
    const alert = parseGeneric(await body(c), generic.mapping, generic.names, new Date(parts.now()).toISOString());
    return c.json(await intake.accept([alert]), 202);
  });

  app.get("/incidents", (c) => {
    const { state, limit } = valid(listingShape, c.req.query(), "the query");
    return c.json({ incidents: journal.incidents({ states: state ?? [], limit }) });
  });
  app.get("/incidents/:id", (c) => {
    const incident = journal.incident(c.req.param("id"));
    if (incident === undefined) throw new RequestError(404, `There is no incident "${shown(c.req.param("id"))}"`);
    return c.json({ incident, events: journal.events(incident.id) });
  });
  app.post("/incidents", async (c) => {
    const { host, service, dryRun } = valid(investigationShape, await body(c), "the body");
    const taken = await intake.investigate(host, service ?? undefined, dryRun);
    if ("refused" in taken) throw new RequestError(404, redactText(taken.refused));
    return c.json({ incident: taken }, 202);
  });

  approvalRoutes(app, parts.approvals, body);

  app.get("/metrics", (c) => {
    const measured = {
      hosts: parts.statistics(),
      channels: parts.channels(),
      tallies: journal.tallies(),
      states: stateName.options,
    };
    const text = metricsText({ ...measured, isReady: parts.trouble() === undefined });
    return c.body(text, 200, { "Content-Type": metricsType });
  });
  app.get("/hosts", (c) => c.json({ hosts: parts.statistics() }));
  app.post("/hosts/:host/tools/:tool", async (c) => {
    const { host, tool } = c.req.param();
    const call = { host, tool, ...valid(toolBodyShape, await body(c), "the body"), by: c.get("owner") };
    parts.log.info("tool_requested", { host, tool, by: call.by, approved: call.approved });
    const answer = await parts.runTool(call, c.req.raw.signal);
    if (answer === undefined) throw new RequestError(404, `There is no host "${shown(host)}" in hosts.yaml`);
    return c.json(answer);
  });

  maintenanceRoutes(app, parts.maintenance, body);
  identityRoutes(app, parts.acceptHost, body);

  app.notFound((c) => c.json({ error: `There is nothing at ${c.req.method} "${shown(c.req.path)}"` }, 404));
  app.onError((error, c) => failure(error, c, parts.log));
  return app;
}

function otherMethod(c: Context, allowed: readonly string[]): Response {
  const error = `Cannot ${c.req.method} "${shown(c.req.path)}": it takes ${allowed.join(", ")}`;
  return c.json({ error }, 405, { Allow: allowed.join(", ") });
}

function failure(error: unknown, c: Context, log: Log): Response {
  if (error instanceof SourceError) return c.json({ error: error.message }, 400);
  if (error instanceof RequestError) {
    const headers: Record<string, string> = {};
    if (error.status === 401) headers["WWW-Authenticate"] = 'Bearer realm="medic", Basic realm="medic"';
    if (error.retryAfterSeconds !== undefined) headers["Retry-After"] = String(error.retryAfterSeconds);
    // What is left of a body that was not read to its end would be taken for the next request.
    if (error.status === 413 || error.status === 408) headers["Connection"] = "close";
    return c.json({ error: error.message }, error.status, headers);
  }
  const message = error instanceof Error ? error.message : String(error);
  log.error("request_failed", { path: c.req.path.slice(0, 200), error: message });
  if (error instanceof JournalError) {
    return c.json({ error: message }, 503, { "Retry-After": String(RETRY_AFTER_SECONDS) });
  }
  return c.json({ error: "Cannot answer: something in Medic broke. Its log says what" }, 500);
}
