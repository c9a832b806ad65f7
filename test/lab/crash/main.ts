// `npm run test:crash`: kills Medic at every kind of moment of an incident on the lab's hosts, and counts. Broken promises:
// a fix that happened twice; one that had left and never happened; an alert that was answered and forgotten; an incident
// without an end. One JSON object with --json, else a table. Exit 1 when a promise is broken.
import { parseArgs } from "node:util";
import { readLab } from "../../../scripts/lab/lab.ts";
import { killAt, type Point, record } from "./point.ts";
import { type Place, type Scenario, scenarios, tidy } from "./scenarios.ts";

/** At once on each host; they mostly wait. */
const PLACES_PER_HOST = 2;
const POINTS_MIN = 12;

const { values } = parseArgs({ options: { json: { type: "boolean" }, only: { type: "string" } } });
const began = performance.now();
const places = readLab().hosts.flatMap(({ name }) =>
  Array.from({ length: PLACES_PER_HOST }, (_, number) => ({ host: name, number })),
);
const chosen = scenarios.filter(({ name }) => values.only === undefined || name.includes(values.only));
try {
  const recorded = await inPlaces(chosen, async (scenario, place) => {
    const names = await record(scenario, place);
    return names.filter(scenario.isOfInterest).map((at) => ({ scenario, at }));
  });
  // The slow ones first, so that none of them is waited for alone at the end.
  const points = recorded.flat().toSorted((one, other) => slowness(other.scenario) - slowness(one.scenario));
  const results = await inPlaces(points, ({ scenario, at }, place) => killAt(scenario, at, place));
  process.exitCode = report(results);
} finally {
  await Promise.all(places.map(tidy));
}

/** Each item at the first place that is free; the answers in the order of the items. */
async function inPlaces<T, R>(items: readonly T[], work: (item: T, place: Place) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (place: Place): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T, place);
  };
  await Promise.all(places.map(worker));
  return results;
}

function slowness({ duringMilliseconds }: Scenario): number {
  return duringMilliseconds;
}

/** The step was on the host, or had been. */
function hadLeft({ at }: Point): boolean {
  return /^(during|after) a step|, verifying$|, judged$|(before|after) fix-dispatched/.test(at);
}

function report(results: readonly Point[]): number {
  const killed = results.filter(({ wasKilled }) => wasKilled);
  const counted = (is: (point: Point) => boolean): number => killed.filter(is).length;
  const figures = {
    killPoints: killed.length,
    effectsOnce: counted(({ restarts }) => restarts === 1),
    effectsNone: counted(({ restarts }) => restarts === 0),
    effectsTwice: counted(({ restarts }) => restarts > 1),
    alertsLost: counted(({ isLost }) => isLost),
    unfinished: counted(({ isOver }) => !isOver),
    noneAlthoughItLeft: counted((point) => point.restarts === 0 && hadLeft(point)),
    notReached: results.length - killed.length,
    seconds: Math.round((performance.now() - began) / 1000),
  };
  if (values.json === true) console.log(JSON.stringify(figures));
  else {
    for (const { scenario, at, wasKilled, restarts, end, seconds } of results) {
      const what = wasKilled ? `${restarts} ×` : "not reached";
      console.log(`${scenario.padEnd(14)}${at.padEnd(58)}${what.padEnd(13)}${end}  (${seconds.toFixed(0)} s)`);
    }
    console.log(figures);
  }
  const { effectsTwice, alertsLost, unfinished, noneAlthoughItLeft, killPoints } = figures;
  const isTooFew = values.only === undefined && killPoints < POINTS_MIN;
  return effectsTwice + alertsLost + unfinished + noneAlthoughItLeft > 0 || isTooFew ? 1 : 0;
}
