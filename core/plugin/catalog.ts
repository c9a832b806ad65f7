// Which plugins each host has, with the owner's options validated: what the toolbox, the desk and `config check` ask
// about plugins. Pure once made; it knows no transport and no incident's state. A host whose options are wrong is
// reported in `problems`, and has that plugin switched off rather than half right.
import * as v from "valibot";
import type { Call, Decision, Diagnostic, Fix, Incident, Inquiry, Plugin, Unavailable } from "./contract.ts";
import { matches } from "./contract.ts";
import { rankOf } from "./healer.ts";
import { inputSchema } from "./schema.ts";
import { type SudoersPatterns, sudoersPatterns } from "./sudoers.ts";
import { nearest } from "../suggestion.ts";

/** What the catalog needs of hosts.yaml. */
export type HostPlugins = Readonly<Record<string, { plugins: Readonly<Record<string, unknown>> }>>;

/** Something in hosts.yaml that the plugins cannot use; `path` leads to it. */
export type Problem = { path: readonly string[]; message: string };

/** A tool a host has. `schema` is the JSON Schema of its input. */
export type OfferedTool = { tool: Diagnostic | Fix; plugin: string; schema: object };

/** A runbook with the options of its plugin on the incident's host. */
export type FittingRunbook = { title: string; guidance: string; decide(incident: Incident): Inquiry<Decision> };

type Enabled = { plugin: Plugin; options: object };

/** Every host has it, whatever hosts.yaml says. */
const EVERYWHERE = "host";

/** Validates the options of every host, and answers what is asked about plugins from then on. */
export function createCatalog(plugins: readonly Plugin[], hosts: HostPlugins): Catalog {
  return new Catalog(plugins, hosts);
}

export class Catalog {
  /** What is wrong with the plugins' part of hosts.yaml; fatal in `config check`. */
  readonly problems: readonly Problem[];
  readonly #plugins: readonly Plugin[];
  readonly #tools: ReadonlyMap<string, { tool: Diagnostic | Fix; plugin: Plugin }>;
  readonly #enabled: ReadonlyMap<string, readonly Enabled[]>;
  readonly #schemas = new Map<string, object>();

