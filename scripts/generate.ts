// Writes what is generated from the code: docs/hosts.schema.json from the schema of hosts.yaml, docs/contract.md from the
// contract's own comments, the table of tools in each plugin's README from the plugin. `--check` writes nothing and says
// whether they are current.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { configJsonSchema } from "../core/config/json-schema.ts";
import { loadPlugins } from "../core/plugin/load.ts";
import { contractReference } from "./generate/contract.ts";
import { withTools } from "./generate/tools.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const contract = await readFile(join(root, "core/plugin/contract.ts"), "utf8");
const { plugins, folders } = await loadPlugins([join(root, "docs/examples")]);

/** Each file's text, from the one that is there. */
const generated: Record<string, (present: string) => string> = {
  "docs/hosts.schema.json": () => `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
  "docs/contract.md": () => contractReference(contract),
};
for (const plugin of plugins) {
  generated[relative(root, join(folders.get(plugin.name) ?? "", "README.md"))] = (present) =>
    withTools(present, plugin);
}

const check = process.argv.includes("--check");
for (const [path, make] of Object.entries(generated)) {
  const file = join(root, path);
  const present = await readFile(file, "utf8").catch(() => "");
  const text = make(present);
  if (present === text) continue;
  if (check) {
    console.error(`${path} is not current: run npm run generate`);
    process.exitCode = 1;
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    console.log(`wrote ${path}`);
  }
}
