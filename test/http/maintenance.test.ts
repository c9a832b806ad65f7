import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { errorShape, maintenanceShape, windowAnswerShape } from "../../core/http/shapes.ts";
import { frontDoor } from "./front-door.ts";

async function errorOf(response: Response): Promise<string> {
  return v.parse(errorShape, await response.json()).error;
}

describe("maintenance over HTTP", () => {
  it("is started, listed and ended, and keeps whose token it was", async () => {
    const { ask, post, maintenance } = frontDoor();
    const answer = await post("/maintenance", {
      host: "nexus",
      service: "scrypted",
      forSeconds: 7200,
      reason: "disks",
    });
    assert.equal(answer.status, 201);
    const { window } = v.parse(windowAnswerShape, await answer.json());
    assert.deepEqual([window.by, window.until, window.reason], ["monitor", "2026-11-23T14:00:00.000Z", "disks"]);
    const listed = v.parse(maintenanceShape, await (await ask("/maintenance")).json());
    assert.deepEqual(listed.windows, [window]);
    assert.deepEqual(
      listed.next.map(({ host, since }) => [host, since]),
      [["atlas", "2026-11-29T03:00:00.000Z"]],
    );
    assert.equal((await ask("/maintenance?host=nexus&service=scrypted", { method: "DELETE" })).status, 200);
    assert.equal(maintenance.over("nexus", ["scrypted"]), undefined);
  });

  it("lasts an hour unless somebody says otherwise, a minute at least and seven days at most", async () => {
    const { post } = frontDoor();
    const untilOf = async (body: object): Promise<string> => {
      const answer = await post("/maintenance", { host: "nexus", ...body });
      return answer.status === 201
        ? v.parse(windowAnswerShape, await answer.json()).window.until
        : String(answer.status);
    };
    assert.equal(await untilOf({}), "2026-11-23T13:00:00.000Z");
    assert.equal(await untilOf({ forSeconds: 60 }), "2026-11-23T12:01:00.000Z");
    assert.equal(await untilOf({ forSeconds: 59 }), "400");
    assert.equal(await untilOf({ forSeconds: 604_800 }), "2026-11-30T12:00:00.000Z");
    assert.equal(await untilOf({ forSeconds: 604_801 }), "400");
  });

  it("says what is wrong with a request", async () => {
    const { ask, post } = frontDoor();
    assert.match(await errorOf(await post("/maintenance", { host: "nexsu" })), /no host "nexsu"/);
    assert.match(await errorOf(await post("/maintenance", { host: "nexus", service: "a b" })), /"service" in the body/);
    assert.match(await errorOf(await post("/maintenance", { host: "nexus", hours: 2 })), /"hours" in the body/);
    const none = await ask("/maintenance?host=nexus", { method: "DELETE" });
    assert.equal(none.status, 404);
    assert.match(await errorOf(none), /none is open by that name/);
  });

  it("is for the role operate to change, and for read to look at", async () => {
    const reader = frontDoor({ roles: ["read"] });
    assert.equal((await reader.ask("/maintenance")).status, 200);
    assert.equal((await reader.post("/maintenance", { host: "nexus" })).status, 403);
    assert.equal((await reader.ask("/maintenance?host=nexus", { method: "DELETE" })).status, 403);
    assert.deepEqual(reader.maintenance.list().windows, []);
  });
});
