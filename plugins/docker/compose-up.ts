// Bringing one compose service up: makes the container that is missing, starts the one that is stopped. It makes nothing
// anew that is there (that is docker_recreate, which asks), builds nothing, and leaves the project's other services alone:
// each of them has an owner's word of its own (`protect`), and its own alert.
import { call, fix, need, refuse } from "medic/plugin";
import type { Inquiry, Plan, Refusal } from "medic/plugin";
import { composeDoubt, composeObjection, composeUp, dockerComposeConfig } from "./compose.ts";
import { endedOnPurpose, isWell, objectionTo, overFor, ownersQuestion, pending, purposeText } from "./fixes.ts";
import { byName } from "./inputs.ts";
import type { DockerOptions } from "./inputs.ts";
import { dockerStatus, runOf } from "./status.ts";

const withinSeconds = 180;

export const dockerComposeUp = fix({
  name: "docker_compose_up",
  description:
    "Bring up the compose service of one container, by its exact name, also when the container was removed lately: makes it when missing, starts it when stopped. Makes nothing anew, builds nothing, touches no other service.",
  risk: "disruptive",
  input: byName,
  watch: ({ name }) => ({ status: call(dockerStatus, { name }) }),
  *plan({ name }, options: DockerOptions, { status }): Inquiry<Plan | Refusal> {
    if (status.exists) {
      const objection = objectionTo(status, name);
      if (objection !== undefined) return refuse(objection);
      if (status.running) return refuse(`"${name}" runs already, for ${status.ageSeconds} s`);
      if (status.state !== "exited" && status.state !== "created") return refuse(`"${name}" is ${status.state}`);
      if (endedOnPurpose(status)) return refuse(purposeText(status));
    }
    const { config } = yield* need({ config: call(dockerComposeConfig, { name }) });
    const objection = composeObjection(name, config);
    if (objection !== undefined || config.compose === null) return refuse(objection ?? "");
    const how = !status.exists ? "removed" : status.stoppedByPerson ? "stopped" : undefined;
    const approval = composeDoubt(config.compose) ?? ownersQuestion(options, name, how);
    return {
      steps: [composeUp(config.compose)],
      touches: [name],
      withinSeconds: withinSeconds + (status.exists ? status.startPeriodSeconds : 0),
      ...(approval === undefined ? {} : { approval }),
    };
  },
  marker: ({ status }) => runOf(status),
  pending,
  healthy: ({ status }) => isWell(status),
  hopeless: ({ status }, before) => overFor(status, before.status),
  withinSeconds,
  stableSeconds: 30,
  timeoutSeconds: 600,
});
