// systemd of the simulated host: units whose state really changes, with the properties `systemctl show` has, and the
// journal they write to. A started unit gets a new InvocationID, which is how a restart is recognised.
import { createHash } from "node:crypto";

import type { Clock } from "./clock.ts";

export type UnitSpec = {
  name: string;
  description: string;
  /** Program of a service; empty for what has none. */
  program: string;
  type: "simple" | "notify" | "oneshot" | "forking" | "";
  restart: "no" | "on-failure" | "always";
  memoryBytes: number;
  canReload: boolean;
  output: "journal" | "null";
  requires: readonly string[];
  wants: readonly string[];
  wantedBy: readonly string[];
  /** Unit that a timer starts. */
  triggers?: string;
};

export type Unit = UnitSpec & {
  active: "active" | "inactive" | "failed";
  sub: string;
  result: string;
  restarts: number;
  invocation: string;
  mainPid: number;
  exitCode: number;
  exitStatus: number;
  /** Milliseconds since the epoch of the last change. */
  changedAt: number;
  activeSince: number;
};

export type JournalEntry = { at: number; identifier: string; pid: number; unit: string | undefined; text: string };

const START_MILLISECONDS = 120;

export class Systemd {
  readonly units = new Map<string, Unit>();
  readonly journal: JournalEntry[] = [];
  readonly #clock: Clock;
  readonly #ending: AbortSignal;
  #nextPid = 612;

  constructor(clock: Clock, ending: AbortSignal) {
    this.#clock = clock;
    this.#ending = ending;
  }

  /** Puts a unit there that has been active since `since`. */
  add(spec: UnitSpec, since: number): void {
    const sub = spec.name.endsWith(".service")
      ? spec.program === ""
        ? "exited"
        : "running"
      : spec.name.endsWith(".timer")
        ? "waiting"
        : "active";
    this.units.set(spec.name, {
      ...spec,
      active: "active",
      sub,
      result: "success",
      restarts: 0,
      invocation: invocation(spec.name, since),
      mainPid: spec.program === "" ? 0 : this.#takePid(),
      exitCode: 0,
      exitStatus: 0,
      changedAt: since,
      activeSince: since,
    });
    this.say("systemd", 1, spec.name, `Started ${spec.name} - ${spec.description}.`, since);
  }

  /** By exact name; a name without a type means a service. */
  find(name: string): Unit | undefined {
    return this.units.get(name) ?? this.units.get(`${name}.service`);
  }

  failed(): Unit[] {
    return [...this.units.values()].filter((unit) => unit.active === "failed");
  }

  async start(unit: Unit): Promise<void> {
    if (unit.active === "active") return;
    this.say("systemd", 1, unit.name, `Starting ${unit.name} - ${unit.description}...`);
    await this.#clock.sleep(START_MILLISECONDS, this.#ending);
    const now = this.#clock.now();
    Object.assign(unit, {
      active: "active",
      sub: unit.program === "" ? "exited" : "running",
      result: "success",
      invocation: invocation(unit.name, now),
      mainPid: unit.program === "" ? 0 : this.#takePid(),
      exitCode: 0,
      exitStatus: 0,
      changedAt: now,
      activeSince: now,
    });
    this.say("systemd", 1, unit.name, `Started ${unit.name} - ${unit.description}.`);
  }

  async stop(unit: Unit): Promise<void> {
    if (unit.active !== "active") return;
    this.say("systemd", 1, unit.name, `Stopping ${unit.name} - ${unit.description}...`);
    await this.#clock.sleep(START_MILLISECONDS, this.#ending);
    Object.assign(unit, {
      active: "inactive",
      sub: "dead",
      mainPid: 0,
      exitCode: 1,
      exitStatus: 0,
      restarts: 0,
      changedAt: this.#clock.now(),
    });
    this.say("systemd", 1, unit.name, `${unit.name}: Deactivated successfully.`);
    this.say("systemd", 1, unit.name, `Stopped ${unit.name} - ${unit.description}.`);
  }

  async restart(unit: Unit): Promise<void> {
    await this.stop(unit);
    unit.restarts = 0;
    await this.start(unit);
  }

  /** The unit's program ends with an error, as if it had crashed. */
  crash(unit: Unit, status: number): void {
    Object.assign(unit, {
      active: "failed",
      sub: "failed",
      result: "exit-code",
      mainPid: 0,
      exitCode: 1,
      exitStatus: status,
      changedAt: this.#clock.now(),
    });
    this.say("systemd", 1, unit.name, `${unit.name}: Main process exited, code=exited, status=${status}/FAILURE`);
    this.say("systemd", 1, unit.name, `${unit.name}: Failed with result 'exit-code'.`);
  }

  resetFailed(unit: Unit): void {
    if (unit.active !== "failed") return;
    Object.assign(unit, {
      active: "inactive",
      sub: "dead",
      result: "success",
      restarts: 0,
      changedAt: this.#clock.now(),
    });
  }

  say(identifier: string, pid: number, unit: string | undefined, text: string, at = this.#clock.now()): void {
    this.journal.push({ at, identifier, pid, unit, text });
  }

  #takePid(): number {
    this.#nextPid += 7;
    return this.#nextPid;
  }
}

function invocation(name: string, at: number): string {
  return createHash("md5").update(`${name} ${at}`).digest("hex");
}
