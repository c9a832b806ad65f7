// A link whose dials and hosts the test plays, on a clock that the test moves.
import assert from "node:assert/strict";
import type { Log } from "../../core/log.ts";
import type { ConnectionCap } from "../../core/transport/connection-cap.ts";
import type { Connection } from "../../core/transport/connection.ts";
import { TransportError } from "../../core/transport/errors.ts";
import { Link } from "../../core/transport/link.ts";
import type { PoolSettings } from "../../core/transport/link-settings.ts";
import type { Terms } from "../../core/transport/request.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { FakeConnection } from "./fake-connection.ts";

const pool: PoolSettings = {
  idleTimeout: 300,
  keepaliveInterval: 15,
  keepaliveCount: 3,
  maxChannels: "auto",
  dialTimeout: 10,
  commandTimeout: 60,
  queue: 1000,
  outputBytes: 1024,
};
export const read: Terms = { kind: "diagnostic", tool: "docker_status", commandSeconds: 20 };
export const change: Terms = { kind: "fix", tool: "docker_restart", commandSeconds: 20 };

/** A link whose dials the test answers. */
export function linkWith(
  settings: Partial<PoolSettings> = {},
  { cap, clock = new FakeClock() }: { cap?: ConnectionCap; clock?: FakeClock } = {},
) {
  const dials: PromiseWithResolvers<Connection>[] = [];
  const events: { level: string; event: string; fields: Record<string, unknown> }[] = [];
  const at =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}) =>
      void events.push({ level, event, fields });
  const log: Log = { debug: at("debug"), info: at("info"), warning: at("warning"), error: at("error") };
  const dial = () => {
    const attempt = Promise.withResolvers<Connection>();
    dials.push(attempt);
    return attempt.promise;
  };
  const random = () => 0.5;
  const own = { ...pool, ...settings };
  const link = new Link({ host: "nexus", transport: "ssh", pool: own, log, clock, cap, random, dial });
  const connect = async (connection = new FakeConnection()) => {
    dials.at(-1)?.resolve(connection);
    await settled();
    return connection;
  };
  const logged = (event: string) => events.filter((one) => one.event === event).map((one) => one.fields);
  return { link, clock, dials, events, connect, logged };
}

/** The TransportError that a promise must fail with, named by its kind. */
export async function failure(promise: Promise<unknown>): Promise<TransportError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TransportError, String(error));
  assert.equal(error.name, error.kind);
  return error;
}
