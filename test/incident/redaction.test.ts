// What monitors say may hold secrets: URLs, queries, whole log lines. None of it may be kept, logged or shown.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Alert } from "../../core/incident/alert.ts";
import { createLog } from "../../core/log.ts";
import { alert, world } from "./world.ts";

const secret = "hunter2secret";
const telling = (bend: Parameters<typeof alert>[0] = {}): Alert => {
  const { labels, ...rest } = alert(bend);
  return {
    ...rest,
    name: `Probe of http://ann:${secret}@nas/ fails`,
    labels: { ...labels, target: `rtsp://admin:${secret}@cam/1`, api_key: secret },
    annotations: { summary: `log: POSTGRES_PASSWORD=${secret}`, runbook_url: "https://wiki.lan/probe" },
  };
};

describe("a secret in an alert", () => {
  it("is nowhere in the journal, whichever way the alert goes, and its neighbours are", async () => {
    const { intake, journal } = world();
    await intake.accept([telling()]);
    await intake.accept([telling(), telling({ status: "resolved" }), telling({ host: "nowhere" })]);
    const kept = journal.incidents().map((record) => ({ record, events: journal.events(record.id) }));
    assert.equal(kept.length, 2);
    assert.equal(JSON.stringify(kept).includes(secret), false, JSON.stringify(kept));
    const [first] = journal.events(kept.find(({ record }) => record.key === "nexus/docker:scrypted")?.record.id ?? "");
    assert.deepEqual(first?.kind === "incident-opened" && first.alert.annotations, {
      summary: "log: POSTGRES_PASSWORD=[removed]",
      runbook_url: "https://wiki.lan/probe",
    });
  });

  it("does not keep the alert from its host, and is not quoted where it points nowhere", async () => {
    const { intake, journal } = world();
    const pair = `password=${secret}`;
    const { incidents } = await intake.accept([alert({ service: pair }), alert({ host: pair })]);
    const [known, unclear] = incidents.map(({ id }) => journal.incident(id));
    assert.equal(known?.target.host, "nexus");
    assert.equal(JSON.stringify(unclear).includes(secret), false, JSON.stringify(unclear));
    assert.equal(unclear?.state.is, "escalated");
  });

  it("is hashed in a fingerprint, which stays the same from firing to resolved", async () => {
    const { intake, journal } = world();
    const fingerprint = `generic:https://ann:${secret}@nas/`;
    await intake.accept([alert({ fingerprint })]);
    await intake.accept([alert({ fingerprint, status: "resolved" })]);
    const [record] = journal.incidents();
    assert.equal(record?.state.is, "resolved");
    assert.equal(JSON.stringify(journal.events(record?.id ?? "")).includes(secret), false);
  });

  it("is in no line of the log, as text or as JSON", async () => {
    for (const json of [false, true]) {
      const lines: string[] = [];
      const log = await createLog({ level: "debug", json, write: (line) => lines.push(line) });
      log.info("alert_ignored", { alert: `token=${secret}`, nested: { url: `http://a:${secret}@b/` }, commands: 3 });
      assert.equal(lines.length, 1);
      assert.equal(lines[0]?.includes(secret), false, lines[0]);
      assert.match(lines[0] ?? "", json ? /"commands":3/ : / commands=3$/);
    }
  });
});
