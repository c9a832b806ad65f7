import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { createSignatures, linkTo } from "../../core/http/link-signature.ts";
import type { Log } from "../../core/log.ts";
import { alert } from "../incident/world.ts";
import { asking as askingAtDoor } from "./front-door.ts";

/** One approval with its link, as a phone would use it: without any token. */
async function asking() {
  const lines: string[] = [];
  const write = (event: string, fields: object = {}): void => void lines.push(`${event} ${JSON.stringify(fields)}`);
  const log: Log = { debug: write, info: write, warning: write, error: write };
  const door = await askingAtDoor({ log });
  const approval = door.approvals.find(door.id);
  assert.ok(approval !== undefined);
  const link = new URL(linkTo("https://medic.example/", door.signatures, approval)).pathname;
  const get = async (path = link): Promise<Response> => door.app.request(path);
  const answer = async (decision: string, path = link): Promise<Response> =>
    door.app.request(path, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: `decision=${decision}`,
    });
  const state = (): string => door.journal.incident(door.incident)?.state.is ?? "";
  return { ...door, approval, link, get, answer, state, lines };
}

describe("a signed link", () => {
  it("shows what would run, why, and what was seen, and does nothing by being looked at", async () => {
    const { get, app, link, state, journal, incident } = await asking();
    const events = journal.events(incident).length;
    const response = await get();
    assert.equal(response.status, 200);
    const page = await response.text();
    assert.match(page, /sudo docker restart -- 3a191c2c/);
    assert.match(page, /Run docker_restart on nexus\?/);
    assert.match(page, /trust: reversible/);
    assert.match(page, /docker_status/);
    assert.match(page, /<button class="yes" name="decision" value="approve">/);
    await app.request(link, { method: "HEAD" });
    assert.equal(state(), "awaiting-approval");
    assert.equal(journal.events(incident).length, events);
  });

  it("runs nothing in the browser, is kept by nobody and told to nobody", async () => {
    const { get } = await asking();
    const { headers } = await get();
    const policy = headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      assert.ok(policy.includes(rule), rule);
    assert.ok(!policy.includes("unsafe"));
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.match(headers.get("content-type") ?? "", /^text\/html; charset=utf-8/i);
  });

  it("says yes once; the second time it says what the first one was", async () => {
    const { answer, state, journal, incident, get, lines } = await asking();
    const first = await answer("approve");
    assert.equal(first.status, 200);
    assert.match(await first.text(), /Agreed by link/);
    assert.equal(state(), "open");
    const events = journal.events(incident).length;
    const second = await answer("approve");
    assert.equal(second.status, 409);
    assert.match(await second.text(), /Nothing was done with this answer: it was approved by link/);
    assert.equal((await answer("deny")).status, 409);
    assert.equal(journal.events(incident).length, events);
    assert.ok(lines.some((line) => line.startsWith("link_used_again")));
    const seen = await (await get()).text();
    assert.ok(!seen.includes("<form"), "nothing left to answer");
  });

  it("says no, and then nothing can be agreed to", async () => {
    const { answer, state } = await asking();
    const response = await answer("deny");
    assert.equal(response.status, 200);
    assert.match(await response.text(), /Refused by link/);
    assert.equal(state(), "escalated");
    assert.equal((await answer("approve")).status, 409);
    assert.equal(state(), "escalated");
  });

  it("counts to its last moment and not beyond", async () => {
    const early = await asking();
    early.clock.advance(59_999);
    assert.equal((await early.answer("approve")).status, 200);
    const late = await asking();
    late.clock.advance(60_000);
    const response = await late.answer("approve");
    assert.equal(response.status, 410);
    assert.match(await response.text(), /expired/);
    assert.equal(late.state(), "escalated");
    assert.ok(late.lines.some((line) => line.startsWith("link_used_again")));
    assert.ok(late.journal.events(late.incident).some(({ kind }) => kind === "approval-expired"));
    assert.equal((await late.get()).status, 410);
  });

  it("says so when nobody is asked any more", async () => {
    const { answer, get, intake, journal, incident, state } = await asking();
    const alert = journal.incident(incident)?.alert;
    assert.ok(alert !== undefined);
    await intake.accept([{ ...alert, status: "resolved" }]);
    assert.equal((await get()).status, 410);
    const response = await answer("approve");
    assert.equal(response.status, 410);
    assert.match(await response.text(), /withdrawn/);
    assert.equal(state(), "resolved");
  });

  it("takes neither another word nor another form of body", async () => {
    const { answer, app, link, state } = await asking();
    assert.equal((await answer("maybe")).status, 400);
    const headers = { "content-type": "application/json" };
    const json = await app.request(link, { method: "POST", headers, body: '{"decision":"approve"}' });
    assert.equal(json.status, 415);
    const long = await answer(`approve&x=${"y".repeat(2000)}`);
    assert.equal(long.status, 413);
    assert.equal(state(), "awaiting-approval");
  });
});

