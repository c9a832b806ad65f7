// The `docker` command, as 20.10 prints it, over the simulated daemon.
import type { Container, DockerEngine } from "../docker-engine.ts";
import type { Context, Program } from "../program.ts";
import { asked, fail } from "../program.ts";
import { eventShape, imageShape, inspected, listed } from "./docker-shapes.ts";
import { dockerReports } from "./docker-reports.ts";
import { fillTemplate } from "./go-template.ts";
import type { Options } from "./options.ts";
import { readOptions } from "./options.ts";

export type Command = (
  options: Options,
  context: Context,
  engine: DockerEngine,
  args: readonly string[],
) => number | Promise<number>;

const FLAGS_WITH_VALUES = [
  "f",
  "format",
  "filter",
  "n",
  "tail",
  "since",
  "until",
  "t",
  "time",
  "s",
  "signal",
  "last",
  "type",
];

const commands: Readonly<Record<string, Command>> = {
  ...dockerReports,
  inspect: (options, context, engine) =>
    eachNamed(options.operands, context, engine, "object", (container) =>
      show(options, context, inspected(container, options.has("size"))),
    ),
  "container inspect": (options, context, engine) =>
    eachNamed(options.operands, context, engine, "container", (container) =>
      show(options, context, inspected(container, options.has("size"))),
    ),
  "container ls": list,
  "image inspect": (options, context, engine) => {
    let exit = 0;
    for (const name of options.operands) {
      const image = engine.images.find(
        (one) => one.reference === name || `sha256:${one.id}`.startsWith(name) || one.id.startsWith(name),
      );
      if (image === undefined) {
        context.stdout.write(options.has("f", "format") ? "\n" : "");
        exit = fail(context, `Error: No such image: ${name}`);
      } else show(options, context, imageShape(image));
    }
    return exit;
  },
  logs,
  "container logs": logs,
  events,
  "system events": events,
  start: changing(async (engine, container) => await engine.start(container)),
  stop: changing(async (engine, container) => await engine.stop(container)),
  restart: changing(async (engine, container) => await engine.restart(container)),
  kill: changing(async (engine, container) => await engine.kill(container), "running"),
  pause: changing(async (engine, container) => engine.pause(container), "running"),
  unpause: changing(async (engine, container) => engine.unpause(container), "paused"),
};

const SAME: Readonly<Record<string, string>> = {
  ps: "container ls",
  "container list": "container ls",
  "container ps": "container ls",
  images: "image ls",
  "container stats": "stats",
  "container top": "top",
};

/** The program, talking to this daemon. */
export function dockerProgram(engine: DockerEngine): Program {
  return async (args, context) => {
    const words = args[0] === "-H" || args[0] === "--host" ? args.slice(2) : args;
    if (words[0] === "--version" || words[0] === "-v") {
      context.stdout.write("Docker version 20.10.24+dfsg1, build 297e128\n");
      return 0;
    }
    const [first = "", second = ""] = words;
    const groups = ["container", "image", "system", "network", "volume", "builder"];
    const isGroup = groups.includes(first);
    const plain = isGroup ? `${first} ${second}` : first;
    const lifecycle = /^container (start|stop|restart|kill|pause|unpause)$/.exec(plain)?.[1];
    const command = commands[lifecycle ?? SAME[plain] ?? plain];
    if (command === undefined) {
      return fail(context, `docker: '${plain}' is not a docker command.\nSee 'docker --help'`);
    }
    const rest = words.slice(isGroup ? 2 : 1);
    try {
      return await command(readOptions(rest, FLAGS_WITH_VALUES), context, engine, rest);
    } catch (error) {
      context.signal.throwIfAborted();
      return fail(context, error instanceof Error ? error.message : String(error));
    }
  };
}

function show(options: Options, context: Context, shape: Record<string, unknown>): void {
  const format = options.value("f", "format");
  const text = format === undefined ? JSON.stringify([shape], undefined, 4) : fillTemplate(format, shape);
  context.stdout.write(`${text}\n`);
}

/** Does it for each that exists and says which do not, as docker does. */
function eachNamed(
  names: readonly string[],
  context: Context,
  engine: DockerEngine,
  kind: string,
  use: (container: Container) => void,
): number {
  let exit = 0;
  for (const name of names) {
    const container = engine.find(name);
    if (container !== undefined) use(container);
    else {
      context.stdout.write("\n");
      exit = fail(context, `Error: No such ${kind}: ${name}`);
    }
  }
  if (names.length === 0) return fail(context, '"docker inspect" requires at least 1 argument.');
  return exit;
}

