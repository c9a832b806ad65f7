import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { parseAlertmanager } from "../../core/incident/sources/alertmanager.ts";
import { type GenericMapping, parseGeneric } from "../../core/incident/sources/generic.ts";
import { SourceError } from "../../core/incident/sources/source.ts";

type Body = { alerts: Record<string, unknown>[] } & Record<string, unknown>;

const fixture = (status: string): Body => {
  const file = join(import.meta.dirname, "../fixtures", `alertmanager-webhook-${status}.json`);
  return JSON.parse(readFileSync(file, "utf8")) as Body;
};
const withAlert = (bend: Record<string, unknown>): Body => {
  const body = fixture("firing");
  return { ...body, alerts: [{ ...body.alerts[0], ...bend }] };
};
const first = (body: unknown) => parseAlertmanager(body).alerts[0];

describe("Alertmanager's alerts", () => {
  it("are read from a real body while they fire: the year 1 is no end", () => {
    const { alerts, truncated } = parseAlertmanager(fixture("firing"));
    assert.equal(truncated, 0);
    assert.equal(alerts.length, 1);
    const [alert] = alerts;
    assert.deepEqual(
      { ...alert, labels: alert?.labels["service"], annotations: alert?.annotations["summary"] },
      {
        source: "alertmanager",
        fingerprint: "e48d6faf382bfead",
        status: "firing",
        name: "ServiceDown",
        labels: "scrypted",
        annotations: "scrypted on lab-host1 is down",
        startsAt: "2026-11-23T16:41:10.462Z",
      },
    );
  });

  it("are read from a real body once resolved, with their end", () => {
    assert.equal(first(fixture("resolved"))?.status, "resolved");
    assert.equal(first(fixture("resolved"))?.endsAt, "2026-11-23T16:41:13.462Z");
  });

  it("each have their own status, whatever the group says", () => {
    const body = fixture("firing");
    body.alerts.push({ ...fixture("resolved").alerts[0], fingerprint: "other" });
    assert.deepEqual(
      parseAlertmanager(body).alerts.map(({ status, fingerprint }) => [status, fingerprint]),
      [
        ["firing", "e48d6faf382bfead"],
        ["resolved", "other"],
      ],
    );
  });

  it("get a fingerprint from their labels when an old version sends none, the same for the same labels", () => {
    const [one, same] = [
      { a: "1", b: "2" },
      { b: "2", a: "1" },
    ].map((labels) => first(withAlert({ labels, fingerprint: undefined })));
    const other = first(withAlert({ labels: { a: "1", b: "3" }, fingerprint: "" }));
    assert.match(one?.fingerprint ?? "", /^[0-9a-f]{16}$/);
    assert.equal(one?.fingerprint, same?.fingerprint);
    assert.notEqual(one?.fingerprint, other?.fingerprint);
  });

  it("keep hostile labels as they are, but for what cannot be stored; annotations are cut", () => {
    const labels = { alertname: "x; reboot", service: "$(id)\n--flag", a: "nul\0here", b: "\uD800" };
    const alert = first(withAlert({ labels, annotations: { long: "y".repeat(10_000) } }));
    assert.deepEqual(alert?.labels, { ...labels, a: "nul\uFFFDhere", b: "\uFFFD" });
    assert.match(alert?.annotations["long"] ?? "", /^y{4096}… \(5904 more characters cut\)$/);
  });

  it("say how many the monitor left out", () => {
    assert.equal(parseAlertmanager({ ...fixture("firing"), truncatedAlerts: 7 }).truncated, 7);
  });

  it("are refused as a whole, with the place, when one of them is not right", () => {
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`l${index}`, "x"]));
    const wrong: [unknown, RegExp][] = [
      [null, /"the body": expected an object/],
      [[], /"alerts": is missing/],
      [{ alerts: {} }, /"alerts": expected a list/],
      [{ alerts: [] }, /one alert at least/],
      [withAlert({ status: "pending" }), /"alerts.0.status": expected firing or resolved/],
      [withAlert({ status: undefined }), /"alerts.0.status": is missing/],
      [withAlert({ labels: { host: 1 } }), /"alerts.0.labels.host": expected text/],
      [withAlert({ labels: [] }), /"alerts.0.labels": expected a mapping of labels/],
      [withAlert({ labels: undefined }), /"alerts.0.labels": is missing/],
      [withAlert({ annotations: ["x"] }), /"alerts.0.annotations": expected a mapping/],
      [withAlert({ labels: many }), /128 labels at most/],
      [withAlert({ labels: { host: "x".repeat(2049) } }), /2048 characters at most/],
      [withAlert({ startsAt: "yesterday" }), /"alerts.0.startsAt": expected a time/],
      [{ ...fixture("firing"), alerts: [...fixture("firing").alerts, "x"] }, /"alerts.1"/],
      [{ alerts: Array.from({ length: 5001 }, () => fixture("firing").alerts[0]) }, /5000 alerts at most/],
    ];
    for (const [body, says] of wrong) {
      assert.throws(
        () => parseAlertmanager(body),
        (error) => error instanceof SourceError && says.test(error.message),
        String(says),
      );
    }
  });

  it("are read or refused, and never anything else, whatever the body", () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom("firing", "resolved", "2026-11-23T16:41:10Z", {}));
    const alert = fc.record({
      status: value,
      labels: value,
      annotations: value,
      startsAt: value,
      endsAt: value,
      fingerprint: value,
    });
    const body = fc.oneof(
      fc.jsonValue(),
      fc.record({ alerts: fc.array(fc.oneof(value, alert)), truncatedAlerts: value }),
    );
    fc.assert(
      fc.property(body, (body) => {
        try {
          for (const { fingerprint, startsAt } of parseAlertmanager(body).alerts) {
            assert.ok(fingerprint.length > 0);
            assert.equal(new Date(startsAt).toISOString(), startsAt);
          }
        } catch (error) {
          assert.ok(error instanceof SourceError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a generic alert", () => {
  const mapping: GenericMapping = {
    status: "heartbeat.status",
    firing: ["0", "down"],
    resolved: ["1", "up"],
    name: "monitor.name",
    host: "monitor.tags.0",
    service: "monitor.docker_container",
    key: "monitor.id",
  };
  const names = { host: "node", service: "container" };
  const at = "2026-11-23T12:00:00.000Z";
  const monitor = { id: 7, name: "Scrypted", tags: ["nexus"], docker_container: "scrypted" };
  const parse = (body: unknown, bend: Partial<GenericMapping> = {}) =>
    parseGeneric(body, { ...mapping, ...bend }, names, at);

  it("is read from where hosts.yaml says, under the labels that are looked up, with the body beside it", () => {
    const body = { heartbeat: { status: 0, time: "2026-11-23 11:00:00Z" }, monitor };
    assert.deepEqual(parse(body), {
      source: "generic",
      fingerprint: "generic:7",
      status: "firing",
      name: "Scrypted",
      labels: { alertname: "Scrypted", node: "nexus", container: "scrypted" },
      annotations: { body: JSON.stringify(body) },
      startsAt: at,
    });
    assert.equal(parse(body, { startsAt: "heartbeat.time" }).startsAt, "2026-11-23T11:00:00.000Z");
    assert.equal(parse({ ...body, heartbeat: { status: "up" } }).status, "resolved");
  });

  it("is about the host itself when the body names no service on purpose", () => {
    const body = { heartbeat: { status: 0 }, monitor: { ...monitor, docker_container: null } };
    assert.deepEqual(parse(body).labels, { alertname: "Scrypted", node: "nexus" });
  });

  it("is refused with the path and the setting when something is not there or not right", () => {
    const wrong: [unknown, Partial<GenericMapping>, RegExp][] = [
      [null, {}, /"monitor.id" \(alerts.generic.key\) is missing|"monitor.name" \(alerts.generic.name\) is missing/],
      [{ monitor }, {}, /"heartbeat.status" \(alerts.generic.status\) is missing/],
      [{ heartbeat: { status: 2 }, monitor }, {}, /is "2", which alerts.generic names neither/],
      [
        { heartbeat: { status: 0 }, monitor: { ...monitor, id: "" } },
        {},
        /"monitor.id" \(alerts.generic.key\) is empty/,
      ],
      [{ heartbeat: { status: 0 }, monitor: { ...monitor, tags: [{}] } }, {}, /"monitor.tags.0" .* is not a text/],
      [{ heartbeat: { status: 0 }, monitor: { ...monitor, tags: [] } }, {}, /"monitor.tags.0" .* is missing/],
      [{ heartbeat: { status: 0 }, monitor }, { key: "monitor.constructor.name" }, /is missing/],
      [{ heartbeat: { status: 0 }, monitor }, { key: "__proto__.x" }, /is missing/],
      [
        { heartbeat: { status: 0, time: "noon" }, monitor },
        { startsAt: "heartbeat.time" },
        /is "noon", which is no time/,
      ],
      [{ heartbeat: { status: 0 }, monitor: { ...monitor, name: "x".repeat(3000) } }, {}, /longer than 2048/],
    ];
    for (const [body, bend, says] of wrong) {
      assert.throws(
        () => parse(body, bend),
        (error) => error instanceof SourceError && says.test(error.message),
        String(says),
      );
    }
  });

  it("is read or refused, and never anything else, whatever the body", () => {
    const part = fc.oneof(fc.jsonValue(), fc.constantFrom(0, 1, "down", ["nexus"]));
    const body = fc.record({
      heartbeat: fc.oneof(part, fc.record({ status: part })),
      monitor: fc.oneof(part, fc.record({ id: part, name: part, tags: part, docker_container: part })),
    });
    fc.assert(
      fc.property(body, (body) => {
        try {
          assert.match(parse(body).fingerprint, /^generic:./s);
        } catch (error) {
          assert.ok(error instanceof SourceError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
