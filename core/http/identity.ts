// Which machine a host's name stands for: a person says so, and fixes go there from then on. What it is used for is not
// known here.
//
//   POST /hosts/:host/identity {hostKey?, machine?}
import type { Context, Hono } from "hono";
import * as v from "valibot";
import type { HostIdentity } from "../incident/fix.ts";
import { RequestError, shown } from "./request-error.ts";
import { valid } from "./valid.ts";

/** False when hosts.yaml has no such host. */
export type AcceptHost = (host: string, identity: HostIdentity, by: string) => boolean;

const identityShape = v.pipe(
  v.strictObject({
    hostKey: v.exactOptional(v.pipe(v.string(), v.regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "expected SHA256:…"))),
    machine: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "expected 32 hexadecimal digits"))),
  }),
  v.check((identity) => Object.keys(identity).length > 0, "expected a host key or a machine"),
);

/** Adds the route to the application. */
export function identityRoutes(
  app: Hono<{ Variables: { owner: string } }>,
  accept: AcceptHost,
  body: (c: Context) => Promise<unknown>,
): void {
  app.post("/hosts/:host/identity", async (c) => {
    const host = c.req.param("host");
    const identity = valid(identityShape, await body(c), "the body");
    if (accept(host, identity, c.get("owner"))) return c.json({ host, identity }, 201);
    throw new RequestError(404, `There is no host "${shown(host)}" in hosts.yaml`);
  });
}
