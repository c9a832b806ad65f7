import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rate } from "../../core/http/rate.ts";
import { listen } from "../../core/http/server.ts";
import { errorShape } from "../../core/http/shapes.ts";
import { newToken, type Role, roles } from "../../core/http/tokens.ts";
import { fakeClock } from "../support/clock.ts";
import { keptLog } from "../support/ssh-host.ts";
import { frontDoor, limits, webhook } from "./front-door.ts";
import * as v from "valibot";

const errorOf = async (response: Response): Promise<string> => v.parse(errorShape, await response.json()).error;

/** Each way in, with a request that its role may make. */
const ways: readonly [role: Role, method: string, path: string, body?: object][] = [
  ["intake", "POST", "/webhooks/alertmanager", webhook({})],
  ["intake", "POST", "/webhooks/generic", {}],
  ["read", "GET", "/incidents"],
  ["read", "GET", "/incidents/x"],
  ["read", "HEAD", "/incidents"],
  ["read", "GET", "/hosts"],
  ["read", "GET", "/metrics"],
  ["read", "GET", "/maintenance"],
  ["operate", "POST", "/maintenance", { host: "nexus" }],
  ["operate", "DELETE", "/maintenance?host=nexus"],
  ["operate", "POST", "/incidents", { host: "nexus" }],
  ["operate", "POST", "/hosts/nexus/tools/docker_status", {}],
  // What there is not is closed to whoever may only read: a route that somebody adds begins closed.
  ["operate", "POST", "/not-there-yet"],
  ["operate", "DELETE", "/incidents/x"],
  ["read", "GET", "/not-there-yet"],
];

