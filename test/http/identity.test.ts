import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frontDoor } from "./front-door.ts";

const identity = { hostKey: `SHA256:${"A".repeat(43)}`, machine: "0".repeat(32) };

describe("which machine a host is, over HTTP", () => {
  it("is what a person with the right to operate says, and nobody else", async () => {
    const { post, journal } = frontDoor();
    assert.equal((await post("/hosts/nexus/identity", identity)).status, 201);
    assert.deepEqual(journal.identityOf("nexus"), identity);
    const reader = frontDoor({ roles: ["read", "intake"] });
    assert.equal((await reader.post("/hosts/nexus/identity", identity)).status, 403);
    assert.equal(reader.journal.identityOf("nexus"), undefined);
  });

  it("is refused for an unknown host and in another form", async () => {
    const { post, journal } = frontDoor();
    assert.equal((await post("/hosts/vega/identity", identity)).status, 404);
    for (const wrong of [{ machine: "x" }, { hostKey: "SHA256:" }, { ...identity, trust: "disruptive" }, []]) {
      assert.equal((await post("/hosts/nexus/identity", wrong)).status, 400);
    }
    assert.equal(journal.identityOf("nexus"), undefined);
  });
});
