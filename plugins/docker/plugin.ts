// The plugin for containers under docker. Other plugins that run in containers (scrypted) import its tools from here.
import { call, definePlugin } from "medic/plugin";
import type { Calls } from "medic/plugin";
import * as v from "valibot";
import { dockerImage, dockerInspect, dockerList, dockerStats, dockerTop } from "./containers.ts";
import { dockerComposeConfig } from "./compose.ts";
import { dockerComposeUp } from "./compose-up.ts";
import { dockerDaemon } from "./daemon.ts";
import { dockerNetworkReconnect, dockerRestart, dockerStart, dockerUnpause } from "./fixes.ts";
import { dockerGone } from "./gone.ts";
import { dockerEvents, dockerExplainExit, dockerHealthLog, dockerLogs } from "./history.ts";
import { dockerDangling, dockerPruneDangling, dockerPull } from "./images.ts";
import { containerName, dockerOptions } from "./inputs.ts";
import { dockerRecreate } from "./recreate.ts";
import { containerNotWell } from "./runbook.ts";
import { dockerSpace } from "./space.ts";
import { dockerStatus } from "./status.ts";
import { fixingLines, readingLines } from "./sudoers.ts";
import { dockerDiskUsage, dockerNetwork, dockerPortOwner, dockerRestartLoop } from "./surroundings.ts";

export { blind, brief, isMissing, jsonLines, notUnderstood, tooLong } from "./answers.ts";
export { composeDoubt, composeLine, composeObjection, composeUp } from "./compose.ts";
export type { Compose, ComposeConfig } from "./compose.ts";
export { imageFacts, imageScript, processesOf } from "./containers.ts";
export type { ImageFacts } from "./containers.ts";
export { endedOnPurpose, ownersQuestion, purposeText } from "./fixes.ts";
export { isBetweenRuns, lookBackSeconds } from "./in-flight.ts";
export { composeFolder, containerName, lines, port, since } from "./inputs.ts";
export { runOf, statusFormat, statusOf } from "./status.ts";
export type { Container, ContainerStatus } from "./status.ts";
export { composeFixingLines, readingLines } from "./sudoers.ts";
export { disksOf, listenersOf } from "./surroundings.ts";
export type { Disk, Listener } from "./surroundings.ts";
export {
  dockerComposeConfig,
  dockerDiskUsage,
  dockerEvents,
  dockerExplainExit,
  dockerImage,
  dockerInspect,
  dockerList,
  dockerLogs,
  dockerStats,
};

export default definePlugin({
  name: "docker",
  apiVersion: 1,
  summary: "Containers under docker: what they are, why they ended, and what brings them back.",
  options: dockerOptions,
  tools: [
    dockerList,
    dockerStatus,
    dockerInspect,
    dockerLogs,
    dockerStats,
    dockerTop,
    dockerDiskUsage,
    dockerEvents,
    dockerHealthLog,
    dockerExplainExit,
    dockerRestartLoop,
    dockerPortOwner,
    dockerNetwork,
    dockerImage,
    dockerComposeConfig,
    dockerSpace,
    dockerGone,
    dockerDaemon,
    dockerDangling,
    dockerStart,
    dockerUnpause,
    dockerNetworkReconnect,
    dockerPull,
    dockerRestart,
    dockerComposeUp,
    dockerRecreate,
    dockerPruneDangling,
  ],
  runbooks: [containerNotWell],
  heals: ({ heals }) => heals,
  evidence({ service: name }): Calls {
    const everywhere = { list: call(dockerList, {}), disk: call(dockerDiskUsage, {}), stats: call(dockerStats, {}) };
    if (!v.is(containerName, name)) return everywhere;
    return {
      ...everywhere,
      status: call(dockerStatus, { name }),
      inspect: call(dockerInspect, { name }),
      logs: call(dockerLogs, { name }),
      events: call(dockerEvents, { name }),
      exit: call(dockerExplainExit, { name }),
      health: call(dockerHealthLog, { name }),
      loop: call(dockerRestartLoop, { name, seconds: 3 }),
      network: call(dockerNetwork, { name }),
      image: call(dockerImage, { name }),
      top: call(dockerTop, { name }),
    };
  },
  hints: [
    [
      /permission denied while trying to connect to the docker|permission denied.*docker\.sock/i,
      "The login may not use docker: add it to the group docker (sudo usermod -aG docker <user>) or set privilege: sudo.",
    ],
    [
      /Cannot connect to the Docker daemon|failed to connect to the docker API/i,
      "The docker daemon does not run: sudo systemctl status docker",
    ],
    [
      /error gathering device information/i,
      "A device that the container maps is missing on the host: plug it in, or take it out of the compose file.",
    ],
    [
      /port is already allocated|address already in use/i,
      "Another process holds its port: docker_port_owner names it.",
    ],
    [/no space left on device/i, "The disk is full: docker_disk_usage tells what docker keeps there."],
    [
      /OCI runtime create failed|executable file not found/i,
      "Its program cannot be started: the image or its command is wrong; a restart does not help.",
    ],
    [/toomanyrequests|pull rate limit/i, "The registry lets this address pull no more for now: wait, or docker login."],
    [
      /\/v2\/.*(?:dial (?:tcp|udp)|timeout|no such host|network is unreachable|connection refused)/i,
      "The registry cannot be reached from this host: its network or DNS is down.",
    ],
    [/No such image|pull access denied|manifest unknown/i, "Its image is not on the host and could not be pulled."],
    [/docker: (?:command )?not found/, "There is no docker on this host, or not on the login's PATH."],
  ],
  sudoers: (options) => ({ reads: readingLines(options), fixes: fixingLines(options) }),
});
