// Who comes in: a token that is known, not too often, and with the role that its request needs. The role is read from the
// request alone, so a route that somebody adds is closed until it is meant to be open. It refuses to know what is behind.
import type { Context } from "hono";
import type { Log } from "../log.ts";
import { Rate } from "./rate.ts";
import { RequestError } from "./request-error.ts";
import { ownerOf, presentedToken, type Role, type Token } from "./tokens.ts";

/** Read anew at each request. */
export type DoorParts = {
  tokens: readonly Token[];
  limits: { requestsPerMinute: number; failedLoginsPerMinute: number };
  now(): number;
  log: Log;
};

/** Makes the door: it answers with the name of the token's owner, or throws RequestError 401, 403 or 429. */
export function createDoor(parts: DoorParts): (c: Context) => string {
  const requests = new Rate(() => parts.now());
  const failures = new Rate(() => parts.now());
  return (c) => {
    const owner = authenticated(c, parts, failures);
    const taken = requests.take(owner.name, parts.limits.requestsPerMinute);
    if (taken.is === "empty") {
      const limit = `${parts.limits.requestsPerMinute} requests a minute (limits.requestsPerMinute in hosts.yaml)`;
      if (taken.isFirst) parts.log.warning("requests_limited", { token: owner.name, limit });
      throw new RequestError(
        429,
        `Cannot take the request: the token "${owner.name}" made ${limit}`,
        taken.waitSeconds,
      );
    }
    const role = roleFor(c.req.method, c.req.path);
    if (owner.roles.includes(role)) return owner.name;
    parts.log.warning("request_refused", { path: shownPath(c), why: "role", token: owner.name, needs: role });
    const has = `the token "${owner.name}" has the roles ${owner.roles.join(", ")}, and this needs ${role}`;
    throw new RequestError(403, `Cannot take the request: ${has}. Add it below server.tokens in hosts.yaml`);
  };
}

/** `intake`: the webhooks. `read`: everything that only shows. `operate`: everything else, also what there is not yet. */
export function roleFor(method: string, path: string): Role {
  if (path.startsWith("/webhooks/")) return "intake";
  return method === "GET" || method === "HEAD" ? "read" : "operate";
}

/** Only failures are counted by address: behind a proxy all share one, and a stranger must not shut out the monitor. */
function authenticated(c: Context, { tokens, limits, log }: DoorParts, failures: Rate): Token {
  const presented = presentedToken(c.req.header("authorization"));
  const owner = presented === undefined ? undefined : ownerOf(presented, tokens);
  if (owner !== undefined) return owner;
  const from = addressOf(c);
  const taken = failures.take(from, limits.failedLoginsPerMinute);
  if (taken.is === "empty") {
    const limit = `${limits.failedLoginsPerMinute} a minute (limits.failedLoginsPerMinute in hosts.yaml)`;
    if (taken.isFirst) log.warning("logins_limited", { from, limit });
    throw new RequestError(429, `Cannot take the request: too many without a valid token, ${limit}`, taken.waitSeconds);
  }
  log.warning("request_refused", { path: shownPath(c), why: presented === undefined ? "no token" : "token", from });
  const advice =
    tokens.length === 0
      ? "hosts.yaml has no server.tokens. Run medic token new"
      : `${presented === undefined ? "it has no token" : "its token is not one of server.tokens"}. Send "Authorization: Bearer <token>"`;
  throw new RequestError(401, `Cannot take the request: ${advice}`);
}

function shownPath(c: Context): string {
  return c.req.path.slice(0, 200);
}

function addressOf(c: Context): string {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  return env?.incoming?.socket?.remoteAddress ?? "unknown";
}
