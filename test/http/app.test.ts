import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import * as v from "valibot";
import type { ToolRequest } from "../../core/http/app.ts";
import * as shapes from "../../core/http/shapes.ts";
import { newToken, ownerOf, presentedToken, roles } from "../../core/http/tokens.ts";
import { createJournal } from "../../core/incident/journal.ts";
import { facts, fixStarted, world } from "../incident/world.ts";
import { frontDoor, limits, statistics, webhook } from "./front-door.ts";

async function answer<S extends v.GenericSchema>(
  response: Response,
  status: number,
  shape: S,
): Promise<v.InferOutput<S>> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  return v.parse(shape, JSON.parse(text));
}
const refused = async (response: Response, status: number, says: RegExp): Promise<void> => {
  const { error } = await answer(response, status, shapes.errorShape);
  assert.match(error, says);
  assert.ok(!error.includes("\n"));
};
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

describe("the door", () => {
  it("opens to a bearer token and to basic auth with the token as password, and to nothing else", async () => {
    const { ask, token } = frontDoor();
    for (const authorization of [
      `Bearer ${token}`,
      `bearer  ${token}`,
      basic("alertmanager", token),
      basic("", token),
    ]) {
      assert.equal((await ask("/incidents", { headers: { authorization } })).status, 200, authorization);
    }
    for (const authorization of [
      "",
      "Bearer",
      "Bearer ",
      `Bearer ${token}x`,
      `Bearer ${token.slice(0, -1)}`,
      `Token ${token}`,
      token,
      `Bearer ${token} ${token}`,
      `Basic ${token}`,
      basic(token, ""),
      basic("x", `${token}\0`),
      `Bearer ${"x".repeat(5000)}`,

      `Bearer ${Buffer.from(newToken().sha256, "hex").toString("base64")}`,
    ]) {
      const response = await ask("/incidents", { headers: { authorization } });
      assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="medic", Basic realm="medic"');
      await refused(response, 401, /Send "Authorization: Bearer <token>"/);
    }
  });

  it("is closed on every path but the probes, also where there is nothing, and stores nothing", async () => {
    const { app, journal } = frontDoor();
    const body = JSON.stringify(webhook({}));
    const headers = { "content-type": "application/json" };
    for (const path of [
      "/webhooks/alertmanager",
      "/webhooks/generic",
      "/incidents",
      "/hosts/nexus/tools/docker_restart",
    ]) {
      await refused(await app.request(path, { method: "POST", body, headers }), 401, /it has no token/);
    }
    for (const path of ["/incidents", "/incidents/x", "/hosts", "/nothing", "/livez/x", "/LIVEZ", "//livez", "/"]) {
      assert.equal((await app.request(path)).status, 401, path);
    }
    assert.equal((await app.request("/livez", { method: "POST" })).status, 401);
    assert.equal(journal.incidents().length, 0);
  });

  it("opens to nobody when there are no tokens, and says how to make one", async () => {
    const { ask } = frontDoor({ tokens: [] });
    await refused(await ask("/incidents"), 401, /no server.tokens. Run medic token new/);
  });

  it("shows its health to anybody: alive, and ready as long as alerts can be stored", async () => {
    let trouble: string | undefined;
    const { app } = frontDoor({ trouble: () => trouble });
    assert.deepEqual(await answer(await app.request("/livez"), 200, shapes.liveShape), { live: true });
    assert.deepEqual(await answer(await app.request("/readyz"), 200, shapes.readyShape), { ready: true });
    trouble = "the disk is full";
    assert.deepEqual(await answer(await app.request("/readyz"), 503, shapes.readyShape), {
      ready: false,
      why: trouble,
    });
    assert.equal((await app.request("/livez")).status, 200);
  });

  it("says what is not there, and what is there takes", async () => {
    const { ask } = frontDoor();
    await refused(await ask("/nothing"), 404, /There is nothing at GET "\/nothing"/);
    const response = await ask("/webhooks/alertmanager");
    assert.match(response.headers.get("allow") ?? "", /POST/);
    await refused(response, 405, /Cannot GET "\/webhooks\/alertmanager": it takes .*POST/);
    await refused(await ask("/hosts", { method: "DELETE" }), 405, /it takes GET/);
  });

  it("tells nobody what broke inside", async () => {
    const { ask } = frontDoor({
      statistics: () => {
        throw new Error("secret detail");
      },
    });
    await refused(await ask("/hosts"), 500, /^Cannot answer: something in Medic broke. Its log says what$/);
  });
});

