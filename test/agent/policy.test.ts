import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge, type Request } from "../../core/agent/policy.ts";

const request: Request = {
  host: "nexus",
  plugin: "docker",
  tool: "docker_restart",
  risk: "disruptive",
  plan: { touches: ["web"] },
  trust: "disruptive",
  protect: [],
  ownersOf: () => [],
};

describe("policy", () => {
  it("allows what is within trust, and asks for what is above", () => {
    const risks = ["reversible", "disruptive", "destructive"] as const;
    const answers = (trust: Request["trust"]) => risks.map((risk) => judge({ ...request, risk, trust }).is);
    assert.deepEqual(answers("observe"), ["ask", "ask", "ask"]);
    assert.deepEqual(answers("reversible"), ["allow", "ask", "ask"]);
    assert.deepEqual(answers("disruptive"), ["allow", "allow", "ask"]);
  });

  it("refuses a protected name, also by glob, and lets its neighbour through", () => {
    assert.equal(judge({ ...request, plan: { touches: ["web", "users-db"] }, protect: ["*-db"] }).is, "refuse");
    assert.equal(judge({ ...request, plan: { touches: ["web"] }, protect: ["*-db", "we", "eb"] }).is, "allow");
  });

  it("refuses a name that another plugin owns, and allows it to its owner", () => {
    const owned = { ...request, ownersOf: () => ["scrypted"] };
    assert.equal(judge(owned).is, "refuse");
    assert.equal(judge({ ...owned, plugin: "scrypted" }).is, "allow");
  });

  it("refuses a protected name even when a person would be asked", () => {
    assert.equal(judge({ ...request, risk: "destructive", protect: ["web"] }).is, "refuse");
  });

  it("asks when the plan wants approval, whatever the trust", () => {
    const verdict = judge({ ...request, plan: { touches: ["web"], approval: "others depend on it" } });
    assert.deepEqual(verdict, { is: "ask", why: "others depend on it" });
  });

  it("refuses a plan that does not say what it touches", () => {
    assert.equal(judge({ ...request, plan: { touches: [] } }).is, "refuse");
  });
});
