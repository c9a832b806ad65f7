// What a plugin keeps as evidence has to be readable below its own sudoers lines, whichever other plugins a host has.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { packing } from "../../core/packing/packing.ts";
import { sudoersPatterns } from "../../core/plugin/sudoers.ts";

const incident = {
  host: "nexus",
  service: "scrypted",
  alert: { name: "Down", labels: {}, annotations: {}, startsAt: "2026-11-26T12:00:00Z" },
  attempts: [],
} as const;

/** Docker's own, with its group where it has one. */
const verb = /\broot docker (?:(?:container|image|network|system) )?[a-z]+/g;

describe("the sudoers lines of a shipped plugin", () => {
  for (const plugin of packing.plugins) {
    it(`let ${plugin.name} read its evidence`, () => {
      const options = v.parse(plugin.options, {});
      const { reads } = sudoersPatterns(plugin.sudoers?.(options));
      const texts = Object.values(plugin.evidence?.(incident, options) ?? {}).map(({ tool, input }) => {
        const own = packing.plugins.find(({ tools }) => tools.some(({ name }) => name === tool.name)) ?? plugin;
        const command = tool.command(v.parse(tool.input, input), v.parse(own.options, {}));
        return "refused" in command ? "" : command.join(" ");
      });
      const asked = texts.flatMap((text) => text.match(verb) ?? []).map((words) => words.replace("root ", "/usr/bin/"));
      const missing = asked.filter((words) => !reads.some((line) => line.startsWith(words)));
      assert.deepEqual([...new Set(missing)], []);
    });
  }
});
