// All drills there are, in the order in which they are listed. Running them needs the lab; this does not.
import type { Drill } from "./drill.ts";
import { composeDrills } from "./families/compose.ts";
import { containerDrills } from "./families/containers.ts";
import { controlDrills } from "./families/controls.ts";
import { exampleDrills } from "./families/examples.ts";
import { hostDrills } from "./families/hosts.ts";
import { scryptedDrills } from "./families/scrypted.ts";
import { unitDrills } from "./families/units.ts";

export const drills: readonly Drill[] = [
  ...containerDrills,
  ...composeDrills,
  ...unitDrills,
  ...scryptedDrills,
  ...hostDrills,
  ...exampleDrills,
  ...controlDrills,
];
