import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gate, type Asking, type GateParts, type Stopped } from "../../core/agent/gate.ts";
import type { Fix } from "../../core/plugin/contract.ts";
import { lampOn, lampSmash } from "../support/toy.ts";
import { toyAgent } from "../support/agent.ts";

const { parts } = toyAgent();
const asking: Asking = { key: "toy-host/toy:lamp", host: "toy-host" };
const plan = { steps: [["root", "lamp", "on", "lamp"] as const], touches: ["lamp"] };

function stop(bend: Partial<GateParts>, how: Partial<Asking> = {}, fix: Fix = lampOn, of = plan): Stopped | undefined {
  const gated = gate({ ...parts, ...bend }, { ...asking, ...how }, fix, { name: "lamp" }, of);
  return "why" in gated ? gated : undefined;
}

function answer(bend: Partial<GateParts>, how: Partial<Asking> = {}): string | undefined {
  return stop(bend, how)?.why;
}

describe("the budget of all hosts together", () => {
  const started = (all: number): Partial<GateParts> => ({ fixesSince: () => ({ service: 0, host: 0, all }) });

  it("lets the last fix through, and no further one", () => {
    assert.equal(answer(started(19)), undefined);
    assert.match(
      answer(started(20)) ?? "",
      /^20 fixes on all hosts together in the last 60 min \(limits in hosts.yaml\)/,
    );
  });

  it("binds a person who agreed as well", () => {
    assert.match(answer(started(20), { approved: true }) ?? "", /on all hosts together/);
  });
});

describe("a fix that needs a person's yes", () => {
  const observing = { ownership: () => ({ trust: "observe" as const, protect: [] }) };

  it("is asked for while there is room in every budget, and never when the yes could not let it run", () => {
    const started = { service: 2, host: 5, all: 19 };
    assert.ok(stop({ ...observing, fixesSince: () => started })?.planned?.asks);
    const open = { tool: "lamp_on", incident: "i0" };
    for (const over of [{ service: 3 }, { host: 6 }, { all: 20 }, { open }]) {
      const stopped = stop({ ...observing, fixesSince: () => ({ ...started, ...over }) });
      assert.match(stopped?.why ?? "", /a person should look$/);
      assert.equal(stopped?.planned, undefined);
    }
  });
});

describe("maintenance, to a fix", () => {
  const maintenanceOf = (host: string, services: readonly string[]): string | undefined =>
    host === "toy-host" && services.includes("lamp") ? "maintenance of the lamp" : undefined;

  it("refuses what would touch the service, and asks nobody whether it may", () => {
    const stopped = stop({ maintenanceOf });
    assert.equal(stopped?.why, "no fix is wanted now: maintenance of the lamp");
    assert.equal(stopped?.planned, undefined);
  });

  it("lets a fix of another service, of another host, and one that a person agreed to, through", () => {
    const other = { ...plan, touches: ["heater"] };
    assert.equal(stop({ maintenanceOf }, {}, lampOn, other), undefined);
    assert.equal(answer({ maintenanceOf }, { host: "atlas" }), undefined);
    assert.equal(answer({ maintenanceOf }, { approved: true }), undefined);
    assert.equal(answer({ maintenanceOf }, { agreedTo: ({ tool }) => tool === "lamp_on" }), undefined);
    assert.match(answer({ maintenanceOf }, { agreedTo: () => false }) ?? "", /no fix is wanted now/);
  });

  it("refuses every fix for an alert that asks for none", () => {
    assert.match(
      answer({}, { hold: 'the alert has the label medic_hold="true"' }) ?? "",
      /no fix is wanted now: the alert/,
    );
    assert.equal(answer({}), undefined);
  });

  it("does not take the place of policy: what is refused stays refused", () => {
    const protect = { ownership: () => ({ trust: "disruptive" as const, protect: ["lamp"] }), maintenanceOf };
    const stopped = stop(protect, { approved: true }, lampSmash);
    assert.match(stopped?.why ?? "", /protect/);
  });
});

describe("a host whose services fixes did not help", () => {
  const unhelped = (...services: string[]): Partial<GateParts> => ({ unhelpedSince: () => services });

  it("has to be looked at once there are two, and not for one", () => {
    assert.equal(answer(unhelped("heater")), undefined);
    assert.match(
      answer(unhelped("heater", "lamp")) ?? "",
      /^look at "toy-host" itself first: fixes of heater, lamp did not help in the last 10 min/,
    );
  });

  it("may itself be fixed, and a person may agree to a fix of a service", () => {
    const both = unhelped("heater", "lamp");
    assert.equal(answer(both, { key: "toy-host/-" }), undefined);
    assert.equal(answer(both, { approved: true }), undefined);
    assert.equal(answer(both, { agreedTo: () => true }), undefined);
  });

  it("is asked about over the breaker's own window, and not at all with breakerWindow: 0", () => {
    const asked: unknown[] = [];
    const unhelpedSince = (...asking: unknown[]): string[] => (asked.push(asking), ["a", "b"]);
    assert.ok(answer({ unhelpedSince }));
    assert.deepEqual(asked, [["toy-host", parts.now() - 600_000]]);
    assert.equal(answer({ unhelpedSince, limits: { ...parts.limits, breakerWindow: 0 } }), undefined);
  });
});