describe("tokens", () => {
  it("are long, never the same, and known by their hash only", () => {
    const [one, other] = [newToken(), newToken()];
    assert.match(one.token, /^medic_[\w-]{43}$/);
    assert.notEqual(one.token, other.token);
    assert.match(one.sha256, /^[0-9a-f]{64}$/);
    assert.equal(
      ownerOf(one.token, [
        { name: "x", roles, ...other },
        { name: "y", roles, ...one },
      ])?.name,
      "y",
    );
    assert.equal(ownerOf(one.token, [{ name: "x", roles, ...other }]), undefined);
    assert.equal(ownerOf(one.sha256, [{ name: "y", roles, ...one }]), undefined);
    assert.equal(ownerOf("", [{ name: "broken", roles, sha256: "" }]), undefined);
  });

  it("are read from any header without breaking", () => {
    fc.assert(fc.property(fc.string(), (header) => void presentedToken(header)));
    assert.equal(presentedToken(basic("user", "a:b")), "a:b");
    assert.equal(presentedToken(undefined), undefined);
  });
});

describe("POST /webhooks/alertmanager", () => {
  it("stores the alerts of a real body before it answers with their incidents", async () => {
    const { post, journal } = frontDoor();
    const real = readFileSync(join(import.meta.dirname, "../fixtures/alertmanager-webhook-firing.json"), "utf8");
    const body = await answer(await post("/webhooks/alertmanager", real), 202, shapes.acceptedShape);
    assert.deepEqual([body.accepted, body.ignored], [1, 0]);
    const [taken] = body.incidents;
    assert.equal(taken?.key, "?lab-host1/scrypted");
    assert.equal(journal.incident(taken?.id ?? "")?.alert.fingerprint, "e48d6faf382bfead");
  });

  it("takes fifty of the same at once for one incident", async () => {
    const { post, journal } = frontDoor();
    const answers = await Promise.all(Array.from({ length: 50 }, () => post("/webhooks/alertmanager", webhook({}))));
    const ids = new Set<string | undefined>();
    for (const one of answers) ids.add((await answer(one, 202, shapes.acceptedShape)).incidents[0]?.id);
    assert.equal(ids.size, 1);
    assert.equal(journal.incidents().length, 1);
    assert.equal(journal.verify().intact, true);
  });

  it("reads each alert's own status inside a group that fires", async () => {
    const { post } = frontDoor();
    await post("/webhooks/alertmanager", webhook({}, { service: "caddy" }));
    const group = webhook({ status: "resolved" }, { service: "caddy" });
    const { incidents } = await answer(await post("/webhooks/alertmanager", group), 202, shapes.acceptedShape);
    assert.deepEqual(
      incidents.map(({ key, state }) => [key, state]),
      [
        ["nexus/docker:scrypted", "resolved"],
        ["nexus/docker:caddy", "open"],
      ],
    );
  });

  it("refuses what it cannot read, with the reason, and stores nothing of it", async () => {
    const { post, ask, journal } = frontDoor();
    const path = "/webhooks/alertmanager";
    const half = { alerts: [...(webhook({}) as { alerts: object[] }).alerts, { status: "firing" }] };
    const json = "application/json";
    const wrong: [Promise<Response>, number, RegExp][] = [
      [post(path, ""), 400, /it is not JSON/],
      [post(path, "{"), 400, /it is not JSON/],
      [post(path, "null"), 400, /expected an object/],
      [post(path, "[]"), 400, /"alerts": is missing/],
      [post(path, half), 400, /"alerts.1.labels": is missing/],
      [post(path, `${"[".repeat(65)}${"]".repeat(65)}`), 400, /nested deeper than 64/],
      [post(path, "[".repeat(500_000)), 400, /nested deeper than 64/],
      [post(path, `{"a":"${"[".repeat(100)}"}`), 400, /"alerts": is missing/],
      [
        post(path, webhook({}), { "content-type": "text/plain" }),
        415,
        /its type is "text\/plain". Send application\/json/,
      ],
      [post(path, webhook({}), { "content-type": "" }), 415, /Send application\/json/],
      [post(path, webhook({}), { "content-type": "application/jsonx" }), 415, /Send application\/json/],
      [
        ask(path, { method: "POST", body: Uint8Array.of(0x22, 0xff, 0x22), headers: { "content-type": json } }),
        400,
        /UTF-8/,
      ],
      [ask(path, { method: "POST", headers: { "content-type": json } }), 400, /it is not JSON/],
    ];
    for (const [response, status, says] of wrong) await refused(await response, status, says);
    assert.equal(journal.incidents().length, 0);
    for (const type of ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]) {
      assert.equal((await post(path, webhook({}), { "content-type": type })).status, 202, type);
    }
  });

  it("takes a body of the largest size, and refuses one byte more, said or counted", async () => {
    const { post, ask } = frontDoor({ limits: { ...limits, alertBytes: 2000 } });
    const path = "/webhooks/alertmanager";
    const padded = (bytes: number): string => JSON.stringify(webhook({})).padEnd(bytes, " ");
    assert.equal((await post(path, padded(2000))).status, 202);
    await refused(await post(path, padded(2001)), 413, /larger than 2000 bytes \(limits.alertBytes/);
    const chunked = (bytes: number): Promise<Response> => {
      const whole = new TextEncoder().encode(padded(bytes));
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < whole.length; at += 100) controller.enqueue(whole.slice(at, at + 100));
          controller.close();
        },
      });
      const init = { method: "POST", body, duplex: "half", headers: { "content-type": "application/json" } };
      return ask(path, init);
    };
    assert.equal((await chunked(2000)).status, 202);
    await refused(await chunked(2001), 413, /larger than 2000 bytes/);
    await refused(await post(path, padded(2000), { "content-length": "2001" }), 413, /larger than/);
  });

  it("keeps hostile labels as data", async () => {
    const { post, journal } = frontDoor();
    const service = "x; reboot\n$(id) `id` --help \0 '\"";
    const { incidents } = await answer(
      await post("/webhooks/alertmanager", webhook({ service })),
      202,
      shapes.acceptedShape,
    );
    const stored = journal.incident(incidents[0]?.id ?? "");
    assert.equal(stored?.target.service, service.replace("\0", "\uFFFD"));
    assert.equal(stored?.id, journal.findLive(stored?.key ?? "")?.id);
  });

  it("says 503 and when to come again while the disk is full, and takes the alert when there is space", async () => {
    const database = new DatabaseSync(":memory:");
    const journal = createJournal(database, "test", { now: Date.now });
    const { intake } = world({ journal });
    const { post, app } = frontDoor({ intake, journal, trouble: () => journal.trouble() });
    const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
    database.exec(`PRAGMA max_page_count = ${pages}`);
    const long = webhook(...Array.from({ length: 200 }, (_, index) => ({ service: `s${index}${"x".repeat(500)}` })));
    const response = await post("/webhooks/alertmanager", long);
    assert.equal(response.headers.get("retry-after"), "10");
    await refused(response, 503, /Cannot write the journal "test": the disk is full/);
    assert.equal(journal.incidents().length, 0);
    database.exec("PRAGMA max_page_count = 100000");
    assert.equal(
      (await answer(await post("/webhooks/alertmanager", long), 202, shapes.acceptedShape)).incidents.length,
      200,
    );
    assert.equal((await app.request("/readyz")).status, 200);
  });

  it("answers 202 or 4xx, and never breaks, whatever the body", async () => {
    const { post } = frontDoor();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.json().map((json) => `{"alerts":[${json}]}`),
        ),
        async (body) => {
          const { status } = await post("/webhooks/alertmanager", body);
          assert.ok(status === 202 || status === 400, String(status));
        },
      ),
    );
  });
});

