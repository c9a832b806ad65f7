// Fixes that only a person decides: stop, enable and disable a unit, and throw old journal files away. Each says in its
// plan what a person has to know to judge it on a phone. What cannot be undone from here (mask, edit) is not among them.
import { call, fix, refuse } from "medic/plugin";
import type { Found } from "medic/plugin";
import * as v from "valibot";
import { pending, planOf, settleSeconds, usable } from "./fixes.ts";
import { byUnit, type SystemdOptions } from "./inputs.ts";
import { systemdJournalSpace } from "./journal-space.ts";
import { systemdStatus } from "./status.ts";

/** Whose files a vacuum removes. */
export const journald = "systemd-journald.service";

const watch = ({ unit }: { unit: string }) => ({ status: call(systemdStatus, { unit }) });
type Seen = Found<ReturnType<typeof watch>>;

export const systemdStop = fix({
  name: "systemd_stop",
  description: "Stops a listed unit, and with it the units that require it. A person has to agree.",
  risk: "destructive",
  input: byUnit,
  watch,
  *plan({ unit }, options: SystemdOptions, { status }) {
    const found = usable(unit, status, options);
    if ("refused" in found) return found;
    if (isDown(found.active)) return refuse(`"${found.id}" is ${found.active}: there is nothing to stop`);
    const steps = [["root", "systemctl", "stop", "--", found.id]] as const;
    return planOf(steps, found, [found.id, ...found.carries], options);
  },
  marker: ({ status }) =>
    status.exists && status.job === 0 ? (isDown(status.active) ? "down" : status.invocation) : undefined,
  healthy: ({ status }) => status.exists && status.job === 0 && isDown(status.active),
  pending,
  settleSeconds,
  withinSeconds: 120,
  stableSeconds: 10,
  timeoutSeconds: 120,
});

export const systemdEnable = enabling("enable", "Makes a listed unit start at boot. A person has to agree.");
export const systemdDisable = enabling("disable", "Makes a listed unit not start at boot. A person has to agree.");

function enabling(verb: "enable" | "disable", description: string) {
  return fix({
    name: `systemd_${verb}`,
    description,
    risk: "destructive",
    input: byUnit,
    watch,
    *plan({ unit }: { unit: string }, options: SystemdOptions, { status }: Seen) {
      const found = usable(unit, status, options);
      if ("refused" in found) return found;
      const from = verb === "enable" ? "disabled" : "enabled";
      if (found.enabled !== from) {
        return refuse(`"${found.id}" is ${found.enabled || "of no file"}, and only what is ${from} can be ${verb}d`);
      }
      return { steps: [["root", "systemctl", verb, "--", found.id]], touches: [found.id] };
    },
    marker: ({ status }: Seen) => (status.exists ? status.enabled : undefined),
    healthy: ({ status }: Seen) => status.exists && status.enabled === `${verb}d`,
    settleSeconds,
    withinSeconds: 30,
    stableSeconds: 0,
  });
}

export const systemdVacuumJournal = fix({
  name: "systemd_vacuum_journal",
  description: "Removes the oldest archived journal files until about `keepMebibytes` are left. A person has to agree.",
  risk: "destructive",
  input: v.strictObject({
    keepMebibytes: v.pipe(
      v.number(),
      v.integer(),
      v.minValue(8),
      v.maxValue(100_000),
      v.description("How much of the newest is kept, in MiB."),
    ),
  }),
  watch: () => ({ space: call(systemdJournalSpace, {}) }),
  *plan({ keepMebibytes }, _options: SystemdOptions, { space }) {
    const mebibytes = Math.floor(space.bytes / 1024 / 1024);
    if (mebibytes <= keepMebibytes)
      return refuse(`the journal takes ${mebibytes} MiB, which is no more than ${keepMebibytes}`);
    return {
      steps: [["root", "journalctl", `--vacuum-size=${keepMebibytes}M`]],
      touches: [journald],
      approval:
        `the journal takes ${mebibytes} MiB on ${space.mount} (${space.usedPercent} % full): ` +
        `about ${mebibytes - keepMebibytes} MiB of its oldest lines would be lost`,
    };
  },
  marker: ({ space }) => String(space.bytes),
  healthy: ({ space }, before) => space.bytes < before.space.bytes,
  withinSeconds: 60,
  stableSeconds: 0,
  timeoutSeconds: 60,
});

function isDown(active: string): boolean {
  return active === "inactive" || active === "failed";
}
