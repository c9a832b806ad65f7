// Bringing Scrypted's compose service up, also when its container was removed: proven by `/login`, as everything of it.
// Nothing that is there is made anew, and its watchtower is left alone.
import { call, fix, need, refuse } from "medic/plugin";
import type { Inquiry, Plan, Refusal } from "medic/plugin";
import {
  composeDoubt,
  composeObjection,
  composeUp,
  dockerComposeConfig,
  endedOnPurpose,
  ownersQuestion,
  purposeText,
} from "medic/plugins/docker";
import * as v from "valibot";
import type { ScryptedOptions } from "./options.ts";
import { scryptedHttpProbe } from "./probe.ts";
import { isWell } from "./restart.ts";
import { scryptedStatus } from "./status.ts";

export const scryptedComposeUp = fix({
  name: "scrypted_compose_up",
  description:
    "Bring up Scrypted's compose service when its container is gone or stopped. Makes nothing anew that is there; refused while it runs, for other installations, and under medic.hold.",
  risk: "disruptive",
  input: v.strictObject({}),
  watch: () => ({ status: call(scryptedStatus, {}), probe: call(scryptedHttpProbe, {}) }),
  *plan(_input, options: ScryptedOptions, { status, probe }): Inquiry<Plan | Refusal> {
    const { install, container } = status;
    if (install !== "none" && install !== "compose") {
      return refuse(`compose does not run this Scrypted (${install}): scrypted_restart brings it back`);
    }
    if (status.running) return refuse("it runs already: scrypted_restart is for one that does not answer");
    if (probe.answers) return refuse("somebody answers in its place: a second instance");
    if (container?.hold === true) return refuse(`"${container.name}" has the label medic.hold=true`);
    if (container !== null && endedOnPurpose(container)) return refuse(purposeText(container));
    const name = container?.name ?? options.container;
    const { config } = yield* need({ config: call(dockerComposeConfig, { name }) });
    const objection = composeObjection(name, config);
    if (objection !== undefined || config.compose === null) return refuse(objection ?? "");
    const how = container === null ? "removed" : container.stoppedByPerson ? "stopped" : undefined;
    const approval = composeDoubt(config.compose) ?? ownersQuestion(options, name, how);
    return {
      steps: [composeUp(config.compose)],
      touches: [name],
      ...(approval === undefined ? {} : { approval }),
    };
  },
  marker: ({ status }) => status.run ?? undefined,
  healthy: ({ status, probe }) => isWell(status, probe),
  withinSeconds: 600,
  stableSeconds: 120,
  timeoutSeconds: 600,
});
