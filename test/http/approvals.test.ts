import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { approvalAnswerShape, approvalsShape, errorShape } from "../../core/http/shapes.ts";
import { asking } from "./front-door.ts";

const errorOf = async (response: Response): Promise<string> => v.parse(errorShape, await response.json()).error;

describe("GET /approvals", () => {
  it("shows what waits for a person, with the exact commands", async () => {
    const { ask, id } = await asking();
    const { approvals } = v.parse(approvalsShape, await (await ask("/approvals")).json());
    assert.deepEqual(
      approvals.map(({ id: one, steps, answer }) => [one, steps, answer.is]),
      [[id, [["root", "docker", "restart", "--", "3a191c2c"]], "pending"]],
    );
  });

  it("shows one by its own id and by its incident's", async () => {
    const { ask, id, incident } = await asking();
    for (const name of [id, incident]) {
      const { approval } = v.parse(approvalAnswerShape, await (await ask(`/approvals/${name}`)).json());
      assert.equal(approval.id, id);
    }
  });

  it("answers 404 for one that there is not", async () => {
    const { ask, incident } = await asking();
    for (const id of [`${incident}.2`, "x"]) assert.equal((await ask(`/approvals/${id}`)).status, 404);
  });
});

describe("POST /approvals/:id", () => {
  it("writes down a yes and who gave it", async () => {
    const { post, id, incident, journal } = await asking();
    const response = await post(`/approvals/${id}`, { decision: "approve", by: "alex" });
    assert.equal(response.status, 200);
    const { approval } = v.parse(approvalAnswerShape, await response.json());
    assert.equal(approval.answer.is, "approved");
    const given = journal.events(incident).find((event) => event.kind === "approval-given");
    assert.equal(given?.by, "alex (monitor)");
    assert.equal(journal.incident(incident)?.state.is, "open");
  });

  it("writes down a no, and leaves the incident to a person", async () => {
    const { post, id, incident, journal } = await asking();
    assert.equal((await post(`/approvals/${id}`, { decision: "deny" })).status, 200);
    assert.equal(journal.incident(incident)?.state.is, "escalated");
  });

  it("refuses the second answer and says what the first one was", async () => {
    const { post, id, journal, incident } = await asking();
    await post(`/approvals/${id}`, { decision: "deny" });
    const events = journal.events(incident).length;
    const second = await post(`/approvals/${id}`, { decision: "approve" });
    assert.equal(second.status, 409);
    assert.match(await errorOf(second), /was denied by monitor at /);
    assert.equal(journal.events(incident).length, events);
  });

  it("refuses an answer that comes too late, and one to what is over", async () => {
    const { post, id, clock, journal, incident } = await asking();
    clock.advance(60_000);
    const late = await post(`/approvals/${id}`, { decision: "approve" });
    assert.equal(late.status, 410);
    assert.match(await errorOf(late), /expired/);
    assert.equal(journal.incident(incident)?.state.is, "escalated");
    const other = await asking();
    await other.intake.accept([{ ...(await alertOf(other)), status: "resolved" }]);
    assert.equal((await other.post(`/approvals/${other.id}`, { decision: "approve" })).status, 410);
  });

  it("refuses what is no decision, and an id of nothing", async () => {
    const { post, id, journal, incident } = await asking();
    for (const body of [{}, { decision: "yes" }, { decision: "approve", more: 1 }, { decision: "deny", by: "a b" }, []])
      assert.equal((await post(`/approvals/${id}`, body)).status, 400);
    assert.equal((await post(`/approvals/${incident}.9`, { decision: "approve" })).status, 404);
    assert.equal(journal.incident(incident)?.state.is, "awaiting-approval");
  });

  it("needs the role operate, and reading the role read", async () => {
    const reader = await asking({ roles: ["read"] });
    assert.equal((await reader.ask(`/approvals/${reader.id}`)).status, 200);
    assert.equal((await reader.post(`/approvals/${reader.id}`, { decision: "approve" })).status, 403);
    assert.equal(reader.journal.incident(reader.incident)?.state.is, "awaiting-approval");
    const monitor = await asking({ roles: ["intake"] });
    assert.equal((await monitor.ask("/approvals")).status, 403);
    const nobody = await monitor.ask("/approvals", { headers: { authorization: "Bearer no" } });
    assert.equal(nobody.status, 401);
  });
});

async function alertOf({ journal, incident }: Pick<Awaited<ReturnType<typeof asking>>, "journal" | "incident">) {
  const alert = journal.incident(incident)?.alert;
  assert.ok(alert !== undefined);
  return alert;
}