describe("POST /webhooks/generic", () => {
  const generic = {
    mapping: { status: "s", firing: ["down"], resolved: ["up"], name: "n", host: "h", service: "c", key: "k" },
    names: { host: "host", service: "service" },
  };

  it("reads what hosts.yaml maps, firing and resolved", async () => {
    const { post, journal } = frontDoor({ generic });
    const body = { s: "down", n: "Scrypted", h: "nexus", c: "scrypted", k: 7 };
    const { incidents } = await answer(await post("/webhooks/generic", body), 202, shapes.acceptedShape);
    assert.equal(incidents[0]?.key, "nexus/docker:scrypted");
    await post("/webhooks/generic", { ...body, s: "up" });
    assert.equal(journal.incident(incidents[0]?.id ?? "")?.state.is, "resolved");
  });

  it("refuses what is not mapped, and everything without a mapping", async () => {
    const body = { s: "paused", n: "Scrypted", h: "nexus", c: "scrypted", k: 7 };
    await refused(
      await frontDoor({ generic }).post("/webhooks/generic", body),
      400,
      /"s" \(alerts.generic.status\) is "paused"/,
    );
    await refused(await frontDoor().post("/webhooks/generic", body), 501, /hosts.yaml has no alerts.generic/);
  });
});

describe("GET /incidents", () => {
  it("lists the newest first, by state and number", async () => {
    const { ask, post, record, journal } = frontDoor();
    await post("/webhooks/alertmanager", webhook({}, { service: "a" }, { service: "b" }));
    record(journal.findLive("nexus/docker:a")?.id ?? "", { kind: "escalated", reason: "no idea" });
    const keys = async (query: string): Promise<string[]> =>
      (await answer(await ask(`/incidents${query}`), 200, shapes.incidentsShape)).incidents.map(({ key }) => key);
    assert.deepEqual(await keys(""), ["nexus/docker:b", "nexus/docker:a", "nexus/docker:scrypted"]);
    assert.deepEqual(await keys("?limit=1"), ["nexus/docker:b"]);
    assert.deepEqual(await keys("?state=escalated,resolved"), ["nexus/docker:a"]);
    assert.deepEqual(await keys("?state=open&limit=1000"), ["nexus/docker:b", "nexus/docker:scrypted"]);
    assert.deepEqual(await keys("?state=dismissed"), []);
    await refused(await ask("/incidents?state=closed"), 400, /"state.0" in the query: expected some of open/);
    for (const limit of ["0", "1001", "-1", "1e2", "x", ""]) {
      await refused(await ask(`/incidents?limit=${limit}`), 400, /"limit" in the query: expected a number/);
    }
    await refused(await ask("/incidents?stat=open"), 400, /"stat" in the query/);
  });

  it("tells one incident's story, and that there is none", async () => {
    const { ask, opened, record } = frontDoor();
    const id = await opened();
    const judged = { kind: "fix-judged", tool: "x", input: {}, outcome: "fixed", facts, why: "it runs" } as const;
    record(id, fixStarted, { ...judged, firstHealthyAt: "2026-11-23T12:00:07.000Z" });
    record(id, { kind: "resolved", by: "medic", why: "it runs" });
    const story = await answer(await ask(`/incidents/${id}`), 200, shapes.incidentStoryShape);
    assert.deepEqual(
      story.events.map(({ kind }) => kind),
      ["incident-opened", "fix-started", "fix-judged", "resolved"],
    );
    assert.equal(story.incident.durationSeconds, 7);
    await refused(await ask("/incidents/20261123-0000-nothing"), 404, /There is no incident "20261123-0000-nothing"/);
    await refused(await ask("/incidents/..%2Fhosts"), 404, /There is no incident/);
  });
});

