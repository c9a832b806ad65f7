// The bridges that docker makes on a lab host. A host shares this machine's network, so a bridge outlives a host that is
// ended without notice; by its name it is found and taken away.
import { must, run } from "./process.ts";

/** For documentation (RFC 5737), and led nowhere: nothing is sent to it from outside of its bridge. */
export const documentationNetwork = "203.0.113";

const prefix = "lab-br-";

/** The option of a docker network that gives its bridge a name of the lab's; `name` has at most 8 characters. */
export function bridgeOption(name: string): readonly [option: string, bridge: string] {
  return ["com.docker.network.bridge.name", `${prefix}${name}`];
}

/** Takes away what is left of them. */
export async function endBridges(): Promise<void> {
  const { stdout } = await run(["ip", "-o", "link", "show", "type", "bridge"]);
  const names = stdout.split("\n").map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? "");
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    // oxlint-disable-next-line no-await-in-loop -- one at most, as a rule
    await must(["ip", "link", "delete", name]);
  }
}
