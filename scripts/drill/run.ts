// One drill from its preparation to the restored host, with a Medic of its own: broken, alerted, waited for, its raw logs
// kept, put back. It puts back whatever happens, also when it is interrupted. It judges nothing.
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isActive } from "../../core/incident/incident.ts";
import { ownMedic, type OwnMedic } from "../lab/own-medic.ts";
import { startContainers } from "../lab/containers.ts";
import { inHost, labHost, readLab, onHost } from "../lab/lab.ts";
import { type Drill, sweep } from "./drill.ts";
import { portOf, raise, unwatch, watch } from "./raise.ts";
import { keepRaw } from "./raw.ts";

/** The plugin that a stranger wrote; it loads as any owner's does, and counts where a host names it. */
const nginxPlugin = resolve(import.meta.dirname, "../../docs/examples/nginx");
/** Long enough for a Medic that holds nothing back to begin a fix. */
const heldSeconds = 5;

/** Longer than any drill may take on the way from the alert to Medic's last word. */
const withinSecondsMax = 75;

/** Runs a drill on a host; its raw logs are in `folder` afterwards. Throws when it could not be carried out. */
export async function runDrill(drill: Drill, host: string, folder: string, signal: AbortSignal): Promise<void> {
  let medic: OwnMedic | undefined;
  try {
    await onHost(host, sweep);
    if (drill.prepare !== undefined) await bounded(host, drill.prepare);
    await watch(drill, host);
    medic = await ownMedic((file) => {
      // A Medic that knows one host: what it does elsewhere would be a fault of its own, and is told by its log.
      file.hosts = Object.fromEntries(Object.entries(file.hosts).filter(([name]) => name === host));
      for (const entry of Object.values(file.hosts)) {
        entry.plugins["systemd"] = { units: ["lab-*.service", "drill-*.service"] };
        drill.configure?.(entry);
      }
      file.limits["incident"] = `${withinSecondsMax}s`;
      file.limits["stable"] = "3s";
      file.pluginFolders = [nginxPlugin];
    }, portOf(drill));
    const serve = await medic.serve();
    if (drill.maintenance === true) await told(medic, "maintenance", "start", `${host}/${drill.alert.service}`);
    signal.throwIfAborted();
    await bounded(host, drill.break);
    signal.throwIfAborted();
    const { incident: id, alertedAt } = await raise(drill, host, { medic, serve, signal });
    await untilDone(medic, id, drill.withinSeconds ?? withinSecondsMax, signal);
    if (drill.approve === true) {
      await told(medic, "approve", id, "--yes");
      await untilDone(medic, id, withinSecondsMax, signal);
    }
    const endedAt = Date.now();
    await serve.stop();
    const { events } = medic.story(id);
    const { privilege } = hostEntry(medic, host);
    const { name, tells, expected, fixes, says = [], subjects, keepsRun = false } = drill;
    await keepRaw(
      join(folder, name),
      {
        drill: name,
        tells,
        host,
        expected,
        fixes,
        says,
        subjects,
        keepsRun,
        key: readLab().keys.medic.fingerprint,
        hasSudo: privilege === "sudo",
        alertedAt,
        endedAt,
      },
      { events, logFile: medic.logFile },
    );
  } finally {
    unwatch(drill);
    await medic?.remove();
    await putBack(drill, host);
  }
}

/** Runs a drill's text; whatever it waits for in vain ends on the host, or its output would never close. */
async function bounded(host: string, text: string): Promise<void> {
  const { exit, stderr } = await inHost(host, ["timeout", "-k", "1", "45", "sh", "-ec", text]);
  if (exit !== 0) throw new Error(`Cannot carry out the drill on "${host}": exit ${exit}: ${stderr.trim()}`);
}

/** Puts a host back to how the lab began. */
export async function putBack(drill: Drill | undefined, host: string): Promise<void> {
  if (drill?.restore !== undefined) await inHost(host, ["sh", "-c", drill.restore]);
  await onHost(host, sweep);
  if (drill?.remakesScrypted === true) {
    await onHost(host, "docker rm -f scrypted >/dev/null 2>&1; exit 0");
    const { leader, name, address } = labHost(host);
    await startContainers(leader, { name, address });
  }
}

/** What a person says to Medic, said as a person says it. */
async function told(medic: OwnMedic, ...verb: string[]): Promise<void> {
  const { exit, stdout, stderr } = await medic.verb(...verb);
  if (exit !== 0) throw new Error(`Cannot say "medic ${verb.join(" ")}": ${stderr.trim() || stdout.trim()}`);
}

async function untilDone(medic: OwnMedic, id: string, withinSeconds: number, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + withinSeconds * 1000;
  const stateOf = () => medic.story(id).incident.state;
  // A drill that is not over in time is no breakage: the checker says what it ended as.
  for (let state = stateOf(); isActive(state) && Date.now() < deadline; state = stateOf()) {
    const isHeld = state.is === "open" && state.held !== undefined;
    await sleep(isHeld ? heldSeconds * 1000 : 200, undefined, { signal });
    if (isHeld) return;
  }
}

function hostEntry(medic: OwnMedic, host: string): { privilege: string } {
  let privilege = "none";
  medic.configure((file) => {
    privilege = file.hosts[host]?.privilege ?? "none";
  });
  return { privilege };
}
