import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { incidentKey } from "../../core/incident/alert.ts";
import { type AlertRule, targetFor, targetOf } from "../../core/incident/target.ts";
import { alert, known, settings } from "./world.ts";

const aim = (labels: Record<string, string>, rules: AlertRule[] = []) =>
  targetOf(alert({ labels }), { ...settings, rules }, known);
const unclear = (target: ReturnType<typeof aim>): string =>
  typeof target === "object" && "unclear" in target ? target.unclear : `clear: ${JSON.stringify(target)}`;

describe("where an alert points", () => {
  it("is the host and service its labels name", () => {
    const target = { host: "nexus", plugin: "docker", service: "scrypted" };
    assert.deepEqual(aim({ host: "nexus", service: "scrypted" }), target);
    assert.deepEqual(aim({ hostname: "nexus", container: "scrypted" }), target);
    assert.deepEqual(aim({ host: "", instance: "nexus:9100", name: "scrypted" }), target);
  });

  it("is the host itself when no label names a service", () => {
    assert.deepEqual(aim({ host: "nexus" }), { host: "nexus" });
    assert.deepEqual(aim({ host: "nexus", service: "" }), { host: "nexus" });
  });

  it("takes a host by name or address with port and scheme off, compared whole", () => {
    for (const instance of ["nexus", "nexus:9100", "192.0.2.11", "192.0.2.11:9100", "https://192.0.2.11:10443/login"]) {
      assert.deepEqual(aim({ instance }), { host: "nexus" }, instance);
    }
    for (const instance of [
      "nexus2",
      "nexus.lan",
      "NEXUS",
      "xnexus",
      "nexus:9100:1",
      "nexus:port",
      "192.0.2.1",
      "192.0.2.110",
      "https://evil@nexus/",
      "https://nexus.evil/",
      "ftp://nexus/",
      "nexus\n",
      "--nexus",
      "constructor",
      "__proto__",
    ]) {
      assert.match(unclear(aim({ instance })), /no host in hosts.yaml/, instance);
    }
  });

  it("does not take the monitor's own loopback for a host here", () => {
    assert.match(unclear(aim({ instance: "localhost:9090" })), /no host in hosts.yaml/);
    assert.deepEqual(aim({ instance: "self:9090" }), { host: "self" });
  });

  it("does not choose between two hosts with one address", () => {
    const hosts = { one: { address: "192.0.2.1" }, two: { address: "192.0.2.1" } };
    const target = targetOf(alert({ labels: { instance: "192.0.2.1:22" } }), settings, { ...known, hosts });
    assert.match(unclear(target), /or more than one/);
  });

  it("does not look at another label when the first one present names an unknown host", () => {
    assert.match(unclear(aim({ host: "vega", instance: "nexus:9100" })), /"vega"/);
  });

  it("is unclear, with what to do, without a host or without a plugin that heals the service", () => {
    assert.match(
      unclear(aim({ service: "scrypted" })),
      /no label names the host \(host, hostname, instance\).*alerts.rules/,
    );
    assert.match(
      unclear(aim({ host: "nexus", service: "nobody" })),
      /no plugin of "nexus" heals "nobody".*hosts.nexus.plugins/,
    );
  });

  it("follows the first rule that matches, before the labels", () => {
    const rules: AlertRule[] = [
      { match: { alertname: "Watchdog" }, ignore: true },
      { match: { job: "blackbox-*", instance: "*:10443*" }, host: "atlas", service: "scrypted", plugin: "scrypted" },
      { match: { job: "blackbox-*" }, service: "-" },
    ];
    assert.equal(aim({ alertname: "Watchdog", host: "nexus" }, rules), "ignored");
    assert.deepEqual(aim({ alertname: "Other", host: "nexus" }, rules), { host: "nexus" });
    const blackbox = { job: "blackbox-http", host: "nexus", service: "caddy" };
    assert.deepEqual(aim({ ...blackbox, instance: "https://x:10443/login" }, rules), {
      host: "atlas",
      plugin: "scrypted",
      service: "scrypted",
    });
    assert.deepEqual(aim({ ...blackbox, instance: "x:80" }, rules), { host: "nexus" });
    assert.deepEqual(aim(blackbox, rules), { host: "nexus" });
    assert.match(unclear(aim({ host: "nexus" }, [{ match: { host: "*" }, host: "vega" }])), /"vega"/);
  });

  it("takes what a person names exactly or not at all", () => {
    assert.deepEqual(targetFor("nexus", undefined, known), { host: "nexus" });
    assert.deepEqual(targetFor("nexus", "scrypted", known), { host: "nexus", plugin: "docker", service: "scrypted" });
    assert.match(unclear(targetFor("nexus:22", "scrypted", known)), /has no host "nexus:22"/);
    assert.match(unclear(targetFor("toString", undefined, known)), /has no host/);
  });

  it("is never a host that no label names exactly, whatever the labels", () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom("nexus", "nexus ", "nexus;id", "$(nexus)", "nexus:1", "atlas\0"),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("host", "instance", "service", "name", "x"), text), (labels) => {
        const target = aim(labels);
        assert.ok(target !== "ignored");
        if ("unclear" in target) return assert.ok(incidentKey(target, "f").startsWith("?"));
        const named = labels["host"] || labels["instance"] || "";
        assert.ok(named === target.host || named.startsWith(`${target.host}:`), `${named} → ${target.host}`);
      }),
      { numRuns: 500 },
    );
  });
});

describe("an incident's key", () => {
  it("is host, plugin and service, and not the alert's name", () => {
    assert.equal(incidentKey({ host: "nexus", plugin: "docker", service: "scrypted" }), "nexus/docker:scrypted");
    assert.equal(incidentKey({ host: "nexus" }), "nexus/-");
  });

  it("keeps unclear alerts apart from clear ones and, where they name nothing, from each other", () => {
    assert.equal(incidentKey({ unclear: "x", host: "vega", service: "a" }), "?vega/a");
    assert.notEqual(incidentKey({ unclear: "x" }, "f1"), incidentKey({ unclear: "x" }, "f2"));
  });
});
