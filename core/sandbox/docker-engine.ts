// The docker daemon of the simulated host: containers that really stop, start and are restarted over time, with the
// events docker would record. A start or a stop goes on when the client that asked for it is gone. Knows nothing of how
// `docker` prints it.
//
//   created ─start─▶ running ─stop─▶ exited ─start─▶ running        (a stop takes as long as the program needs to end)
import type { Clock } from "./clock.ts";

export type ContainerSpec = {
  name: string;
  id: string;
  image: string;
  command: readonly string[];
  restartPolicy: "no" | "always" | "unless-stopped" | "on-failure";
  logDriver: "json-file" | "local" | "none";
  networkMode: string;
  labels: Readonly<Record<string, string>>;
  environment: readonly string[];
  mounts: readonly { source: string; destination: string }[];
  devices: readonly string[];
  published: readonly { container: number; host: number }[];
  address: string;
  /** What it takes to end when asked, and with which status. */
  stop: { milliseconds: number; exit: number };
  memoryBytes: number;
  /** Its processes while it runs, the first as its main one. */
  processes: readonly { command: string; memoryBytes: number; cpuPercent: number }[];
  /** Ports its programs listen on, so long after the start. */
  listens: readonly { port: number; protocol: "tcp" | "udp"; afterMilliseconds: number }[];
  /** What it says on standard output when it starts. */
  says: readonly string[];
};

export type ContainerState = {
  status: "created" | "running" | "paused" | "restarting" | "exited";
  pid: number;
  exit: number;
  /** Milliseconds since the epoch; 0 for never. */
  startedAt: number;
  finishedAt: number;
  restartCount: number;
};

export type Container = ContainerSpec & {
  createdAt: number;
  state: ContainerState;
  logged: { at: number; text: string }[];
};
export type ImageSpec = { id: string; reference: string; digest: string; createdAt: string; sizeBytes: number };
export type DockerEvent = {
  at: number;
  action: string;
  container: Container;
  attributes: Readonly<Record<string, string>>;
};

/** Docker keeps so many. */
const EVENTS_MAX = 256;
const START_MILLISECONDS = 180;

export class DockerEngine {
  readonly containers: Container[] = [];
  readonly images: ImageSpec[] = [];
  readonly events: DockerEvent[] = [];
  readonly #clock: Clock;
  readonly #ending: AbortSignal;
  readonly #busy = new Map<string, Promise<void>>();
  #nextPid = 2400;

  /** `ending` fires when the sandbox closes: what is under way then is dropped. */
  constructor(clock: Clock, ending: AbortSignal) {
    this.#clock = clock;
    this.#ending = ending;
  }

  /** Puts a container there that has been running since `startedAt`. */
  add(spec: ContainerSpec, startedAt: number): void {
    const pid = this.#takePid(spec);
    const state = { status: "running" as const, pid, exit: 0, startedAt, finishedAt: 0, restartCount: 0 };
    this.containers.push({ ...spec, createdAt: startedAt - 1500, state, logged: linesOf(spec, startedAt) });
  }

  /** By exact name or by the beginning of the id, as docker does. */
  find(nameOrId: string): Container | undefined {
    const name = nameOrId.replace(/^\//, "");
    return (
      this.containers.find((container) => container.name === name) ??
      this.containers.find((container) => /^[0-9a-f]+$/.test(name) && container.id.startsWith(name))
    );
  }

  async start(container: Container): Promise<void> {
    await this.#oneAtATime(container, async () => {
      if (container.state.status !== "running") await this.#start(container);
    });
  }

  async stop(container: Container): Promise<void> {
    await this.#oneAtATime(container, async () => {
      if (container.state.status === "running") await this.#stop(container, 15);
    });
  }

  async restart(container: Container): Promise<void> {
    await this.#oneAtATime(container, async () => {
      if (container.state.status === "running") await this.#stop(container, 15);
      await this.#start(container);
      this.#record(container, "restart");
    });
  }

  async kill(container: Container): Promise<void> {
    await this.#oneAtATime(container, async () => {
      this.#record(container, "kill", { signal: "9" });
      this.#die(container, 137);
    });
  }

  pause(container: Container): void {
    container.state = { ...container.state, status: "paused" };
    this.#record(container, "pause");
  }

  unpause(container: Container): void {
    container.state = { ...container.state, status: "running" };
    this.#record(container, "unpause");
  }

  /** Ports that answer right now. */
  listening(): { port: number; protocol: "tcp" | "udp"; container: Container }[] {
    return this.containers.flatMap((container) => {
      if (container.state.status !== "running") return [];
      const age = this.#clock.now() - container.state.startedAt;
      return container.listens.filter((one) => age >= one.afterMilliseconds).map((one) => ({ ...one, container }));
    });
  }

  /** Docker does one thing at a time to a container; the next one waits. */
  async #oneAtATime(container: Container, body: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(container.id) ?? Promise.resolve();
    const mine = before.then(body);
    this.#busy.set(
      container.id,
      mine.catch(() => undefined),
    );
    await mine;
  }

  async #start(container: Container): Promise<void> {
    await this.#clock.sleep(START_MILLISECONDS, this.#ending);
    const startedAt = this.#clock.now();
    const pid = this.#takePid(container);
    container.state = { ...container.state, status: "running", pid, exit: 0, startedAt, restartCount: 0 };
    if (container.logDriver !== "none") container.logged.push(...linesOf(container, startedAt));
    this.#record(container, "start");
  }

  async #stop(container: Container, signal: number): Promise<void> {
    this.#record(container, "kill", { signal: String(signal) });
    await this.#clock.sleep(container.stop.milliseconds, this.#ending);
    this.#die(container, container.stop.exit);
    this.#record(container, "stop");
  }

  #die(container: Container, exit: number): void {
    container.state = { ...container.state, status: "exited", pid: 0, exit, finishedAt: this.#clock.now() };
    this.#record(container, "die", { exitCode: String(exit) });
  }

  #record(container: Container, action: string, attributes: Record<string, string> = {}): void {
    const named = { ...container.labels, ...attributes, image: container.image, name: container.name };
    this.events.push({ at: this.#clock.now(), action, container, attributes: named });
    this.events.splice(0, Math.max(0, this.events.length - EVENTS_MAX));
  }

  #takePid(spec: ContainerSpec): number {
    this.#nextPid += spec.processes.length + 13;
    return this.#nextPid;
  }
}

function linesOf(spec: ContainerSpec, startedAt: number): { at: number; text: string }[] {
  return spec.logDriver === "none" ? [] : spec.says.map((text, index) => ({ at: startedAt + 40 * index, text }));
}
