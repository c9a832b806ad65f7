import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { complaints, read } from "./reading.ts";

const withWindow = (window: string): string => `hosts: { self: { transport: local, maintenance: [${window}] } }\n`;

describe("hosts.x.maintenance", () => {
  it("repeats a window for a host, or for services of it", () => {
    const text = withWindow(
      `{ cron: "0 3 * * 0", for: 2h }, { cron: "@daily", for: 23h, service: "db-*", timezone: UTC }`,
    );
    assert.deepEqual(read(text).hosts["self"]?.maintenance, [
      { cron: "0 3 * * 0", for: 7200 },
      { cron: "@daily", for: 82_800, service: "db-*", timezone: "UTC" },
    ]);
  });

  const refused: [what: string, window: string, says: RegExp][] = [
    ["a pattern of six parts", `{ cron: "0 0 3 * * 0", for: 2h }`, /expected a cron pattern of five parts/],
    ["what is no pattern", `{ cron: "sundays", for: 2h }`, /expected a cron pattern of five parts/],
    ["a pattern that never opens", `{ cron: "0 3 30 2 *", for: 2h }`, /it never opens/],
    ["a window that opens again before it has closed", `{ cron: "0 * * * *", for: 1h }`, /for: never ends/],
    ["one that opens every minute", `{ cron: "* * * * *", for: 1m }`, /for: never ends/],
    ["more than seven days", `{ cron: "0 3 1 1 *", for: 8d }`, /expected 7d at most/],
    ["less than a minute", `{ cron: "0 3 * * 0", for: 59s }`, /1m at least/],
    ["a time zone that there is not", `{ cron: "0 3 * * 0", for: 2h, timezone: Mars/Olympus }`, /expected a time zone/],
    ["no duration", `{ cron: "0 3 * * 0" }`, /for: is missing: How long it stays open/],
    ["a mistyped key", `{ crone: "0 3 * * 0", for: 2h }`, /unknown key, did you mean "cron"/],
  ];
  for (const [what, window, says] of refused) {
    it(`refuses ${what}`, () => assert.match(complaints(withWindow(window)).join("\n"), says));
  }

  it("takes the longest window that still closes", () => {
    assert.deepEqual(complaints(withWindow(`{ cron: "0 * * * *", for: 59m }`)), []);
  });
});
