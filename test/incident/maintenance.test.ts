import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createMaintenance, heldFor, type Maintenance } from "../../core/incident/maintenance.ts";
import { spanAfter, spanAt } from "../../core/incident/maintenance-schedule.ts";
import { createMemoryJournal } from "../../core/incident/journal.ts";
import { silent } from "../../core/log.ts";
import { fakeClock } from "../support/clock.ts";
import { alert, world } from "./world.ts";

const hour = 3_600_000;
const by = "ada";

function refused(answer: ReturnType<Maintenance["start"]>): string {
  return "refused" in answer ? answer.refused : "";
}

describe("a maintenance window", () => {
  it("is open from its start, and not at its end any more", () => {
    const { maintenance, clock } = world();
    maintenance.start({ host: "nexus", forSeconds: 3600, by, reason: "new disks" });
    assert.equal(maintenance.over("nexus", ["scrypted"])?.reason, "new disks");
    clock.advance(hour - 1);
    assert.ok(maintenance.over("nexus", []));
    clock.advance(1);
    assert.equal(maintenance.over("nexus", []), undefined);
    assert.deepEqual(maintenance.list().windows, []);
  });

  it("concerns its own host and service, and nothing else", () => {
    const { maintenance } = world();
    maintenance.start({ host: "nexus", service: "scry*", forSeconds: 3600, by });
    assert.ok(maintenance.over("nexus", ["scrypted"]));
    assert.ok(maintenance.over("nexus", ["caddy", "scrypted"]));
    assert.equal(maintenance.over("nexus", ["caddy"]), undefined);
    assert.equal(maintenance.over("nexus", []), undefined);
    assert.equal(maintenance.over("self", ["scrypted"]), undefined);
  });

  it("takes the end that was said last, earlier or later, and keeps its beginning", () => {
    const { maintenance, clock } = world();
    const first = maintenance.start({ host: "nexus", forSeconds: 7200, by });
    clock.advance(hour);
    maintenance.start({ host: "nexus", forSeconds: 600, by });
    const [window, ...others] = maintenance.list().windows;
    assert.deepEqual(others, []);
    assert.equal(window?.since, "since" in first ? first.since : "");
    assert.equal(window?.until, "2026-11-23T13:10:00.000Z");
  });

  it("ends at a person's word, and only the one that was meant", () => {
    const { maintenance } = world();
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    maintenance.start({ host: "nexus", service: "scrypted", forSeconds: 3600, by });
    const ended = maintenance.end({ host: "nexus", by: "bob" });
    assert.equal("until" in ended ? ended.until : "", "2026-11-23T12:00:00.000Z");
    assert.equal(maintenance.over("nexus", ["caddy"]), undefined);
    assert.ok(maintenance.over("nexus", ["scrypted"]));
    assert.match(refused(maintenance.end({ host: "nexus", by })), /none is open by that name/);
  });

  it("cannot be opened for a host that hosts.yaml does not have, nor by hand ended when hosts.yaml repeats it", () => {
    const { maintenance, clock } = world();
    assert.match(refused(maintenance.start({ host: "nexsu", forSeconds: 60, by })), /has no host "nexsu"/);
    clock.advance(Date.parse("2026-11-29T03:30:00Z") - clock.now());
    assert.equal(maintenance.over("atlas", [])?.by, "hosts.yaml");
    assert.match(refused(maintenance.end({ host: "atlas", by })), /hosts.yaml repeats this one/);
  });

  it("is known to the next process, with who opened it", () => {
    const { maintenance, journal, clock } = world();
    maintenance.start({ host: "nexus", forSeconds: 7 * 86_400, by });
    const parts = { journal, hosts: () => ["nexus"], schedules: () => [], now: clock.now, log: silent };
    clock.advance(7 * 24 * hour - 1);
    assert.equal(createMaintenance(parts).over("nexus", [])?.by, by);
    clock.advance(1);
    assert.equal(createMaintenance(parts).over("nexus", []), undefined);
    assert.deepEqual(journal.verify(), { intact: true, events: 1 });
  });
});

