// The plugin for Scrypted (koush/scrypted): a home video platform that has no health check, logs nowhere by default and
// is installed in five ways. It stands on the docker plugin's tools, and owns its container against them.
import { call, definePlugin } from "medic/plugin";
import type { Calls } from "medic/plugin";
import {
  composeFixingLines,
  dockerDiskUsage,
  dockerEvents,
  dockerExplainExit,
  dockerInspect,
  dockerList,
  dockerStats,
  readingLines,
} from "medic/plugins/docker";
import { scryptedBackup, scryptedBackups } from "./backup.ts";
import { scryptedTakesTooMuch } from "./complaints.ts";
import { scryptedComposeUp } from "./compose-up.ts";
import { scryptedOptions } from "./options.ts";
import { scryptedHttpProbe } from "./probe.ts";
import { scryptedLogs, scryptedMdns, scryptedPluginProcesses, scryptedPorts } from "./processes.ts";
import { scryptedRecordings } from "./recordings.ts";
import { scryptedRestart } from "./restart.ts";
import { scryptedDoesNotAnswer } from "./runbook.ts";
import { scryptedDetect, scryptedStatus } from "./status.ts";
import { scryptedDatabase, scryptedDevices, scryptedStorage, scryptedUpdateState } from "./storage.ts";

export default definePlugin({
  name: "scrypted",
  apiVersion: 1,
  summary: "Scrypted in any of its installations: whether it answers, what it stands on, a restart that is proven.",
  options: scryptedOptions,
  tools: [
    scryptedDetect,
    scryptedStatus,
    scryptedHttpProbe,
    scryptedPorts,
    scryptedMdns,
    scryptedLogs,
    scryptedPluginProcesses,
    scryptedDevices,
    scryptedStorage,
    scryptedDatabase,
    scryptedUpdateState,
    scryptedRecordings,
    scryptedBackups,
    scryptedBackup,
    scryptedRestart,
    scryptedComposeUp,
  ],
  runbooks: [scryptedTakesTooMuch, scryptedDoesNotAnswer],
  heals: ({ container, unit }) => [container, unit],
  // A restart through docker's own tools would dodge what scrypted_restart refuses.
  owns: ({ container, unit }) => [container, unit],
  evidence(_incident, { container: name }): Calls {
    return {
      status: call(scryptedStatus, {}),
      probe: call(scryptedHttpProbe, {}),
      ports: call(scryptedPorts, {}),
      mdns: call(scryptedMdns, {}),
      processes: call(scryptedPluginProcesses, {}),
      storage: call(scryptedStorage, {}),
      database: call(scryptedDatabase, {}),
      devices: call(scryptedDevices, {}),
      update: call(scryptedUpdateState, {}),
      backups: call(scryptedBackups, {}),
      logs: call(scryptedLogs, {}),
      settings: call(dockerInspect, { name }),
      exit: call(dockerExplainExit, { name }),
      events: call(dockerEvents, { minutes: 60 }),
      containers: call(dockerList, {}),
      usage: call(dockerStats, {}),
      disk: call(dockerDiskUsage, {}),
    };
  },
  hints: [
    [
      /returned error: 40[13]/,
      "Scrypted did not take the login in ~/.netrc of Medic's user on that host: it has to be an administrator's.",
    ],
    [/LEVEL_LOCKED/, "Another process holds the database: stop the second instance of Scrypted."],
    [/It may be in use/, "Another process holds one of its ports: scrypted_ports names it."],
    [/NODE_MODULE_VERSION/, "A plugin was built for another Node: reinstall that plugin in the console."],
  ],
  sudoers: ({ unit, composeFolder }) => ({
    reads: readingLines({ composeFolders: composeFolder === undefined ? [] : [composeFolder] }),
    fixes: [
      ...composeFixingLines(composeFolder === undefined ? [] : [composeFolder]),
      "/usr/bin/docker ^restart -t 30 -- [0-9a-f]{64}$",
      "/usr/bin/docker ^unpause -- [0-9a-f]{64}$",
      `/usr/bin/systemctl restart -- ${unit.replaceAll(":", String.raw`\:`)}`,
    ],
  }),
});
