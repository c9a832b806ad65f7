// systemd_restart_dependency: a unit failed because what it requires failed. Both are brought back in one fix, in their
// order, for one without the other heals nothing. Both have to be listed by the owner.
import { call, fix, refuse } from "medic/plugin";
import type { Found } from "medic/plugin";
import * as v from "valibot";
import { cannotStart, freed, isRunning, overFor, planOf, settleSeconds, usable } from "./fixes.ts";
import { type SystemdOptions, unitName } from "./inputs.ts";
import { systemdDependencies } from "./lists.ts";
import { systemdStatus } from "./status.ts";

const watch = ({ unit, dependency }: { unit: string; dependency: string }) => ({
  status: call(systemdStatus, { unit }),
  required: call(systemdStatus, { unit: dependency }),
  needs: call(systemdDependencies, { unit }),
});
type Seen = Found<ReturnType<typeof watch>>;

export const systemdRestartDependency = fix({
  name: "systemd_restart_dependency",
  description: "Restarts a failed unit that a listed unit requires, then starts that unit; both have to be listed.",
  risk: "disruptive",
  input: v.strictObject({
    unit: unitName,
    dependency: v.pipe(unitName, v.description("Exact name of the failed unit that it requires.")),
  }),
  watch,
  *plan({ unit, dependency }, options: SystemdOptions, { status, required, needs }) {
    const found = usable(unit, status, options);
    if ("refused" in found) return found;
    const below = usable(dependency, required, options);
    if ("refused" in below) return below;
    if (!needs.exists || !needs.broken.includes(below.id)) {
      return refuse(`"${found.id}" does not require "${below.id}", or that has not failed`);
    }
    if (found.active === "active") return refuse(`"${found.id}" is running`);
    const not = cannotStart(below) ?? cannotStart(found);
    if (not !== undefined) return refuse(not);
    const steps = [...freed("restart", below), ...freed("start", found)];
    return planOf(steps, below, [...new Set([below.id, ...below.carries, found.id])], options);
  },
  marker: ({ status, required }: Seen) => {
    const runs = [required, status].map((one) => (one.exists && one.job === 0 ? one.invocation : ""));
    return runs.includes("") ? undefined : runs.join(" ");
  },
  healthy: ({ status, required }: Seen) => isRunning(status) && isRunning(required),
  hopeless: ({ status, required }: Seen) => overFor(required) ?? overFor(status),
  pending: ({ status, required }: Seen) => [status, required].some((one) => one.exists && one.job !== 0),
  settleSeconds,
  withinSeconds: 180,
  stableSeconds: 30,
  timeoutSeconds: 120,
});
