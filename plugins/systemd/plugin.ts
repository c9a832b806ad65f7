// The plugin for systemd units: sees any unit, heals those the owner lists.
import { call, definePlugin } from "medic/plugin";
import { systemdRestartDependency } from "./dependency.ts";
import { systemdDisable, systemdEnable, systemdStop, systemdVacuumJournal } from "./drastic.ts";
import { systemdDaemonReload, systemdReload, systemdResetFailed, systemdRestart, systemdStart } from "./fixes.ts";
import { systemdOptions, unitName } from "./inputs.ts";
import { journalFull } from "./journal-full.ts";
import { systemdJournalSpace } from "./journal-space.ts";
import { systemdJournal, systemdJournalUsage, systemdOom } from "./journal.ts";
import { systemdCat, systemdDependencies, systemdFailed, systemdTimers } from "./lists.ts";
import { unitNotRunning } from "./runbook.ts";
import { systemdStatus } from "./status.ts";
import { sudoersFor } from "./sudoers.ts";
import { systemdVerify } from "./verify.ts";
import * as v from "valibot";

export { systemdFailed, systemdJournal, systemdOom, systemdStatus };

export default definePlugin({
  name: "systemd",
  apiVersion: 1,
  summary: "Units of systemd: state, journal, dependencies; starts, restarts and reloads the listed ones.",
  options: systemdOptions,
  tools: [
    systemdStatus,
    systemdFailed,
    systemdJournal,
    systemdDependencies,
    systemdCat,
    systemdTimers,
    systemdJournalUsage,
    systemdJournalSpace,
    systemdOom,
    systemdVerify,
    systemdStart,
    systemdRestart,
    systemdReload,
    systemdDaemonReload,
    systemdResetFailed,
    systemdRestartDependency,
    systemdStop,
    systemdEnable,
    systemdDisable,
    systemdVacuumJournal,
  ],
  runbooks: [journalFull, unitNotRunning],
  heals: ({ units }) => units,
  evidence({ service }) {
    const general = { failed: call(systemdFailed, {}), oom: call(systemdOom, {}) };
    if (!v.is(unitName, service)) return general;
    return {
      status: call(systemdStatus, { unit: service }),
      journal: call(systemdJournal, { unit: service }),
      dependencies: call(systemdDependencies, { unit: service }),
      ...general,
    };
  },
  hints: [
    [
      /Interactive authentication required|Access denied|a password is required|not allowed to (?:run|execute)/,
      "the user may not change units here: set privilege: sudo for the host and install the lines of `medic doctor --sudoers`, " +
        "or add a polkit rule for org.freedesktop.systemd1.manage-units",
    ],
    [
      /not in the group systemd-journal|insufficient permissions|not seeing messages from/,
      "let the user read the journal: sudo usermod -aG systemd-journal <user>",
    ],
    [
      /start request repeated too quickly|start-limit-hit/i,
      "the start limit was hit: systemd_reset_failed comes before a start",
    ],
    [
      /not been booted with systemd|Failed to connect to (?:the |\w+ scope )?bus/,
      "this host does not run systemd: remove the plugin from it in hosts.yaml",
    ],
  ],
  sudoers: ({ units }) => ({ fixes: sudoersFor(units) }),
});
