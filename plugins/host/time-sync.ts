// host_time_sync: whether anything keeps the host's clock right. Alerts, journals and certificates are judged by time.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import * as v from "valibot";

export type TimeSync = {
  /** Whether the kernel's clock is known to be right; undefined where nobody tells. */
  synchronized: boolean | undefined;
  services: { unit: string; load: string; active: string }[];
};

export const hostTimeSync = diagnostic({
  name: "host_time_sync",
  description: "Whether the clock is synchronized, and which time service is there and runs.",
  input: v.strictObject({}),
  timeoutSeconds: 10,
  command: () =>
    script(`timedatectl show -p NTPSynchronized
echo "--medic:services"
systemctl show -p Id,LoadState,ActiveState -- systemd-timesyncd.service chrony.service chronyd.service ntp.service ntpsec.service openntpd.service
echo "--medic:end"`),
  parse(result): TimeSync | Unavailable {
    const said = sections(result.stdout);
    if (said["end"] === undefined) return unavailable(result);
    const synchronized = /^NTPSynchronized=(yes|no)$/m.exec(said[""] ?? "")?.[1];
    const services = (said["services"] ?? "").split(/\n\n+/).flatMap((block) => {
      const of = (key: string): string => new RegExp(`^${key}=(.*)$`, "m").exec(block)?.[1] ?? "";
      const load = of("LoadState");
      return load === "" || load === "not-found" ? [] : [{ unit: of("Id"), load, active: of("ActiveState") }];
    });
    if (synchronized === undefined && services.length === 0) return unavailable(result);
    return { synchronized: synchronized === undefined ? undefined : synchronized === "yes", services };
  },
});

/** What is wrong with a host's time, and what a person has to run. */
export function timeText({ synchronized, services }: TimeSync): string {
  const running = services.filter(({ active }) => active === "active").map(({ unit }) => unit);
  if (synchronized === true)
    return `the clock is synchronized (${running.join(", ") || "by a service that is not known"})`;
  const state =
    synchronized === false ? "the clock is not synchronized" : "nobody tells whether the clock is synchronized";
  if (running.length > 0) {
    return `${state}, though ${running.join(", ")} runs: it reaches no time server. Run: timedatectl timesync-status, or chronyc sources`;
  }
  const [first] = services;
  if (first === undefined)
    return `${state}, and no time service is installed. Run: sudo apt-get install systemd-timesyncd`;
  const unmask = first.load === "masked" ? `sudo systemctl unmask ${first.unit} && ` : "";
  return `${state}, and no time service runs (${first.unit} is ${first.load === "masked" ? "masked" : first.active}). Run: ${unmask}sudo systemctl enable --now ${first.unit}`;
}
