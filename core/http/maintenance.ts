// Maintenance windows over HTTP: list, start, end. Who may is the door's to say; what a window holds back is not known here.
//
//   GET /maintenance   POST /maintenance {host, service?, forSeconds?, reason?}   DELETE /maintenance?host=H[&service=S]
import type { Context, Hono } from "hono";
import * as v from "valibot";
import { type Maintenance, WINDOW_SECONDS } from "../incident/maintenance.ts";
import { RequestError } from "./request-error.ts";
import { valid } from "./valid.ts";

export type MaintenancePart = Pick<Maintenance, "start" | "end" | "list">;
type Env = { Variables: { owner: string } };

const host = v.pipe(v.string("expected text"), v.minLength(1, "is empty"), v.maxLength(63, "is too long"));
const service = v.pipe(
  v.string("expected text"),
  v.regex(/^[^\s[\]{}!,|\p{Cc}]{1,200}$/u, "expected a name, with * and ? as the only wildcards"),
);
const { default: usual, atLeast, atMost } = WINDOW_SECONDS;
const seconds = `expected seconds, from ${atLeast} to ${atMost}`;
const startShape = v.strictObject({
  host,
  service: v.exactOptional(service),
  forSeconds: v.optional(
    v.pipe(v.number(seconds), v.integer(seconds), v.minValue(atLeast, seconds), v.maxValue(atMost, seconds)),
    usual,
  ),
  reason: v.exactOptional(
    v.pipe(v.string("expected text"), v.regex(/^[^\p{Cc}]{1,200}$/u, "expected one line, 200 characters at most")),
  ),
});
const endShape = v.strictObject({ host, service: v.exactOptional(service) });

/** Adds the routes to the application. */
export function maintenanceRoutes(
  app: Hono<Env>,
  maintenance: MaintenancePart,
  body: (c: Context) => Promise<unknown>,
): void {
  app.get("/maintenance", (c) => c.json(maintenance.list()));
  app.post("/maintenance", async (c) => {
    const wanted = valid(startShape, await body(c), "the body");
    const window = maintenance.start({ ...wanted, by: c.get("owner") });
    if ("refused" in window) throw new RequestError(404, window.refused);
    return c.json({ window }, 201);
  });
  app.delete("/maintenance", (c) => {
    const scope = valid(endShape, c.req.query(), "the query");
    const window = maintenance.end({ ...scope, by: c.get("owner") });
    if ("refused" in window) throw new RequestError(404, window.refused);
    return c.json({ window });
  });
}