describe("a link that was not signed so", () => {
  it("does nothing, shows nothing and is logged: tampered, of another approval, of another key, made up", async () => {
    const { answer, get, link, approval, state, id, signatures, lines } = await asking();
    const signature = link.split("/").at(-1) ?? "";
    const other = createSignatures(randomBytes(32));
    const flipped = (signature.startsWith("A") ? "B" : "A") + signature.slice(1);
    const wrong = [
      `/a/${id}/${flipped}`,
      `/a/${id}/${signature.slice(0, -2)}`,
      `/a/${id}/${signature}AA`,
      `/a/${id}/x`,
      `/a/${id}/${other.of(approval)}`,
      `/a/${id}/${signatures.of({ ...approval, id: `${approval.incident}.2` })}`,
      `/a/${id}/${signatures.of({ ...approval, digest: "e".repeat(64) })}`,
      `/a/${id}/${signatures.of({ ...approval, expiresAt: "2030-01-01T00:00:00.000Z" })}`,
      `/a/${approval.incident}/${signature}`,
      `/a/${approval.incident}.2/${signature}`,
      `/a/nothing/${signature}`,
    ];
    for (const path of wrong) {
      for (const response of [await get(path), await answer("approve", path)]) {
        assert.equal(response.status, 403, path);
        assert.ok(!(await response.text()).includes("docker_restart"), path);
      }
    }
    assert.equal(state(), "awaiting-approval");
    assert.ok(lines.filter((line) => line.startsWith("request_refused")).length >= wrong.length);
    assert.equal((await answer("approve")).status, 200, "the right one still counts");
  });

  it("may not be guessed at for ever", async () => {
    const { get, link } = await asking();
    const statuses = new Set<number>();
    for (let tries = 0; tries < 61; tries++) statuses.add((await get(`${link.slice(0, -1)}_${tries}`)).status);
    assert.deepEqual([...statuses], [403, 429]);
    assert.equal((await get()).status, 200);
  });
});

describe("the page of an approval", () => {
  it("escapes everything, and lets nothing hide in a command", async () => {
    const { app, signatures, record, opened, clock, approvals } = await askingAtDoor();
    const incident = await opened(alert({ service: "caddy" }));
    const hostile = `"><script>alert(1)</script>`;
    record(incident, {
      kind: "approval-requested",
      approval: `${incident}.1`,
      host: "nexus",
      tool: "docker_restart",
      input: {},
      steps: [["root", "docker", "restart", `a\u202eb;${hostile}`]],
      touches: [hostile],
      risk: "destructive",
      why: hostile,
      said: hostile,
      evidence: [hostile],
      digest: "d".repeat(64),
      expiresAt: new Date(clock.now() + 60_000).toISOString(),
    });
    const approval = approvals.find(`${incident}.1`);
    assert.ok(approval !== undefined);
    const response = await app.request(new URL(linkTo("http://x", signatures, approval)).pathname);
    const page = await response.text();
    assert.ok(!page.includes("<script"), page);
    assert.ok(page.includes("\\u{202e}"), page);
    assert.match(page, /class="risk destructive"/);
  });
});
