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

export type Door = {
  /** Answers with the name of the token's owner, or throws RequestError 401, 403 or 429. */
  enter(c: Context): string;
  /** Counts one who came with something wrong; throws RequestError 429 when that was too often. */
  refused(c: Context, why: string): void;
};

export function createDoor(parts: DoorParts): Door {
  const requests = new Rate(() => parts.now());
  const failures = new Rate(() => parts.now());
  const refused = (c: Context, why: string): void => countFailure(c, why, parts, failures);
  const enter = (c: Context): string => {
    const owner = authenticated(c, parts, refused);
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
  return { enter, refused };
}

/** `intake`: the webhooks. `read`: everything that only shows. `operate`: everything else, also what there is not yet. */
export function roleFor(method: string, path: string): Role {
  if (path.startsWith("/webhooks/")) return "intake";
  return method === "GET" || method === "HEAD" ? "read" : "operate";
}

function authenticated(c: Context, { tokens }: DoorParts, refused: Door["refused"]): Token {
  const presented = presentedToken(c.req.header("authorization"));
  const owner = presented === undefined ? undefined : ownerOf(presented, tokens);
  if (owner !== undefined) return owner;
  refused(c, presented === undefined ? "no token" : "token");
  const advice =
    tokens.length === 0
      ? "hosts.yaml has no server.tokens. Run medic token new"
      : `${presented === undefined ? "it has no token" : "its token is not one of server.tokens"}. Send "Authorization: Bearer <token>"`;
  throw new RequestError(401, `Cannot take the request: ${advice}`);
}

/** Only failures are counted by address: behind a proxy all share one, and a stranger must not shut out the monitor. */
function countFailure(c: Context, why: string, { limits, log }: DoorParts, failures: Rate): void {
  const from = addressOf(c);
  const taken = failures.take(from, limits.failedLoginsPerMinute);
  if (taken.is === "taken") return log.warning("request_refused", { path: shownPath(c), why, from });
  const limit = `${limits.failedLoginsPerMinute} a minute (limits.failedLoginsPerMinute in hosts.yaml)`;
  if (taken.isFirst) log.warning("logins_limited", { from, limit });
  throw new RequestError(429, `Cannot take the request: too many without a valid token, ${limit}`, taken.waitSeconds);
}

function shownPath(c: Context): string {
  return c.req.path.slice(0, 200);
}

function addressOf(c: Context): string {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  return env?.incoming?.socket?.remoteAddress ?? "unknown";
}