describe("POST /incidents", () => {
  it("opens an incident for a person, and folds a second request into it", async () => {
    const { post } = frontDoor();
    const ask = async () =>
      answer(await post("/incidents", { host: "nexus", service: "scrypted" }), 202, shapes.investigationShape);
    const { incident } = await ask();
    assert.deepEqual([incident.key, incident.state], ["nexus/docker:scrypted", "open"]);
    assert.equal((await ask()).incident.id, incident.id);
    const host = await answer(await post("/incidents", { host: "nexus" }), 202, shapes.investigationShape);
    assert.equal(host.incident.key, "nexus/-");
  });

  it("opens one of its own for a dry run, for whoever may operate and nobody else", async () => {
    const { post, journal } = frontDoor();
    const wanted = { host: "nexus", service: "scrypted", dryRun: true };
    const { incident } = await answer(await post("/incidents", wanted), 202, shapes.investigationShape);
    assert.equal(incident.key, `nexus/docker:scrypted/dry-run/${incident.id}`);
    assert.equal(journal.incident(incident.id)?.onlyPlans, true);
    const other = await answer(await post("/incidents", { ...wanted, dryRun: false }), 202, shapes.investigationShape);
    assert.equal(other.incident.key, "nexus/docker:scrypted");
    const reader = frontDoor({ roles: ["read", "intake"] });
    await refused(await reader.post("/incidents", wanted), 403, /needs operate/);
    assert.deepEqual(reader.journal.incidents(), []);
  });

  it("refuses what is not in hosts.yaml, and what it does not understand", async () => {
    const { post, journal } = frontDoor();
    await refused(
      await post("/incidents", { host: "nexus", dryRun: "no" }),
      400,
      /"dryRun" in the body: expected true/,
    );
    await refused(await post("/incidents", { host: "vega" }), 404, /hosts.yaml has no host "vega"/);
    await refused(
      await post("/incidents", { host: "nexus", service: "nobody" }),
      404,
      /no plugin of "nexus" heals "nobody"/,
    );
    await refused(await post("/incidents", {}), 400, /"host" in the body/);
    await refused(await post("/incidents", { host: "" }), 400, /"host" in the body: is empty/);
    await refused(await post("/incidents", { host: "nexus", force: true }), 400, /"force" in the body/);
    assert.equal(journal.incidents().length, 0);
  });
});