describe("a window that hosts.yaml repeats", () => {
  const sundays = { cron: "0 3 * * 0", for: 7200, timezone: "UTC" };
  const at = (text: string): number => Date.parse(text);

  it("opens on the second and is closed at its end", () => {
    assert.equal(spanAt(sundays, at("2026-11-29T02:59:59.999Z")), undefined);
    assert.deepEqual(spanAt(sundays, at("2026-11-29T03:00:00Z")), {
      sinceMs: at("2026-11-29T03:00:00Z"),
      untilMs: at("2026-11-29T05:00:00Z"),
    });
    assert.ok(spanAt(sundays, at("2026-11-29T04:59:59.999Z")));
    assert.equal(spanAt(sundays, at("2026-11-29T05:00:00Z")), undefined);
    assert.equal(spanAfter(sundays, at("2026-11-29T03:00:00Z"))?.sinceMs, at("2026-12-06T03:00:00Z"));
  });

  it("means the clock of its time zone, in summer and in winter", () => {
    const berlin = { ...sundays, timezone: "Europe/Berlin" };
    assert.equal(spanAt(berlin, at("2026-11-29T02:30:00Z"))?.sinceMs, at("2026-11-29T02:00:00Z"));
    assert.equal(spanAt(berlin, at("2026-06-28T01:30:00Z"))?.sinceMs, at("2026-06-28T01:00:00Z"));
  });

  it("ends with the later of two openings that overlap", () => {
    const often = { cron: "0,30 3 * * *", for: 3600, timezone: "UTC" };
    assert.equal(spanAt(often, at("2026-11-29T03:45:00Z"))?.untilMs, at("2026-11-29T04:30:00Z"));
  });
});

describe("an alert in a maintenance window", () => {
  it("is stored and held, and is taken up when the window is over and it still fires", async () => {
    const { maintenance, journal, desk, opened, clock } = world();
    const worked: string[] = [];
    const one = desk((record) => Promise.resolve(void worked.push(record.id)));
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    const id = await opened();
    await one.idle();
    const state = journal.incident(id)?.state;
    assert.equal(state?.is, "open");
    assert.match(state?.is === "open" ? (state.held?.why ?? "") : "", /^maintenance of "nexus" until .* \(by ada\)$/);
    clock.advance(hour - 1);
    one.look();
    await one.idle();
    assert.deepEqual(worked, []);
    clock.advance(1);
    one.look();
    await one.idle();
    assert.deepEqual(worked, [id]);
    assert.deepEqual(kindsOf(journal, id).slice(0, 3), ["incident-opened", "held", "released"]);
  });

  it("writes down once that it is held, however often the alert comes, and anew when the end is another one", async () => {
    const { maintenance, journal, desk, opened } = world();
    const one = desk(() => Promise.resolve());
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    const id = await opened();
    for (let times = 0; times < 3; times++) await opened();
    one.look();
    assert.equal(kindsOf(journal, id).filter((kind) => kind === "held").length, 1);
    maintenance.start({ host: "nexus", forSeconds: 7200, by });
    one.look();
    assert.equal(kindsOf(journal, id).filter((kind) => kind === "held").length, 2);
  });

  it("is resolved by its monitor in the window, and asks for no work afterwards", async () => {
    const { maintenance, journal, intake, desk, opened } = world();
    const worked: string[] = [];
    const one = desk((record) => Promise.resolve(void worked.push(record.id)));
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    const id = await opened();
    await intake.accept([alert({ status: "resolved" })]);
    assert.deepEqual(journal.incident(id)?.state.is, "resolved");
    maintenance.end({ host: "nexus", by });
    one.look();
    await one.idle();
    assert.deepEqual(worked, []);
  });

  it("holds no other service and no other host", async () => {
    const { maintenance, desk, opened } = world();
    const worked: string[] = [];
    const one = desk((record) => Promise.resolve(void worked.push(record.key)));
    maintenance.start({ host: "nexus", service: "scrypted", forSeconds: 3600, by });
    await opened();
    await opened(alert({ service: "caddy" }));
    await opened(alert({ host: "self" }));
    await one.idle();
    assert.deepEqual(worked, ["nexus/docker:caddy", "self/docker:scrypted"]);
  });

  it("does not cut work that began before, and holds what still waits for its turn", async () => {
    const { maintenance, journal, desk, opened } = world();
    let end = (): void => undefined;
    const one = desk((_record, signal) => {
      signal.addEventListener("abort", () => assert.fail("it was cut"));
      return new Promise<void>((resolve) => void (end = resolve));
    });
    const first = await opened();
    const second = await opened(alert({ service: "caddy" }));
    await new Promise((resolve) => setImmediate(resolve));
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    one.look();
    journal.append([{ incident: first, kind: "resolved", by: "medic", why: "fixed" }]);
    end();
    await one.idle();
    const held = journal.incident(second)?.state;
    assert.match(held?.is === "open" ? (held.held?.why ?? "") : "", /maintenance of "nexus"/);
  });

  it("takes no place in the queue while it is held", async () => {
    const { maintenance, journal, desk, opened } = world();
    const one = desk(() => Promise.resolve(), { incidents: 1, queue: 1 });
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    const ids = [];
    for (const service of ["a", "b", "c", "d"]) ids.push(await opened(alert({ service })));
    await one.idle();
    assert.deepEqual([...new Set(ids.map((id) => journal.incident(id)?.state.is))], ["open"]);
  });

  it("does not keep a person waiting who asks", async () => {
    const { maintenance, intake, desk, opened } = world();
    const worked: string[] = [];
    const one = desk((record) => Promise.resolve(void worked.push(record.id)));
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    const id = await opened();
    await intake.investigate("nexus", "scrypted");
    await one.idle();
    assert.deepEqual(worked, [id]);
  });

  it("stays held in the next process", async () => {
    const { maintenance, journal, desk, opened } = world();
    const first = desk(() => Promise.reject(new Error("nobody works in a window")));
    maintenance.start({ host: "nexus", forSeconds: 3600, by });
    const id = await opened();
    await first.close(0);
    const second = desk(() => Promise.reject(new Error("nobody works in a window")));
    second.resume();
    await second.idle();
    assert.deepEqual(kindsOf(journal, id), ["incident-opened", "held"]);
  });
});

