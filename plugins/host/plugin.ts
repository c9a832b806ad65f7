// The plugin every host has: what Medic can say about a host itself, whatever runs on it. It changes nothing.
import { call, definePlugin } from "medic/plugin";
import { hostClock } from "./clock.ts";
import { hostOptions } from "./inputs.ts";
import { hostInspect } from "./inspect.ts";
import { hostKernelLog } from "./kernel-log.ts";
import { hostDns, hostPortOwner, hostReach } from "./network.ts";
import { hostOverview } from "./overview.ts";
import { hostInTrouble } from "./runbook.ts";
import { hostTimeSync } from "./time-sync.ts";

export default definePlugin({
  name: "host",
  apiVersion: 1,
  summary: "The host itself: load, memory, disks, ports, names, kernel log. Reads only.",
  options: hostOptions,
  tools: [hostOverview, hostPortOwner, hostDns, hostReach, hostKernelLog, hostClock, hostTimeSync, hostInspect],
  runbooks: [hostInTrouble],
  evidence: () => ({ overview: call(hostOverview, {}) }),
  hints: [
    [
      /a password is required|not allowed to (?:run|execute)/,
      "the user may not run this as root: install the lines of `medic doctor --sudoers`",
    ],
    [
      /read kernel buffer failed|insufficient permissions|not seeing messages from/,
      "let the user read the journal: sudo usermod -aG systemd-journal <user>",
    ],
  ],
  sudoers: () => ({ reads: ["/usr/bin/ss -H -l -t -u -n -p"] }),
});