  constructor(plugins: readonly Plugin[], hosts: HostPlugins) {
    this.#plugins = plugins;
    this.#tools = new Map(plugins.flatMap((plugin) => plugin.tools.map((tool) => [tool.name, { tool, plugin }])));
    const problems: Problem[] = [];
    this.#enabled = new Map(
      Object.entries(hosts).map(([host, { plugins: asked }]) => {
        const read = enabledOn(host, asked, plugins);
        problems.push(...read.problems);
        return [host, read.enabled];
      }),
    );
    this.problems = problems;
  }

  /** All plugins, enabled anywhere or not. */
  get plugins(): readonly Plugin[] {
    return this.#plugins;
  }

  /** The plugins a host has, with its options; empty for an unknown host. */
  enabledOn(host: string): readonly Enabled[] {
    return this.#enabled.get(host) ?? [];
  }

  tool(name: string): Diagnostic | Fix | undefined {
    return this.#tools.get(name)?.tool;
  }

  /** The plugin a tool belongs to. Throws for a name that is no tool. */
  pluginOf(tool: string): string {
    return this.#known(tool).plugin.name;
  }

  /** What can be asked for on a host, sorted by name so that a prompt made of it is stable. */
  toolsOn(host: string): readonly OfferedTool[] {
    return this.enabledOn(host)
      .flatMap(({ plugin }) =>
        plugin.tools.map((tool) => ({ tool, plugin: plugin.name, schema: this.jsonSchema(tool.name) })),
      )
      .toSorted((one, other) => (one.tool.name < other.tool.name ? -1 : 1));
  }

  /**
   * The validated options of the tool's plugin on a host. A plugin the host does not have may still be asked by
   * another's runbook: it gets its defaults, if it has defaults for everything.
   */
  optionsFor(tool: string, host: string): { options: object } | Unavailable {
    const { plugin } = this.#known(tool);
    const enabled = this.enabledOn(host).find((one) => one.plugin.name === plugin.name);
    if (enabled !== undefined) return { options: enabled.options };
    const defaults = v.safeParse(plugin.options, {});
    if (defaults.success) return { options: defaults.output };
    return { unavailable: `"${tool}" needs the plugin "${plugin.name}" in hosts.yaml, under hosts.${host}.plugins` };
  }

  /** The JSON Schema of a tool's input. */
  jsonSchema(tool: string): object {
    const known = this.#schemas.get(tool);
    if (known !== undefined) return known;
    const schema = inputSchema(this.#known(tool).tool.input);
    this.#schemas.set(tool, schema);
    return schema;
  }

  /**
   * The plugin that heals a service on a host: who owns the name, then who names it exactly, then the narrowest glob.
   * Undefined when nobody does, or when two could and none of them more clearly: that is for a person to say.
   */
  healerOf(host: string, service: string): string | undefined {
    const ranked = this.enabledOn(host)
      .map(({ plugin, options }) => ({ name: plugin.name, rank: rankOf(plugin, options, service) }))
      .filter(({ rank }) => rank > 0)
      .toSorted((one, other) => other.rank - one.rank);
    return ranked[0]?.rank === ranked[1]?.rank ? undefined : ranked[0]?.name;
  }

  /** Plugins of the host that claim this name: only their fixes may touch it. */
  ownersOf(host: string, name: string): readonly string[] {
    return this.enabledOn(host)
      .filter(({ plugin, options }) => matches(plugin.owns?.(options) ?? [], name))
      .map(({ plugin }) => plugin.name);
  }

  /**
   * The runbooks that apply to an incident: those of the plugin that heals its service, since another's would judge
   * what it does not understand (a running container is not yet a working service). For an alert about the host
   * itself, those of all its plugins.
   */
  runbooksFor(incident: Incident, plugin = this.#healerOf(incident)): readonly FittingRunbook[] {
    return this.enabledOn(incident.host)
      .filter((enabled) => plugin === undefined || enabled.plugin.name === plugin)
      .flatMap(({ plugin: { runbooks }, options }) =>
        runbooks
          .filter((runbook) => runbook.when(incident, options))
          .map((runbook) => ({
            title: runbook.title,
            guidance: runbook.guidance,
            decide: (now: Incident) => runbook.decide(now, options),
          })),
      );
  }

  /** What their authors would tell a colleague about this incident. */
  guidanceFor(incident: Incident): string[] {
    return this.runbooksFor(incident).map(({ title, guidance }) => `${title}: ${guidance}`);
  }

  /** What to keep before any fix: the healing plugin's evidence and the host's own, no question twice. */
  evidenceFor(incident: Incident, plugin = this.#healerOf(incident)): readonly Call[] {
    const calls = this.enabledOn(incident.host)
      .filter((enabled) => enabled.plugin.name === plugin || enabled.plugin.name === EVERYWHERE)
      .flatMap((enabled) => Object.values(enabled.plugin.evidence?.(incident, enabled.options) ?? {}));
    const unique = new Map(calls.map((call) => [`${call.tool.name} ${JSON.stringify(call.input)}`, call]));
    return [...unique.values()];
  }

  /** Advice for the text of a failed command, from the tool's plugin. */
  hintFor(tool: string, text: string): string | undefined {
    return this.#known(tool).plugin.hints?.find(([pattern]) => pattern.test(text))?.[1];
  }

  /** The commands a host's plugins run as root, as sudoers command patterns. */
  sudoersOf(host: string): SudoersPatterns {
    const all = this.enabledOn(host).map(({ plugin, options }) => sudoersPatterns(plugin.sudoers?.(options)));
    return {
      reads: [...new Set(all.flatMap(({ reads }) => reads))],
      fixes: [...new Set(all.flatMap(({ fixes }) => fixes))],
    };
  }

  #healerOf(incident: Incident): string | undefined {
    if (incident.plugin !== undefined || incident.service === undefined) return incident.plugin;
    return this.healerOf(incident.host, incident.service);
  }

  #known(tool: string): { tool: Diagnostic | Fix; plugin: Plugin } {
    const known = this.#tools.get(tool);
    if (known === undefined) throw new Error(`No tool is called "${tool}"`);
    return known;
  }
}

function enabledOn(
  host: string,
  asked: Readonly<Record<string, unknown>>,
  plugins: readonly Plugin[],
): { enabled: Enabled[]; problems: Problem[] } {
  const problems = Object.keys(asked)
    .filter((name) => !plugins.some((plugin) => plugin.name === name))
    .map((name) => unknownPlugin(host, name, plugins));
  const enabled = plugins.flatMap((plugin) => {
    if (!Object.hasOwn(asked, plugin.name) && plugin.name !== EVERYWHERE) return [];
    // `docker:` with nothing after it is YAML's null, and means "with its defaults".
    const parsed = v.safeParse(plugin.options, asked[plugin.name] ?? {});
    if (parsed.success) return [{ plugin, options: parsed.output }];
    problems.push(...parsed.issues.map((issue) => wrongOption(host, plugin, issue)));
    return [];
  });
  return { enabled, problems };
}

function unknownPlugin(host: string, name: string, plugins: readonly Plugin[]): Problem {
  const names = plugins.map((plugin) => plugin.name).toSorted();
  const close = nearest(name, names);
  const advice = close === undefined ? `there are ${names.join(", ")}` : `did you mean "${close}"?`;
  return { path: ["hosts", host, "plugins", name], message: `no plugin is called "${name}": ${advice}` };
}

function wrongOption(host: string, plugin: Plugin, issue: v.BaseIssue<unknown>): Problem {
  const keys = (issue.path ?? []).map(({ key }) => String(key));
  const path = ["hosts", host, "plugins", plugin.name, ...keys];
  if (issue.type !== "strict_object" || issue.expected !== "never") return { path, message: issue.message };
  const schema = plugin.options as Partial<v.StrictObjectSchema<v.ObjectEntries, undefined>>;
  const known = Object.keys(schema.entries ?? {});
  const key = keys.at(-1) ?? "";
  const close = keys.length === 1 ? nearest(key, known) : undefined;
  const advice =
    close === undefined ? `"${plugin.name}" takes ${known.join(", ") || "none"}` : `did you mean "${close}"?`;
  return { path, message: `unknown option "${key}": ${advice}` };
}
