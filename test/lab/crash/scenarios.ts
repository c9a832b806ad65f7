// What is broken, and how often it was mended: four services whose fix is quick or takes ten seconds, each made anew for
// every point at which Medic is killed. What happened is counted by docker and systemd, not by Medic.
import { until } from "../../../scripts/lab/process.ts";
import { onHost } from "../../../scripts/lab/lab.ts";
import { type OwnMedic } from "../../../scripts/lab/own-medic.ts";
import { removeContainer, startContainer } from "../real-host.ts";

/** One place on one host: what is broken there is nobody else's. */
export type Place = { host: string; number: number };

export type Scenario = {
  name: string;
  /** How long after a step was handed over it counts as being on the host. */
  duringMilliseconds: number;
  /** Boundaries by their names; the others were looked at in a quicker scenario. */
  isOfInterest(boundary: string): boolean;
  /** Breaks it; returns how to count its restarts from now on. */
  breakIt(place: Place): Promise<() => Promise<number>>;
  /** Makes Medic see to it: an alert, or a person's request. Answers with the incident once Medic has taken it. */
  ask(medic: OwnMedic, place: Place): Promise<string | undefined>;
};

/** All of a fix, without the diagnostics between: a quick service shows those. */
const ofTheFix = (boundary: string): boolean =>
  !/a diagnostic|, looking$/.test(boundary) || /claims_|fix-/.test(boundary);
/** The step itself and what is written about it: the rest does not depend on how long it takes. */
const ofTheStep = (boundary: string): boolean => /a step|fix-started|fix-dispatched/.test(boundary);

/** Sick from its first start on, well from the second. */
const container = (duty: string): string =>
  `if [ -e /booted ]; then rm -f /sick; else touch /booted /sick; fi; ${duty}; while :; do sleep 1; done`;
const checked = "--restart unless-stopped --health-interval 2s --health-retries 1 --health-cmd 'test ! -e /sick'";

function docker(name: string, duty: string, of: Pick<Scenario, "duringMilliseconds" | "isOfInterest">): Scenario {
  // A name of its own each time: docker remembers what happened to an earlier container of the name, and Medic asks it.
  const times = new Map<string, number>();
  const nameAt = ({ host, number }: Place): string => {
    const time = times.get(`${host} ${number}`) ?? 0;
    return `crash-${name.replaceAll(" ", "-")}-${number}-${time}`;
  };
  return {
    name,
    ...of,
    async breakIt(place) {
      const { host, number } = place;
      times.set(`${host} ${number}`, (times.get(`${host} ${number}`) ?? 0) + 1);
      await startContainer(host, nameAt(place), checked, container(duty));
      const health = `docker container inspect -f '{{.State.Health.Status}}' ${nameAt(place)}`;
      if (!(await until(async () => (await onHost(host, health)) === "unhealthy", 20))) {
        throw new Error(`Cannot break "${nameAt(place)}" on "${host}": it does not become unhealthy`);
      }
      // Listened to from now on: docker remembers few events, and health checks drive out the others within a minute.
      const [named, file] = [nameAt(place), `/run/${nameAt(place)}`];
      const events = `docker events --filter container=${named} --filter event=restart --format '{{.Action}}'`;
      const listen = `timeout 900 ${events} >${file}.events 2>/dev/null </dev/null & echo $! >${file}.pid; sleep 0.5`;
      await onHost(host, listen);
      return async () => {
        const said = await onHost(host, `cat ${file}.events; kill $(cat ${file}.pid); rm ${file}.events ${file}.pid`);
        await removeContainer(host, named);
        return said.split("\n").filter((line) => line === "restart").length;
      };
    },
    ask: (medic, place) => medic.alert({ host: place.host, service: nameAt(place), name: "ContainerUnhealthy" }),
  };
}

export const unitOf = (name: string, { number }: Place): string =>
  `drill-crash-${name.replaceAll(" ", "-")}-${"abcdefgh"[number] ?? "z"}.service`;

function systemd(
  name: string,
  unit: { stop: string; breaks: string },
  ask: Scenario["ask"],
  of: Pick<Scenario, "duringMilliseconds" | "isOfInterest">,
): Scenario {
  return {
    name,
    ...of,
    ask,
    async breakIt(place) {
      const { host } = place;
      const file = unitOf(name, place);
      const text = `[Unit]\\nDescription=Crash test\\nStartLimitIntervalSec=0\\n[Service]\\nExecStart=/bin/sleep infinity\\n${unit.stop}`;
      await onHost(host, `printf '${text}\\n' > /etc/systemd/system/${file}; systemctl daemon-reload`);
      await onHost(host, `systemctl reset-failed ${file} 2>/dev/null; systemctl start ${file}`);
      await onHost(host, unit.breaks.replaceAll("%", file));
      const since = await onHost(host, "sleep 1.1; date +%s");
      return async () => {
        const said = await onHost(host, `journalctl -u ${file} --since @${since} -o cat --no-pager`);
        return said.split("\n").filter((line) => line.startsWith("Started ")).length;
      };
    },
  };
}

export const scenarios: readonly Scenario[] = [
  docker("docker fast", 'trap "exit 0" TERM', { duringMilliseconds: 20, isOfInterest: ofTheFix }),
  // Deaf to TERM: docker waits the ten seconds of grace.
  docker("docker slow", 'trap "" TERM', { duringMilliseconds: 2000, isOfInterest: ofTheStep }),
  systemd(
    "systemd fast",
    { stop: "Restart=no", breaks: "systemctl kill -s KILL %; sleep 0.3" },
    (medic, place) => medic.alert({ host: place.host, service: unitOf("systemd fast", place), name: "UnitFailed" }),
    { duringMilliseconds: 10, isOfInterest: () => true },
  ),
  systemd(
    "systemd slow",
    { stop: "ExecStop=/bin/sleep 10", breaks: "true" },
    // Nothing is wrong with it: a person wants it restarted, and does not wait for the answer.
    async ({ url, token }, place) => {
      const body = JSON.stringify({ input: { unit: unitOf("systemd slow", place) }, approved: true });
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      void fetch(`${url}/hosts/${place.host}/tools/systemd_restart`, { method: "POST", headers, body }).catch(() => {});
      return undefined;
    },
    { duringMilliseconds: 2000, isOfInterest: ofTheStep },
  ),
];

/** Removes what the scenarios made at a place. */
export async function tidy(place: Place): Promise<void> {
  const { host, number } = place;
  await onHost(
    host,
    `docker ps -aq --filter 'name=^/crash-.*-${number}-[0-9]*$' | xargs -r docker rm -f >/dev/null
     for unit in ${unitOf("systemd fast", place)} ${unitOf("systemd slow", place)}; do
       systemctl kill -s KILL $unit 2>/dev/null; rm -f /etc/systemd/system/$unit
     done
     systemctl daemon-reload; systemctl reset-failed 'drill-crash-*' 2>/dev/null; true`,
  );
}