function list(options: Options, context: Context, engine: DockerEngine): number {
  const filters = options.values("filter").concat(options.values("f"));
  const shown = engine.containers.filter(
    (container) =>
      (options.has("a", "all") || container.state.status !== "exited") &&
      filters.every((filter) => passes(container, filter)),
  );
  const format = options.value("format");
  if (options.has("q", "quiet")) {
    for (const { id } of shown) context.stdout.write(`${options.has("no-trunc") ? id : id.slice(0, 12)}\n`);
    return 0;
  }
  const rows = shown.map((container) => listed(container, context.now(), !options.has("no-trunc")));
  if (format !== undefined) {
    for (const row of rows)
      context.stdout.write(
        `${fillTemplate(format.replace(/^table /, ""), format === "{{json .}}" ? withoutMethods(row) : row)}\n`,
      );
    return 0;
  }
  const columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"] as const;
  const titles = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
  const cells = [titles, ...rows.map((row) => columns.map((column) => String(row[column])))];
  context.stdout.write(table(cells));
  return 0;
}

function passes(container: Container, filter: string): boolean {
  const [key = "", value = ""] = filter.split(/=(.*)/s);
  switch (key) {
    case "name":
      return new RegExp(value).test(container.name) || new RegExp(value).test(`/${container.name}`);
    case "id":
      return container.id.startsWith(value);
    case "status":
      return container.state.status === value;
    case "publish":
      return container.published.some(({ host }) => String(host) === value.split("/")[0]);
    case "label": {
      const [label = "", wanted] = value.split(/=(.*)/s);
      return wanted === undefined ? label in container.labels : container.labels[label] === wanted;
    }
    case "health":
      return value === "none";
    default:
      throw new Error(`Error response from daemon: Invalid filter '${key}'`);
  }
}

function logs(options: Options, context: Context, engine: DockerEngine): number {
  const name = options.operands[0] ?? "";
  const container = engine.find(name);
  if (container === undefined) return fail(context, `Error: No such container: ${name}`);
  if (container.logDriver === "none") {
    return fail(context, "Error response from daemon: configured logging driver does not support reading");
  }
  const since = timeOf(options.value("since"), context.now()) ?? 0;
  const count = options.value("n", "tail") ?? "all";
  const lines = container.logged.filter(({ at }) => at >= since);
  const kept = count === "all" ? lines : Number(count) === 0 ? [] : lines.slice(-Number(count));
  for (const { at, text } of kept) {
    const stamp = options.has("t", "timestamps") ? `${new Date(at).toISOString().replace("Z", "000000Z")} ` : "";
    context.stdout.write(`${stamp}${text}\n`);
  }
  return 0;
}

async function events(options: Options, context: Context, engine: DockerEngine): Promise<number> {
  const now = context.now();
  const until = timeOf(options.value("until"), now) ?? Infinity;
  const since = timeOf(options.value("since"), now) ?? now;
  const filters = options.values("filter").concat(options.values("f"));
  // As docker does, it goes on until the end that was asked for, also when that lies ahead.
  if (until > now) await context.sleep(until === Infinity ? 2 ** 31 - 1 : until - now, context.signal);
  const format = options.value("format");
  for (const event of engine.events) {
    if (event.at < since || event.at > until || !matchesFilters(event.action, event.container, filters)) continue;
    const text =
      format === undefined
        ? `${new Date(event.at).toISOString()} container ${event.action} ${event.container.id}`
        : fillTemplate(format, eventShape(event));
    context.stdout.write(`${text}\n`);
  }
  return 0;
}

/** Filters of one kind are alternatives, kinds have to agree. */
function matchesFilters(action: string, container: Container, filters: readonly string[]): boolean {
  const wanted = new Map<string, string[]>();
  for (const filter of filters) {
    const [key = "", value = ""] = filter.split(/=(.*)/s);
    wanted.set(key, [...(wanted.get(key) ?? []), value]);
  }
  const kinds: Record<string, (value: string) => boolean> = {
    type: (value) => value === "container",
    event: (value) => value === action,
    container: (value) => container.name === value || container.id.startsWith(value),
    image: (value) => container.image === value,
  };
  return [...wanted].every(([key, values]) => values.some((value) => kinds[key]?.(value) ?? true));
}

/** Seconds since the epoch, a date, or a span back from now such as `10m`; milliseconds since the epoch. */
function timeOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const spans = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  if (spans.length > 0 && /^[\d.smhd]+$/.test(text)) {
    const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    return now - spans.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? "s"] ?? 0), 0);
  }
  const date = Date.parse(text);
  if (Number.isNaN(date))
    throw new Error(`Error response from daemon: invalid value for "since": failed to parse value as time: ${text}`);
  return date;
}

/** A command that changes containers and prints their names as they were given. */
function changing(
  change: (engine: DockerEngine, container: Container) => Promise<void>,
  needs?: "running" | "paused",
): Command {
  return async (options, context, engine) => {
    let exit = 0;
    for (const name of options.operands) {
      const container = engine.find(name);
      if (container === undefined) {
        exit = fail(context, `Error response from daemon: No such container: ${name}`);
      } else if (needs !== undefined && container.state.status !== needs) {
        exit = fail(context, `Error response from daemon: Container ${container.id} is not ${needs}`);
      } else {
        await asked(change(engine, container), context.signal);
        context.stdout.write(`${name}\n`);
      }
    }
    return exit;
  };
}

function withoutMethods(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => typeof value !== "function"));
}

/** Columns as wide as their widest cell and three spaces, as docker's. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3))).join("")}\n`,
    )
    .join("");
}
