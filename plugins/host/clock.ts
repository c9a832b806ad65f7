// host_clock: the host's time. Alerts, journals and markers are compared by time, so a clock that is off misleads.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import * as v from "valibot";

export const hostClock = diagnostic({
  name: "host_clock",
  description: "The host's clock in seconds since 1970, and whether it is synchronized.",
  input: v.strictObject({}),
  timeoutSeconds: 10,
  command: () =>
    script(`date +%s
echo "--medic:sync"
timedatectl show -p NTPSynchronized`),
  parse(result) {
    const said = sections(result.stdout);
    const seconds = /^\d{9,11}$/.exec(said[""] ?? "")?.[0];
    if (seconds === undefined) return unavailable(result);
    const synchronized = /^NTPSynchronized=(yes|no)$/m.exec(said["sync"] ?? "")?.[1];
    return {
      epochSeconds: Number(seconds),
      ...(synchronized === undefined ? {} : { synchronized: synchronized === "yes" }),
    };
  },
});
