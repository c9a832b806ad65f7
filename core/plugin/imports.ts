// What a plugin's modules import, read without running them: "medic/plugin", "medic/plugins/<name>", valibot and files
// of its own folder, nothing else. A guard against mistakes, not a sandbox: a plugin is trusted code and could reach
// more. What it gives is that a plugin which loads here loads in every way Medic runs.
import { readFile, realpath } from "node:fs/promises";
import { relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Import, init, parse } from "es-module-lexer";

/** The imports that nobody may answer, each with file and line; and the line of the entry's default export. */
export type PluginImports = { problems: string[]; exportLine?: number };

/** Follows the imports of a plugin's entry module through its folder; `isShared` tells what is Medic's to answer. */
export async function pluginImports(
  folder: string,
  entry: string,
  isShared: (specifier: string) => boolean,
): Promise<PluginImports> {
  await init();
  const root = await realpath(folder);
  const first = await realpath(entry);
  const seen = new Set<string>([first]);
  const problems: string[] = [];
  let exportLine: number | undefined;
  // The set grows while it is walked: each module is read once, cycles included.
  for (const file of seen) {
    // oxlint-disable-next-line no-await-in-loop
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) continue; // The import itself says best that there is no such file.
    const { imports, exportAt } = lexed(text);
    if (file === first && exportAt !== undefined) exportLine = lineOf(text, exportAt);
    for (const one of imports) {
      if (one.type === "import-meta" || isShared(one.specifier ?? "")) continue;
      const target = targetOf(one.specifier, file, root);
      if (typeof target === "string") seen.add(target);
      else problems.push(`${relative(root, file)}:${lineOf(text, one.importStart)}: ${target.why}`);
    }
  }
  return { problems, ...(exportLine === undefined ? {} : { exportLine }) };
}

/** What is not JavaScript or TypeScript has no imports here; loading it says where it is wrong. */
function lexed(text: string): { imports: readonly Import[]; exportAt?: number } {
  try {
    const [imports, exports] = parse(text);
    const exported = exports.find((one) => one.type !== "reexport-all" && one.name === "default");
    return { imports, ...(exported === undefined ? {} : { exportAt: exported.exportStart }) };
  } catch {
    return { imports: [] };
  }
}

function targetOf(specifier: string | undefined, from: string, root: string): string | { why: string } {
  if (specifier === undefined) return { why: "import() of a computed name: name the module in quotes" };
  if (!/^\.\.?\//.test(specifier)) {
    return {
      why: `imports "${specifier}": only "medic/plugin", "medic/plugins/<name>", "valibot" and files of its own folder`,
    };
  }
  const file = fileURLToPath(new URL(specifier, pathToFileURL(from)));
  if (!file.startsWith(root + sep)) return { why: `imports "${specifier}", which lies outside its folder` };
  if (!/\.(ts|js)$/.test(file)) return { why: `imports "${specifier}": name the file with its .ts or .js` };
  return file;
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
