// The one fix: bring Scrypted back as this host runs it. Judged by `/login`, by the run it names, and by the return of
// the plugins that ran before. Recreating, rolling back and restoring are destructive and a person's, so they are absent.
import { call, fix, refuse } from "medic/plugin";
import type { Inquiry, Plan, Refusal } from "medic/plugin";
import {
  brief,
  dockerEvents,
  endedOnPurpose,
  isBetweenRuns,
  lookBackSeconds,
  ownersQuestion,
  purposeText,
} from "medic/plugins/docker";
import * as v from "valibot";
import type { ScryptedOptions } from "./options.ts";
import { scryptedHttpProbe } from "./probe.ts";
import type { Probe } from "./probe.ts";
import { scryptedStatus } from "./status.ts";
import type { ScryptedStatus } from "./status.ts";

const graceSeconds = 30;

export const scryptedRestart = fix({
  name: "scrypted_restart",
  description:
    "Restart Scrypted as this host runs it, also when it is stopped. Refused while it answers, within its start allowance, and under medic.hold.",
  risk: "disruptive",
  input: v.strictObject({
    reason: v.pipe(v.string(), v.nonEmpty(), v.maxLength(200), v.description("Why, for the record.")),
  }),
  watch: () => ({ status: call(scryptedStatus, {}), probe: call(scryptedHttpProbe, {}) }),
  // oxlint-disable-next-line require-yield -- what it watches is all it needs
  *plan(_input, options: ScryptedOptions, { status, probe }): Inquiry<Plan | Refusal> {
    if (status.running && probe.answers) return refuse("Scrypted runs and answers");
    const { container, install } = status;
    if (install === "none")
      return refuse(`no Scrypted is on this host: no "${options.container}", no "${options.unit}"`);
    if (container?.hold === true) return refuse(`"${container.name}" has the label medic.hold=true`);
    if (isYoung(status, options)) {
      return refuse(`it started ${status.ageSeconds} s ago and may take ${options.startAllowanceSeconds} s`);
    }
    if (container === null) return planUnit(status, options);
    if (container.error !== "") return refuse(`docker cannot start it: ${brief(container.error)}`);
    if (container.state === "dead" || container.state === "removing") return refuse(`it is ${container.state}`);
    if (endedOnPurpose(container)) return refuse(purposeText(container));
    const isPaused = container.state === "paused";
    const how = isPaused ? "paused" : container.stoppedByPerson ? "stopped" : undefined;
    const approval = ownersQuestion(options, container.name, how);
    return {
      // The id that was seen: if it was recreated meanwhile, docker says "No such container" and nothing ran.
      steps: [
        isPaused
          ? ["root", "docker", "unpause", "--", container.id]
          : ["root", "docker", "restart", "-t", String(graceSeconds), "--", container.id],
      ],
      touches: [container.name],
      ...(approval === undefined ? {} : { approval }),
    };
  },
  marker: ({ status }) => status.run ?? undefined,
  traces: (_input, { container: name }: ScryptedOptions, sinceSeconds) => ({
    events: call(dockerEvents, { name, seconds: lookBackSeconds(sinceSeconds, graceSeconds) }),
  }),
  pending: ({ status }, { events }) => status.container !== null && isBetweenRuns(status.container, events),
  healthy: ({ status, probe }, before) => isWell(status, probe) && hasPluginsOf(status, before.status),
  withinSeconds: 600,
  // Docker may have forgotten its events, and then nothing shows that it waits for the old process to end.
  settleSeconds: 60,
  stableSeconds: 120,
  timeoutSeconds: 90,
});

function planUnit({ install }: ScryptedStatus, { unit }: ScryptedOptions): Plan {
  return {
    steps: [["root", "systemctl", "restart", "--", unit]],
    touches: [unit],
    ...(install === "lxc"
      ? { approval: `"${unit}" pulls and recreates the container, and may upgrade the system and prune images` }
      : {}),
  };
}

/** Runs and answers. */
export function isWell(status: ScryptedStatus, probe: Probe): boolean {
  return status.running && probe.answers;
}

/** Started so lately that silence is no fault yet. An unknown age is not young. */
export function isYoung(status: ScryptedStatus, { startAllowanceSeconds }: ScryptedOptions): boolean {
  return status.running && status.ageSeconds !== null && status.ageSeconds < startAllowanceSeconds;
}

function hasPluginsOf(now: ScryptedStatus, before: ScryptedStatus): boolean {
  if (now.plugins === null || before.plugins === null) return true;
  const back = new Set(now.plugins);
  return before.plugins.every((id) => back.has(id));
}
