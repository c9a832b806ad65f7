// The runbook for a journal that fills its disk: a person is asked to let its oldest lines go. journald keeps to its own
// bounds; a full disk below it is what it cannot mend.
import { call, matches, mayHaveRun, need, runbook } from "medic/plugin";
import type { Decision, Inquiry } from "medic/plugin";
import { journald, systemdVacuumJournal } from "./drastic.ts";
import type { SystemdOptions } from "./inputs.ts";
import { systemdJournalSpace } from "./journal-space.ts";

const fullPercent = 90;
const mebibyte = 1024 * 1024;

export const journalFull = runbook({
  title: "The journal fills its disk",
  guidance:
    "systemd_journal_space says how much the journal takes and how full its disk is. Vacuuming loses the oldest lines for " +
    "good, so a person agrees to it. When other files fill that disk, look there instead. SystemMaxUse in journald.conf keeps it from " +
    "coming back.",
  when: (incident, options: SystemdOptions) => incident.service === journald && matches(options.units, journald),
  *decide(incident): Inquiry<Decision> {
    const { space } = yield* need({ space: call(systemdJournalSpace, {}) });
    const takes = Math.floor(space.bytes / mebibyte);
    const free = Math.floor(space.freeBytes / mebibyte);
    const figures = `the journal takes ${takes} MiB; ${space.mount} is ${space.usedPercent} % full, ${free} MiB free`;
    const vacuumed = incident.attempts.some(mayHaveRun);
    if (space.usedPercent < fullPercent)
      return vacuumed ? { well: figures } : { escalate: `no disk is full: ${figures}` };
    if (vacuumed) return { escalate: `its oldest lines are gone and the disk is still full: ${figures}` };
    const keepMebibytes = Math.max(8, Math.floor(takes / 2));
    if (keepMebibytes >= takes) return { escalate: `something else fills the disk: ${figures}` };
    return { fix: call(systemdVacuumJournal, { keepMebibytes }) };
  },
});
