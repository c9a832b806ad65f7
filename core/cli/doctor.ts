// `medic doctor`: per host, what is wrong and what mends it. Looks at all hosts at once; prints, decides the exit code,
// and changes nothing. `--sudoers` prints what the plugins need of sudo, and asks no host.
import type { HostConfig } from "../config/schema.ts";
import { silent } from "../log.ts";
import { createTransport } from "../transport/pool.ts";
import type { Check } from "./doctor/check.ts";
import { readEquipped, type Equipped } from "./config-file.ts";
import { UsageError, type Context, type ExitCode, type Output } from "./context.ts";
import { diagnose } from "./doctor/host-checks.ts";
import { inspectKey } from "../transport/identity.ts";
import { mainProgram, sudoersCommands, sudoersFile, type SudoersNeeds } from "./doctor/sudoers.ts";
import { sudoersPatterns } from "../plugin/sudoers.ts";
import { defineVerb, equipArgs, jsonArg } from "./verb.ts";

const defaultTimeoutSeconds = 20;

export const doctor = defineVerb({
  name: "doctor",
  description: "Tell, per host, what is wrong and the command that mends it",
  args: {
    host: { type: "positional", required: false, description: "One host only" },
    sudoers: { type: "boolean", description: "Print the sudoers lines the hosts' plugins need" },
    ...equipArgs,
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const equipped = await readEquipped(context, args);
    for (const { why } of equipped.broken) context.out.note(why);
    const hosts = chosen(equipped, args.host);
    if (args.sudoers === true) {
      context.out.line(sudoersFile(hosts.map((host) => needsOf(host, equipped, context))).trimEnd());
      return 0;
    }
    const checks = await examine(hosts, equipped, context);
    if (args.json === true) context.out.json({ hosts: hosts.map(({ name }) => name), checks });
    else for (const line of reportLines(hosts, checks, context.out)) context.out.line(line);
    return exitCodeOf(checks);
  },
});

function chosen({ config }: Equipped, name: string | undefined): HostConfig[] {
  if (name === undefined) return Object.values(config.hosts);
  const host = Object.hasOwn(config.hosts, name) ? config.hosts[name] : undefined;
  if (host !== undefined) return [host];
  const known = Object.keys(config.hosts).join(", ");
  throw new UsageError(`Cannot look at "${name}": no such host in hosts.yaml, it has ${known}`);
}

function needsOf(host: HostConfig, { catalog }: Equipped, { env }: Context): SudoersNeeds {
  const seconds = catalog
    .toolsOn(host.name)
    .flatMap(({ tool }) =>
      tool.kind === "diagnostic" ? [Math.ceil(tool.timeoutSeconds ?? defaultTimeoutSeconds)] : [],
    );
  const user = host.transport === "local" ? (env["USER"] ?? "medic") : host.user;
  return {
    host: host.name,
    user,
    privilege: host.privilege,
    patterns: catalog.sudoersOf(host.name),
    timeLimits: seconds,
  };
}

async function examine(hosts: readonly HostConfig[], equipped: Equipped, context: Context): Promise<Check[]> {
  const transport = createTransport(equipped.config.hosts, {
    log: silent,
    agentSocket: context.env["SSH_AUTH_SOCK"],
    drainSeconds: { diagnostics: 1, fixes: 1 },
  });
  try {
    const examined = hosts.map((host) => {
      const commands = sudoersCommands(needsOf(host, equipped, context));
      const vital = vitalPrograms(host, equipped);
      return diagnose(host, {
        transport,
        sudoersCommands: commands,
        vital,
        inspectKey,
        now: Date.now,
        stop: context.stop,
      });
    });
    return (await Promise.all(examined)).flat();
  } finally {
    await transport.close();
  }
}

/** Of the plugins that hosts.yaml names: what every host has anyway may lack a program. */
function vitalPrograms(host: HostConfig, { catalog }: Equipped): ReadonlyMap<string, string> {
  const named = catalog.enabledOn(host.name).filter(({ plugin }) => Object.hasOwn(host.plugins, plugin.name));
  return new Map(
    named.flatMap(({ plugin, options }) => {
      const { reads, fixes } = sudoersPatterns(plugin.sudoers?.(options));
      const program = mainProgram([...new Set([...reads, ...fixes])]);
      return program === undefined ? [] : [[program, plugin.name] as const];
    }),
  );
}

/** 0: all is well; 1: something is wrong; 3: nothing known to be wrong, but not all could be found out. */
export function exitCodeOf(checks: readonly Check[]): ExitCode {
  if (checks.some(({ ok }) => ok === false)) return 1;
  return checks.some(({ ok }) => ok === "unknown") ? 3 : 0;
}

/** The report for people: a paragraph per host, what mends it below each fault. */
export function reportLines(
  hosts: readonly HostConfig[],
  checks: readonly Check[],
  { paint }: Pick<Output, "paint">,
): string[] {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const paragraphs = hosts.flatMap((host) => {
    const where = host.transport === "local" ? "this machine" : `${host.user}@${host.address}`;
    const own = checks.filter((check) => check.host === host.name);
    const lines = own.flatMap(({ check, ok, says, mend }) => {
      const line = `  ${mark(ok, paint)}  ${check.padEnd(width)}  ${says}`;
      return mend === undefined ? [line] : [line, `${" ".repeat(width + 11)}→ ${mend}`];
    });
    return [`${paint("bold", host.name)} (${where})`, ...lines, ""];
  });
  const wrong = checks.filter(({ ok }) => ok === false).length;
  const open = checks.filter(({ ok }) => ok === "unknown").length;
  return [...paragraphs, wrong + open === 0 ? "All is well." : `${wrong} wrong, ${open} could not be found out.`];
}

function mark(ok: Check["ok"], paint: Output["paint"]): string {
  if (ok === true) return paint("green", "ok   ");
  return ok === false ? paint("red", "wrong") : paint("yellow", "?    ");
}
