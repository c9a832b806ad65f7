// Finds and loads the owner's plugins, those in `pluginFolders`, beside the shipped ones that it is given. There is no
// list to edit. A broken plugin is named, with file and line, and left out; it never takes the others with it. Loading
// runs a plugin's module, so plugins are trusted code; what they import and declare is checked all the same.
import { readdir, realpath, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin } from "./contract.ts";
import { pluginImports } from "./imports.ts";
import { shapeProblems } from "./shape.ts";
import { shareModules } from "./share.ts";

/** What this Medic brings along for plugins, however it is packed. */
export type Shipped = {
  plugins: readonly Plugin[];
  /** What a plugin may import besides its own files, by specifier. */
  modules: ReadonlyMap<string, object>;
  /** Imports a module from the disk by its URL. */
  importFile(url: string): Promise<object>;
};

export type BrokenPlugin = { folder: string; why: string };
/** `folders`: where each of the owner's plugins lies, by its name. */
export type LoadedPlugins = { plugins: Plugin[]; broken: BrokenPlugin[]; folders: ReadonlyMap<string, string> };

/** The shipped plugins, and those of the folders given: each is a plugin, or holds plugins. */
export async function loadPlugins(shipped: Shipped, folders: readonly string[]): Promise<LoadedPlugins> {
  const found = await Promise.all(folders.map(findPlugins));
  const broken: BrokenPlugin[] = found.flatMap((one) => ("why" in one ? [one] : []));
  const unique = [...new Set(found.flatMap((one) => ("why" in one ? [] : one)))];
  const loaded = await Promise.all(unique.map(async (folder) => ({ folder, ...(await loadPlugin(shipped, folder)) })));
  const plugins: Plugin[] = [...shipped.plugins];
  const places = new Map<string, string>();
  for (const { folder, ...one } of loaded) {
    const why = "why" in one ? one.why : clashWith(plugins, one.plugin);
    if (why !== undefined) broken.push({ folder, why });
    else if ("plugin" in one) {
      plugins.push(one.plugin);
      places.set(one.plugin.name, folder);
    }
  }
  return { plugins, broken, folders: places };
}

/** The plugin of one folder, or why it is none. */
export async function loadPlugin(
  { modules, importFile }: Shipped,
  folder: string,
): Promise<{ plugin: Plugin } | { why: string }> {
  const file = await moduleIn(folder);
  if (file === undefined) return { why: `Cannot load "${folder}": it has no plugin.ts and no plugin.js` };
  try {
    const { exportLine, problems } = await pluginImports(folder, file, (specifier) => modules.has(specifier));
    if (problems.length > 0) return { why: `Cannot load "${folder}": ${problems.join("; ")}` };
    shareModules(modules, await urlOf(folder));
    const loaded = (await importFile(pathToFileURL(await realpath(file)).href)) as { default?: unknown };
    const wrong = shapeProblems(loaded.default);
    if (wrong.length === 0) return { plugin: loaded.default as Plugin };
    return { why: `Cannot use "${exportLine === undefined ? file : `${file}:${exportLine}`}": ${wrong.join("; ")}` };
  } catch (error) {
    return { why: `Cannot load "${await placeOf(error, folder, file)}": ${wordsOf(error)}` };
  }
}

/** A folder's URL, as its modules' URLs begin. */
async function urlOf(folder: string): Promise<string> {
  return pathToFileURL((await realpath(folder)) + sep).href;
}

/** The file and line in the plugin's folder where an error arose, as far as the error tells. */
async function placeOf(error: unknown, folder: string, file: string): Promise<string> {
  const within = await urlOf(folder);
  const stack = stackOf(error);
  const at = stack.indexOf(within);
  const [, path, line] = (at < 0 ? null : /^([^\s:]+):(\d+)/.exec(stack.slice(at + within.length))) ?? [];
  return path === undefined ? file : `${join(resolve(folder), decodeURI(path))}:${line}`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? "") : "";
}

/** An error's first line, which names its kind once. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message.split("\n")[0] ?? "";
  return /^[A-Z]\w*Error: /.test(text) ? text : `${error.name}: ${text}`;
}

/** The plugin folders in a folder, or the folder itself when it is one. */
async function findPlugins(folder: string): Promise<string[] | BrokenPlugin> {
  const path = resolve(folder);
  if ((await moduleIn(path)) !== undefined) return [path];
  let names: string[];
  try {
    const entries = await readdir(path, { withFileTypes: true });
    names = entries.filter((entry) => !entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { folder: path, why: `Cannot look for plugins in "${path}": ${why}. Correct pluginFolders in hosts.yaml` };
  }
  if (names.length === 0) {
    return { folder: path, why: `Cannot find a plugin in "${path}": it has no plugin.ts and no folders` };
  }
  return names.toSorted().map((name) => join(path, name));
}

async function moduleIn(folder: string): Promise<string | undefined> {
  const files = ["plugin.ts", "plugin.js"].map((name) => join(folder, name));
  const there = await Promise.all(files.map((file) => stat(file).then((found) => found.isFile(), () => false))); // prettier-ignore
  return files.find((_, index) => there[index]);
}

/** Names are how hosts.yaml and models call things, so the first plugin keeps them. */
function clashWith(plugins: readonly Plugin[], late: Plugin): string | undefined {
  if (plugins.some(({ name }) => name === late.name)) {
    return `Cannot use the plugin "${late.name}": another one has this name already. Rename one of them`;
  }
  for (const plugin of plugins) {
    const taken = late.tools.find(({ name }) => plugin.tools.some((tool) => tool.name === name));
    if (taken !== undefined) {
      return `Cannot use the plugin "${late.name}": its tool "${taken.name}" is the name of one of "${plugin.name}"`;
    }
  }
  return undefined;
}