describe("an alert with the label medic_hold", () => {
  const held = alert({ labels: { host: "nexus", service: "scrypted", medic_hold: "true" } });

  it("is held until it comes without the label", async () => {
    const { journal, desk, opened } = world();
    const worked: string[] = [];
    const one = desk((record) => Promise.resolve(void worked.push(record.id)));
    const id = await opened(held);
    one.look();
    await one.idle();
    assert.deepEqual(worked, []);
    const state = journal.incident(id)?.state;
    assert.match(state?.is === "open" ? (state.held?.why ?? "") : "", /label medic_hold="true"/);
    await opened();
    await one.idle();
    assert.deepEqual(worked, [id]);
  });

  it("is held by the label with a dot too, and by no other value", () => {
    const { journal } = { journal: createMemoryJournal({ now: fakeClock().now }) };
    const reasonFor = (labels: Record<string, string>): string | undefined => {
      const incident = `i${JSON.stringify(labels)}`;
      const target = { host: "nexus" };
      journal.append([{ incident, kind: "incident-opened", key: incident, target, alert: alert({ labels }) }]);
      const record = journal.incident(incident);
      return record === undefined ? "no record" : heldFor(record, () => undefined)?.why;
    };
    assert.match(reasonFor({ "medic.hold": "true" }) ?? "", /medic.hold="true"/);
    assert.equal(reasonFor({ medic_hold: "false" }), undefined);
    assert.equal(reasonFor({ hold: "true" }), undefined);
  });

  it("is asked about by a person without becoming fixable", async () => {
    const { journal, intake, opened } = world();
    const id = await opened(held);
    await intake.investigate("nexus", "scrypted");
    assert.match(journal.incident(id)?.wantsHold ?? "", /medic_hold/);
  });
});

function kindsOf(journal: { events(id: string): { kind: string }[] }, id: string): string[] {
  return journal.events(id).map(({ kind }) => kind);
}