describe("hosts", () => {
  it("show what their connections did", async () => {
    const { ask } = frontDoor();
    assert.deepEqual(await answer(await ask("/hosts"), 200, shapes.hostsShape), { hosts: [statistics] });
  });

  it("take a tool's call from a person, with whose token it was, and unapproved unless it says so", async () => {
    const calls: ToolRequest[] = [];
    const { post } = frontDoor({
      runTool: (call) => {
        calls.push(call);
        if (call.host !== "nexus") return Promise.resolve(undefined);
        return Promise.resolve({ tool: call.tool, outcome: "found", finding: { running: true } });
      },
    });
    const path = "/hosts/nexus/tools/docker_status";
    const found = await answer(await post(path, { input: { name: "scrypted" } }), 200, shapes.toolAnswerShape);
    assert.deepEqual(found, { tool: "docker_status", outcome: "found", finding: { running: true } });
    await post(path, { approved: true });
    const call = { host: "nexus", tool: "docker_status", by: "monitor" };
    assert.deepEqual(calls, [
      { ...call, input: { name: "scrypted" }, approved: false },
      { ...call, input: {}, approved: true },
    ]);
    await refused(await post("/hosts/vega/tools/docker_status", {}), 404, /There is no host "vega"/);
    for (const [body, says] of [
      [{ input: [] }, /"input" in the body: expected an object/],
      [{ approved: "yes" }, /"approved" in the body: expected true or false/],
      [{ host: "atlas" }, /"host" in the body/],
    ] as const) {
      await refused(await post(path, body), 400, says);
    }
    assert.equal(calls.length, 3);
  });
});
