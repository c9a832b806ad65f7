// One point at which Medic is killed: break a service, let a first Medic come that far and die of SIGKILL, let a second one
// take up what it left, and count what happened to the service.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type IncidentRecord, isActive } from "../../../core/incident/incident.ts";
import { until } from "../../../scripts/lab/process.ts";
import { type OwnMedic, ownMedic } from "../../../scripts/lab/own-medic.ts";
import type { Place, Scenario } from "./scenarios.ts";

const entry = resolve(import.meta.dirname, "entry.ts");
const OVER_WITHIN_SECONDS = 120;

/** How a point went. `restarts`: how often the service was mended, as its own daemon counts. */
export type Point = {
  scenario: string;
  at: string;
  /** Medic got there and was killed; otherwise the incident ended before. */
  wasKilled: boolean;
  restarts: number;
  /** The alert was answered, and the next Medic knows nothing of it. */
  isLost: boolean;
  isOver: boolean;
  /** How the incident ended, or stands. */
  end: string;
  seconds: number;
};

/** Lets one incident happen undisturbed; the names of its boundaries, in order, each once. */
export async function record(scenario: Scenario, place: Place): Promise<string[]> {
  const file = join(tmpdir(), `medic-crash-${process.pid}-${place.host}-${place.number}`);
  writeFileSync(file, "");
  const medic = await quickMedic();
  try {
    await scenario.breakIt(place);
    await medic.serve(["node", entry, "--record", file, "--during", String(scenario.duringMilliseconds)]);
    await scenario.ask(medic, place);
    await untilAllOver(medic);
    return [...new Set(readFileSync(file, "utf8").split("\n"))].filter((name) => name !== "");
  } finally {
    await medic.remove();
    rmSync(file);
  }
}

/** Kills Medic there, and sees what becomes of it. Whatever breaks on the way is a point without an end. */
export async function killAt(scenario: Scenario, at: string, place: Place): Promise<Point> {
  try {
    return await killed(scenario, at, place);
  } catch (error) {
    const none = { wasKilled: true, restarts: 0, isLost: false, isOver: false, seconds: 0 };
    return { scenario: scenario.name, at, ...none, end: error instanceof Error ? error.message : String(error) };
  }
}

async function killed(scenario: Scenario, at: string, place: Place): Promise<Point> {
  const began = performance.now();
  const medic = await quickMedic();
  try {
    const restartsSince = await scenario.breakIt(place);
    const first = await medic.serve(["node", entry, "--at", at, "--during", String(scenario.duringMilliseconds)]);
    // A Medic that dies before it answers is asked again, as a monitor does; one that answered has to know.
    const answered = await scenario.ask(medic, place).catch(() => undefined);
    const isOverAlready = async (): Promise<boolean> => (await untilAllOver(medic), false);
    const wasKilled = await Promise.race([first.ended.then((signal) => signal === "SIGKILL"), isOverAlready()]);
    await first.kill();
    await medic.serve();
    const isLost = answered !== undefined && medic.journal((journal) => journal.incident(answered)) === undefined;
    if (answered === undefined && incidentsOf(medic).length === 0) await scenario.ask(medic, place);
    const isOver = await untilAllOver(medic);
    // Whatever Medic believes: what was under way on the host comes to its end.
    await pause(1500);
    const ends = incidentsOf(medic).map(inWords);
    const intact = medic.journal((journal) => journal.verify().intact);
    const seconds = (performance.now() - began) / 1000;
    const restarts = await restartsSince();
    const end = `${ends.join(", ")}${intact ? "" : ", and its journal is broken"}`;
    return { scenario: scenario.name, at, wasKilled, restarts, isLost, isOver: isOver && intact, end, seconds };
  } finally {
    await medic.remove();
  }
}

function quickMedic(): Promise<OwnMedic> {
  return ownMedic((file) => {
    file.limits["stable"] = "1s";
    for (const { plugins } of Object.values(file.hosts)) {
      plugins["systemd"] = { units: ["lab-*.service", "drill-crash-*.service"] };
    }
  });
}

function incidentsOf(medic: OwnMedic) {
  return medic.journal((journal) => journal.incidents());
}

function inWords({ state }: IncidentRecord): string {
  if (state.is === "resolved") return `resolved by ${state.by}`;
  return "reason" in state ? `${state.is}: ${state.reason.slice(0, 150)}` : state.is;
}

function untilAllOver(medic: OwnMedic): Promise<boolean> {
  const isOver = async (): Promise<boolean> => {
    // Seldom: six Medics are looked at on two cores, and each look opens a journal.
    await pause(300);
    const incidents = incidentsOf(medic);
    return incidents.length > 0 && incidents.every(({ state }) => !isActive(state));
  };
  return until(isOver, OVER_WITHIN_SECONDS);
}
