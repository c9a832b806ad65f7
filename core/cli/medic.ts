// The command line as a whole: the verbs, their help, and what an error means for the exit code. Runs in any process
// that gives it a context, so tests call it as a person would.
import { stripVTControlCharacters } from "node:util";
import { type CommandDef, defineCommand, renderUsage, runCommand } from "citty";
import { ConfigError, problemLines } from "../config/problem.ts";
import { JournalError } from "../incident/journal-error.ts";
import { packing } from "../packing/packing.ts";
import { accept } from "./accept.ts";
import { approve, deny } from "./approve.ts";
import { auditExport, auditHead, auditVerify } from "./audit.ts";
import { backup } from "./backup.ts";
import { configCheck } from "./config-check.ts";
import { configImport } from "./config-import.ts";
import { configSchema } from "./config-schema.ts";
import { CannotTell, type Context, type ExitCode, UsageError } from "./context.ts";
import { demo } from "./demo.ts";
import { doctor } from "./doctor.ts";
import { healthcheck } from "./healthcheck.ts";
import { hosts } from "./hosts.ts";
import { explain, incidents } from "./incidents.ts";
import { init } from "./init.ts";
import { investigate } from "./investigate.ts";
import { maintenance } from "./maintenance.ts";
import { notifyTest } from "./notify.ts";
import { report } from "./report.ts";
import { pluginDescribe, pluginList } from "./plugin/list.ts";
import { pluginNew } from "./plugin/new.ts";
import { pluginRecord } from "./plugin/record.ts";
import { pluginTest } from "./plugin/test.ts";
import { selftest } from "./selftest.ts";
import { serve } from "./serve.ts";
import { token } from "./token.ts";
import { tool } from "./tool.ts";
import { trust } from "./trust.ts";
import { toCommand } from "./verb.ts";
import { version } from "./version.ts";

/** Runs one call of medic and answers with its exit code. Prints every error; throws none. */
export async function runMedic(rawArgs: readonly string[], context: Context): Promise<ExitCode> {
  let code: ExitCode = 0;
  const medic = commandTree(context, (answer) => {
    code = answer;
  });
  try {
    const help = await helpFor(medic, rawArgs);
    if (help !== undefined) {
      context.out.line(context.out.paint("bold", "") === "" ? stripVTControlCharacters(help) : help);
      return rawArgs.length === 0 ? 2 : 0;
    }
    if (rawArgs.length === 1 && (rawArgs[0] === "--version" || rawArgs[0] === "-v")) {
      context.out.line(packing.version);
      return 0;
    }
    await runCommand(medic, { rawArgs: [...rawArgs] });
    return code;
  } catch (error) {
    return complain(error, context);
  }
}

function commandTree(context: Context, answered: (code: ExitCode) => void): CommandDef {
  const config = defineCommand({
    meta: {
      name: "config",
      description: "Check hosts.yaml, or make entries of ~/.ssh/config: medic config check | import | schema",
    },
    subCommands: {
      check: toCommand(configCheck, context, answered),
      import: toCommand(configImport, context, answered),
      schema: toCommand(configSchema, context, answered),
    },
  });
  const audit = defineCommand({
    meta: { name: "audit", description: "Check or export the journal: medic audit verify | export | head" },
    subCommands: {
      verify: toCommand(auditVerify, context, answered),
      export: toCommand(auditExport, context, answered),
      head: toCommand(auditHead, context, answered),
    },
  });
  const notify = defineCommand({
    meta: { name: "notify", description: "Try the channels of hosts.yaml: medic notify test [CHANNEL]" },
    subCommands: { test: toCommand(notifyTest, context, answered) },
  });
  const plugin = defineCommand({
    meta: {
      name: "plugin",
      description: "Make, test, list plugins: medic plugin new | test | record | list | describe",
    },
    subCommands: {
      new: toCommand(pluginNew, context, answered),
      test: toCommand(pluginTest, context, answered),
      list: toCommand(pluginList, context, answered),
      describe: toCommand(pluginDescribe, context, answered),
      record: toCommand(pluginRecord, context, answered),
    },
  });
  return defineCommand({
    meta: {
      name: "medic",
      version: packing.version,
      description: "Heals the services of a homelab over one SSH connection per host",
    },
    subCommands: {
      init: toCommand(init, context, answered),
      serve: toCommand(serve, context, answered),
      demo: toCommand(demo, context, answered),
      doctor: toCommand(doctor, context, answered),
      config,
      trust: toCommand(trust, context, answered),
      accept: toCommand(accept, context, answered),
      hosts: toCommand(hosts, context, answered),
      tool: toCommand(tool, context, answered),
      investigate: toCommand(investigate, context, answered),
      incidents: toCommand(incidents, context, answered),
      explain: toCommand(explain, context, answered),
      approve: toCommand(approve, context, answered),
      deny: toCommand(deny, context, answered),
      report: toCommand(report, context, answered),
      audit,
      backup: toCommand(backup, context, answered),
      healthcheck: toCommand(healthcheck, context, answered),
      selftest: toCommand(selftest, context, answered),
      maintenance: toCommand(maintenance, context, answered),
      notify,
      token: toCommand(token, context, answered),
      plugin,
      version: toCommand(version, context, answered),
    },
  });
}

/** The usage text when somebody asks for it or says nothing at all. */
async function helpFor(medic: CommandDef, rawArgs: readonly string[]): Promise<string | undefined> {
  const wantsHelp = rawArgs.some((raw) => raw === "--help" || raw === "-h") || rawArgs[0] === "help";
  if (rawArgs.length > 0 && !wantsHelp) return undefined;
  let [command, parent]: [CommandDef, CommandDef | undefined] = [medic, undefined];
  for (const word of rawArgs.filter((raw) => !raw.startsWith("-") && raw !== "help")) {
    const below = (command.subCommands as Record<string, CommandDef> | undefined)?.[word];
    if (below === undefined) break;
    [command, parent] = [below, command];
  }
  return renderUsage(command, parent);
}

/** Errors that are answers are one line (or one a problem); anything else is a fault of Medic's, with its stack. */
function complain(error: unknown, { out }: Context): ExitCode {
  if (error instanceof ConfigError) {
    for (const line of problemLines(error.file, error.problems)) out.note(line);
    return 2;
  }
  if (error instanceof UsageError || error instanceof JournalError || isCittyError(error)) {
    out.note(error.message);
    return 2;
  }
  if (error instanceof CannotTell) {
    out.note(error.message);
    return 3;
  }
  if (error instanceof Error && error.name === "AbortError") {
    out.note("Stopped.");
    return 3;
  }
  if (isFullDisk(error)) {
    const what = typeof error.path === "string" ? `"${error.path}"` : "what has to be kept";
    out.note(`Cannot write ${what}: the disk is full. Free some space, then run it again`);
    return 2;
  }
  out.note(`Medic failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  out.note("This is a fault of Medic's: please report it with the lines above and the output of medic version.");
  return 3;
}

/** Also of a user who may not have more of it. */
function isFullDisk(error: unknown): error is Error & { path?: unknown } {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

function isCittyError(error: unknown): error is Error {
  return error instanceof Error && error.name === "CLIError";
}
