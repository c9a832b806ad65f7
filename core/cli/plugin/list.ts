// `medic plugin list` and `medic plugin describe NAME`: which plugins there are, shipped and own, and what one of them
// can do. Loads them as `serve` would, and asks no host. Works without a hosts.yaml, which only adds its folders.
import { existsSync } from "node:fs";
import * as v from "valibot";
import { packing } from "../../packing/packing.ts";
import { createCatalog } from "../../plugin/catalog.ts";
import type { Plugin } from "../../plugin/contract.ts";
import { loadPlugins, type LoadedPlugins } from "../../plugin/load.ts";
import { inputSchema } from "../../plugin/schema.ts";
import { sudoersPatterns } from "../../plugin/sudoers.ts";
import { nearest } from "../../suggestion.ts";
import { configPath, type EquipOptions, moreFolders, readConfig } from "../config-file.ts";
import { type Context, type ExitCode, type Output, tableLines, UsageError } from "../context.ts";
import { defineVerb, equipArgs, jsonArg } from "../verb.ts";

export const pluginList = defineVerb({
  name: "list",
  description: "List the plugins, shipped and own, and those that are broken",
  args: { ...equipArgs, ...jsonArg },
  async run(args, context): Promise<ExitCode> {
    const { plugins, broken, folders } = await pluginsOf(context, args);
    const listed = plugins.map((plugin) => ({
      name: plugin.name,
      origin: folders.has(plugin.name) ? "own" : "shipped",
      folder: folders.get(plugin.name),
      summary: plugin.summary,
      diagnostics: plugin.tools.filter(({ kind }) => kind === "diagnostic").length,
      fixes: plugin.tools.filter(({ kind }) => kind === "fix").length,
      runbooks: plugin.runbooks.length,
    }));
    if (args.json === true) context.out.json({ plugins: listed, broken });
    else {
      const rows = listed.map((one) => [one.name, one.origin, one.diagnostics, one.fixes, one.runbooks, one.summary]);
      const header = ["plugin", "origin", "reads", "fixes", "runbooks", "what it knows"];
      for (const line of tableLines(header, rows)) context.out.line(line);
      for (const { why } of broken) context.out.line(`${context.out.paint("red", "BROKEN")} ${why}`);
    }
    return broken.length === 0 ? 0 : 1;
  },
});

export const pluginDescribe = defineVerb({
  name: "describe",
  description: "Tell what a plugin's tools take, what it heals and what it needs on a host",
  args: {
    name: { type: "positional", description: "A plugin, e.g. docker", required: true },
    ...equipArgs,
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const { plugins, broken, folders } = await pluginsOf(context, args);
    const plugin = plugins.find(({ name }) => name === args.name);
    if (plugin === undefined) throw new UsageError(unknown(args.name, plugins, broken));
    const described = describe(plugin, folders.get(plugin.name));
    if (args.json === true) context.out.json(described);
    else print(described, context.out);
    return 0;
  },
});

/** The plugins that a call of medic here would have. */
async function pluginsOf(context: Context, options: EquipOptions): Promise<LoadedPlugins> {
  // A file that was named has to be there; the usual one may be missing, since plugins are also made before any host.
  const isThere = options.config !== undefined || existsSync(configPath(context, undefined));
  const own = isThere ? readConfig(context, options.config).config.pluginFolders : [];
  return loadPlugins(packing, [...own, ...moreFolders(context, options)]);
}

type Described = ReturnType<typeof describe>;

function describe(plugin: Plugin, folder: string | undefined) {
  // Options that have no default are the owner's to give: what follows from them cannot be told here.
  const defaults = v.safeParse(plugin.options, {});
  const given = <T>(of: ((options: object) => T) | undefined): T | undefined =>
    defaults.success ? of?.(defaults.output) : undefined;
  const catalog = createCatalog([plugin], {});
  return {
    name: plugin.name,
    summary: plugin.summary,
    folder,
    options: inputSchema(plugin.options),
    tools: plugin.tools.map((tool) => ({
      name: tool.name,
      kind: tool.kind,
      ...(tool.kind === "fix" ? { risk: tool.risk } : {}),
      description: tool.description,
      input: catalog.jsonSchema(tool.name),
    })),
    runbooks: plugin.runbooks.map(({ title, guidance }) => ({ title, guidance })),
    heals: given((options) => plugin.heals?.(options)) ?? [],
    owns: given((options) => plugin.owns?.(options)) ?? [],
    runsAsRoot: sudoersPatterns(given((options) => plugin.sudoers?.(options))),
  };
}

function print({ name, summary, options, tools, runbooks, ...rest }: Described, out: Output): void {
  const list = (title: string, lines: readonly string[]): void => {
    out.line(`\n${out.paint("bold", title)}`);
    for (const line of lines.length > 0 ? lines : ["(none)"]) out.line(`  ${line}`);
  };
  out.line(`${out.paint("bold", name)}: ${summary}`);
  list("options", fieldsOf(options));
  list(
    "tools",
    tools.flatMap((tool) => [
      `${tool.name} (${tool.risk === undefined ? "reads" : `fix, ${tool.risk}`}): ${tool.description}`,
      ...fieldsOf(tool.input).map((field) => `    --${field}`),
    ]),
  );
  list("runbooks", runbooks.map(({ title, guidance }) => `${title}: ${guidance}`)); // prettier-ignore
  list("heals, with its defaults", rest.heals);
  list("owns, with its defaults", rest.owns);
  list("reads as root, with its defaults", rest.runsAsRoot.reads);
  list("changes as root, with its defaults", rest.runsAsRoot.fixes);
}

type Field = { type?: string; description?: string; default?: unknown; enum?: unknown[]; items?: Field };
type ObjectSchema = { properties?: Record<string, Field>; required?: string[] };

/** An object's schema in a person's words: one line a key. */
function fieldsOf(schema: object): string[] {
  const { properties = {}, required = [] } = schema as ObjectSchema;
  return Object.entries(properties).map(([key, field]) => {
    const fallback = field.default === undefined ? "optional" : `default ${JSON.stringify(field.default)}`;
    const needed = required.includes(key) ? "needed" : fallback;
    return `${key} (${typeOf(field)}, ${needed})${field.description === undefined ? "" : `: ${field.description}`}`;
  });
}

function typeOf({ type, enum: values, items }: Field): string {
  if (values !== undefined) return values.map(String).join("|");
  return type === "array" ? `list of ${typeOf(items ?? {})}` : (type ?? "see --json");
}

function unknown(name: string, plugins: readonly Plugin[], broken: LoadedPlugins["broken"]): string {
  const cannot = `Cannot describe "${name}"`;
  const own = broken.find(({ folder }) => folder.endsWith(`/${name}`));
  if (own !== undefined) return `${cannot}: it is broken. ${own.why}`;
  const names = plugins.map((plugin) => plugin.name).toSorted();
  const close = nearest(name, names);
  return `${cannot}: ${close === undefined ? `there are ${names.join(", ")}` : `did you mean "${close}"?`}`;
}
