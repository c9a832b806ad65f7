// How much disk the journal takes, and how full the disk below it is. Knows no policy.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import * as v from "valibot";
import { bytesIn, ownOnly } from "./journal.ts";
import { blind } from "./show.ts";

export const systemdJournalSpace = diagnostic({
  name: "systemd_journal_space",
  description: "How much disk the journal takes, and how full the disk below it is.",
  input: v.strictObject({}),
  command: () =>
    script(`journalctl --disk-usage
echo "--medic:disk"
if [ -d /var/log/journal ]; then df -Pk /var/log/journal; else df -Pk /run/log/journal; fi
echo "--medic:end"`),
  parse(result) {
    const said = sections(result.stdout);
    const closed = ownOnly(result);
    if (closed !== undefined) return closed;
    const bytes = bytesIn(said[""] ?? "");
    const disk = /^\S.*?\s+\d+\s+\d+\s+(\d+)\s+(\d+)%\s+(\/.*)$/m.exec(said["disk"] ?? "");
    if (bytes === undefined || disk === null) return blind(result) ?? unavailable(result);
    return { bytes, mount: disk[3] ?? "", usedPercent: Number(disk[2]), freeBytes: Number(disk[1]) * 1024 };
  },
});