describe("a token's roles", () => {
  it("open what they are for and nothing else, and the refusal says which role is missing", async () => {
    for (const own of roles) {
      for (const [needs, method, path, body] of ways) {
        const { ask, journal } = frontDoor({ roles: [own] });
        const response = await ask(path, {
          method,
          headers: { "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const what = `${own}: ${method} ${path}`;
        if (own === needs) assert.notEqual(response.status, 403, what);
        else {
          assert.equal(response.status, 403, what);
          if (method !== "HEAD") {
            const says = `the token "monitor" has the roles ${own}, and this needs ${needs}. Add it below server.tokens`;
            assert.ok((await errorOf(response)).includes(says), what);
          }
          assert.equal(journal.incidents().length, 0, what);
        }
      }
    }
  });

  it("are added up, and the tool of a host gets nobody's call who may not operate", async () => {
    let calls = 0;
    const runTool = (): Promise<undefined> => Promise.resolve(void calls++);
    const door = (own: readonly Role[]) => frontDoor({ roles: own, runTool });
    const path = "/hosts/nexus/tools/docker_restart";
    assert.equal((await door(["intake", "read"]).post(path, { approved: true })).status, 403);
    assert.equal(calls, 0);
    assert.equal((await door(["read", "operate"]).post(path, { approved: true })).status, 404);
    assert.equal(calls, 1);
  });
});

describe("requests of one token", () => {
  it("are refused beyond the limit, with the time after which one goes through again", async () => {
    const { log, events } = keptLog();
    const { ask, post, clock, journal } = frontDoor({ limits: { ...limits, requestsPerMinute: 3 }, log });
    for (let count = 0; count < 3; count++) assert.equal((await ask("/incidents")).status, 200);
    const refused = await post("/webhooks/alertmanager", webhook({}));
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "20");
    assert.match(
      await errorOf(refused),
      /"monitor" made 3 requests a minute \(limits.requestsPerMinute in hosts.yaml\)/,
    );
    assert.equal(journal.incidents().length, 0);
    clock.advance(19_000);
    assert.equal((await ask("/incidents")).headers.get("retry-after"), "1");
    clock.advance(1000);
    assert.equal((await post("/webhooks/alertmanager", webhook({}))).status, 202);
    assert.equal((await ask("/incidents")).status, 429);
    // Once for each time that the limit was met, and not for each request.
    assert.equal(events.filter(({ event }) => event === "requests_limited").length, 2);
  });

  it("let a storm of 500 alerts in 500 requests through, as hosts.yaml has it by default", async () => {
    const { post, journal } = frontDoor();
    const all = Array.from({ length: 500 }, (_, index) =>
      post("/webhooks/alertmanager", webhook({ service: `s${index}` })),
    );
    const answers = await Promise.all(all);
    assert.deepEqual(
      answers.filter(({ status }) => status !== 202),
      [],
    );
    assert.equal(journal.incidents().length, 500);
  });

  it("leave other tokens and the probes alone", async () => {
    const [one, two] = [newToken(), newToken()];
    const tokens = [one, two].map(({ sha256 }, index) => ({ name: `t${index}`, sha256, roles }));
    const { app } = frontDoor({ tokens, limits: { ...limits, requestsPerMinute: 1 } });
    const as = async ({ token }: { token: string }): Promise<number> =>
      (await app.request("/hosts", { headers: { authorization: `Bearer ${token}` } })).status;
    assert.deepEqual([await as(one), await as(one), await as(two), await as(two)], [200, 429, 200, 429]);
    assert.equal((await app.request("/livez")).status, 200);
  });
});

describe("requests without a valid token", () => {
  const from = (remoteAddress: string): object => ({ incoming: { socket: { remoteAddress } } });

  it("are refused by address beyond the limit, and shut out nobody who has one", async () => {
    const { log, events } = keptLog();
    const { app, authorization, clock } = frontDoor({ limits: { ...limits, failedLoginsPerMinute: 2 }, log });
    const bad = async (address: string, headers: Record<string, string> = {}): Promise<Response> =>
      app.request("/incidents", { headers }, from(address));
    assert.equal((await bad("192.0.2.1")).status, 401);
    assert.equal((await bad("192.0.2.1", { authorization: "Bearer guess" })).status, 401);
    const refused = await bad("192.0.2.1", { authorization: "Bearer guess" });
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "30");
    assert.match(await errorOf(refused), /too many without a valid token, 2 a minute/);
    assert.equal((await bad("192.0.2.1")).status, 429);
    assert.equal((await bad("192.0.2.1", { authorization })).status, 200);
    assert.equal((await bad("192.0.2.2")).status, 401);
    clock.advance(30_000);
    assert.equal((await bad("192.0.2.1")).status, 401);
    assert.equal(events.filter(({ event }) => event === "logins_limited").length, 1);
  });

  it("are told apart by the address of their connection", async () => {
    const door = frontDoor({ limits: { ...limits, failedLoginsPerMinute: 1 } });
    const listening = await listen(door.app, { host: "127.0.0.1", port: 0 });
    const url = `http://127.0.0.1:${listening.port}/incidents`;
    assert.equal((await fetch(url)).status, 401);
    assert.equal((await fetch(url)).status, 429);
    assert.equal((await door.app.request("/incidents", {}, from("192.0.2.9"))).status, 401);
    await listening.close(0);
  });
});

describe("a rate", () => {
  it("never gives more than a minute's worth at once, also after a long quiet and a clock set back", () => {
    const clock = fakeClock();
    const rate = new Rate(clock.now);
    const taken = (): number => {
      let count = 0;
      while (rate.take("a", 10).is === "taken") count++;
      return count;
    };
    assert.equal(taken(), 10);
    clock.advance(3_600_000);
    assert.equal(taken(), 10);
    clock.advance(-3_600_000);
    assert.equal(taken(), 0);
    clock.advance(6000);
    assert.equal(taken(), 1);
  });

  it("remembers only so many names, and forgets the one that was quiet the longest", () => {
    const rate = new Rate(fakeClock().now);
    assert.equal(rate.take("first", 1).is, "taken");
    for (let name = 0; name < 4095; name++) rate.take(String(name), 1);
    assert.equal(rate.take("first", 1).is, "empty");
    rate.take("one more", 1);
    assert.equal(rate.take("first", 1).is, "empty");
    assert.equal(rate.take("0", 1).is, "taken");
  });
});
