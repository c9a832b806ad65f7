// `medic plugin record HOST TOOL [--key value]`: asks a real host and writes what it answered as a case, redacted. Of a fix
// it records what the fix watches and what it would plan; nothing is changed. Writes over no file.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import * as v from "valibot";
import { diagnose } from "../../agent/diagnosis.ts";
import { redactText } from "../../agent/redact.ts";
import { createMemoryJournal } from "../../incident/journal.ts";
import { silent } from "../../log.ts";
import { packing } from "../../packing/packing.ts";
import type { Command, Result } from "../../plugin/contract.ts";
import { type Asking, casesText, record } from "../../plugin/record.ts";
import { composeHands, type Hands } from "../compose.ts";
import { type Equipped, readEquipped } from "../config-file.ts";
import { CannotTell, type Context, type ExitCode, UsageError } from "../context.ts";
import { requireKeys } from "../keys.ts";
import { askedFor, requireHost } from "../tool.ts";
import { defineVerb, equipArgs, jsonArg } from "../verb.ts";

const ownArgs = {
  case: { type: "string", description: "What the case shows, e.g. 'it failed'", valueHint: "words" },
  versions: { type: "string", description: "Versions to note, e.g. caddy=2.6.2,debian=12", valueHint: "name=version" },
  out: {
    type: "string",
    description: "The file to write (default: a new one in the plugin's cases/)",
    valueHint: "path",
  },
} as const;

export const pluginRecord = defineVerb({
  name: "record",
  description: "Ask a host and write its answer as a case; of a fix, what it watches and would plan",
  args: {
    host: { type: "positional", description: "A host of hosts.yaml", required: true },
    tool: { type: "positional", description: "A tool, e.g. docker_status; its input as --key value", required: true },
    ...ownArgs,
    ...equipArgs,
    ...jsonArg,
  },
  takesMore: true,
  async run(args, context, rawArgs): Promise<ExitCode> {
    const equipped = await readEquipped(context, args);
    requireHost(equipped, args.host);
    const { known, input } = askedFor(equipped, args.host, args.tool, rawArgs, Object.keys(ownArgs));
    const versions = versionsOf(args.versions);
    const file = fileFor(equipped, context, known.name, args.out);
    const { config, catalog } = equipped;
    await requireKeys(
      Object.values(config.hosts).filter(({ name }) => name === args.host),
      context.env,
    );
    const agentSocket = context.env["SSH_AUTH_SOCK"];
    const journal = createMemoryJournal({ now: Date.now });
    const hands = composeHands({ config, catalog, journal, log: silent, agentSocket });
    try {
      const asking = askingOn(args.host, equipped, hands, context.stop);
      const recorded = await record(known, input, args.case ?? "as recorded", asking);
      const kernel = await kernelOf(args.host, equipped, hands, context.stop);
      const date = new Date().toISOString().slice(0, 10);
      const text = casesText(recorded, { date, versions: { ...kernel, ...versions } });
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text, { flag: "wx" });
      if (args.json === true) context.out.json({ file, cases: recorded });
      else context.out.line(relative(context.folder, file));
      context.out.note("Secrets were replaced where they look like one. Read the file before you publish it.");
      return 0;
    } finally {
      await hands.transport.close();
      journal.close();
    }
  },
});

/** Asks through the same gates as `medic tool`, and keeps the raw answer. */
function askingOn(host: string, { config, catalog }: Equipped, { transport }: Hands, signal: AbortSignal): Asking {
  return {
    async ask(tool, input) {
      let heard: { command: Command; result: Result } | undefined;
      const reach: Pick<typeof transport, "run"> = {
        async run(on, command, how) {
          const result = await transport.run(on, command, how);
          heard = { command, result };
          return result;
        },
      };
      const parts = { reach, tools: catalog, limits: config.limits, now: Date.now };
      const { asked } = await diagnose(parts, host, { tool: tool.name, input }, signal);
      if (asked.outcome === "refused") throw new UsageError(`Cannot record "${tool.name}": ${asked.why}`);
      if (heard !== undefined && !/^sudo: /m.test(heard.result.stderr)) return heard;
      const why = asked.outcome === "unavailable" ? asked.why : "the host gave no answer";
      throw new CannotTell(`Cannot record "${tool.name}": ${why}`);
    },
    optionsOf(tool) {
      const plugin = catalog.pluginOf(tool.name);
      const known = catalog.optionsFor(tool.name, host);
      if ("unavailable" in known) throw new UsageError(`Cannot record "${tool.name}": ${known.unavailable}`);
      return { parsed: known.options, written: config.hosts[host]?.plugins[plugin] ?? {} };
    },
    redact: redactText,
    isOwn: (tool, of) => catalog.pluginOf(tool.name) === catalog.pluginOf(of.name),
  };
}

/** The kernel that answered, where the host tells. */
async function kernelOf(
  host: string,
  { config, catalog }: Equipped,
  { transport }: Hands,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const parts = { reach: transport, tools: catalog, limits: config.limits, now: Date.now };
  const { finding } = await diagnose(parts, host, { tool: "host_overview", input: {} }, signal);
  const told = v.safeParse(v.object({ system: v.object({ kernel: v.string() }) }), finding);
  return told.success ? { kernel: told.output.system.kernel } : {};
}

function fileFor({ catalog, folders }: Equipped, context: Context, tool: string, out: string | undefined): string {
  if (out !== undefined) {
    const file = resolve(context.folder, out);
    if (existsSync(file)) throw new UsageError(`Cannot record to "${file}": it is there already. Name a new file`);
    return file;
  }
  const plugin = catalog.pluginOf(tool);
  const shipped = packing.source === undefined ? context.folder : join(packing.source, "plugins", plugin);
  const cases = join(folders.get(plugin) ?? shipped, "cases");
  for (let number = 1; ; number++) {
    const file = join(cases, `recorded-${tool}${number === 1 ? "" : `-${number}`}.yaml`);
    if (!existsSync(file)) return file;
  }
}

function versionsOf(text = ""): Record<string, string> {
  const pairs = text.split(",").filter((pair) => pair !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name, version] = pair.split("=");
      if (name && version) return [name, version];
      throw new UsageError(`Cannot read --versions "${pair}": expected name=version, like caddy=2.6.2`);
    }),
  );
}
