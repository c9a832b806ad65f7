// Which hosts.yaml a verb means, and that file with the plugins it asks for. The one place where configuration and
// plugins meet before anything runs.
import { basename, isAbsolute, relative, resolve } from "node:path";
import { loadConfig, type Loaded } from "../config/load.ts";
import { ConfigError, pathText, type Problem } from "../config/problem.ts";
import { packing } from "../packing/packing.ts";
import { createCatalog, type Catalog } from "../plugin/catalog.ts";
import { loadPlugins, type BrokenPlugin } from "../plugin/load.ts";
import type { Context } from "./context.ts";

/** A configuration with its plugins. `broken` plugins are left out of the catalog. */
export type Equipped = Loaded & {
  catalog: Catalog;
  broken: readonly BrokenPlugin[];
  /** Where each of the owner's plugins lies, by its name. */
  folders: ReadonlyMap<string, string>;
};

/** The absolute path of the file that `--config`, `$MEDIC_CONFIG` or the folder names. */
export function configPath(context: Context, option: string | undefined): string {
  return resolve(context.folder, option ?? (context.env["MEDIC_CONFIG"] || "hosts.yaml"));
}

/** Reads that file. Throws ConfigError. */
export function readConfig(context: Context, option: string | undefined): Loaded {
  const file = configPath(context, option);
  // Short where that is possible: the name begins every line of a report.
  const near = relative(context.folder, file);
  const shown = near.startsWith("..") || isAbsolute(near) ? file : near;
  return loadConfig(file, { env: context.env, home: context.home, shownAs: shown });
}

/** What `equipArgs` say. */
export type EquipOptions = { config?: string | undefined; plugins?: string | undefined };

/** As `readConfig`, with plugins. Throws ConfigError when options do not fit a plugin; a broken plugin is only named. */
export async function readEquipped(context: Context, options: EquipOptions): Promise<Equipped> {
  const loaded = readConfig(context, options.config);
  const { problems, ...equipment } = await equip(loaded, moreFolders(context, options));
  if (problems.length > 0) throw new ConfigError(loaded.file, problems);
  return { ...loaded, ...equipment };
}

/** The folder that `--plugins` names. */
export function moreFolders(context: Context, { plugins }: EquipOptions): string[] {
  return plugins === undefined ? [] : [resolve(context.folder, plugins)];
}

/** The plugins of a configuration and of more folders, and what hosts.yaml says of them that does not fit. */
export async function equip(
  { config, locate }: Loaded,
  folders: readonly string[] = [],
): Promise<Pick<Equipped, "catalog" | "broken" | "folders"> & { problems: Problem[] }> {
  const { plugins, broken, folders: places } = await loadPlugins(packing, [...config.pluginFolders, ...folders]);
  const catalog = createCatalog(plugins, config.hosts);
  // Of a plugin that is broken nothing is known, so what hosts.yaml says of it is no mistake of hosts.yaml's.
  const known = new Set(plugins.map(({ name }) => name));
  const unknowable = new Set(broken.map(({ folder }) => basename(folder)).filter((name) => !known.has(name)));
  const problems = catalog.problems
    .filter(({ path }) => !unknowable.has(path[3] ?? ""))
    .map(({ path, message }): Problem => {
      const text = pathText(path.map((key) => (/^\d+$/.test(key) ? Number(key) : key)));
      return { path: text, ...locate(text, "key"), message };
    });
  return { catalog, broken, folders: places, problems };
}
