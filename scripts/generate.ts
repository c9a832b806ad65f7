// Writes what is generated from the code: the imports of the shipped plugins from their folders, docs/hosts.schema.json
// from the schema of hosts.yaml, docs/contract.md from the contract's own comments, the table of tools in each plugin's
// README from the plugin. `--check` writes nothing and says whether they are current.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { configJsonSchema } from "../core/config/json-schema.ts";
import { loadPlugins } from "../core/plugin/load.ts";
import { contractReference } from "./generate/contract.ts";
import { shippedModule } from "./generate/shipped.ts";
import { withTools } from "./generate/tools.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const check = process.argv.includes("--check");

const inPlugins = await readdir(join(root, "plugins"), { withFileTypes: true });
const shipped = inPlugins.filter((entry) => entry.isDirectory()).map(({ name }) => name);
await generate("core/packing/shipped.ts", () => shippedModule(shipped));

const contract = await readFile(join(root, "core/plugin/contract.ts"), "utf8");
await generate("docs/hosts.schema.json", () => `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
await generate("docs/contract.md", () => contractReference(contract));

// Only now, so that it has the plugins whose folders are there.
const { packing } = await import("../core/packing/packing.ts");
const { plugins, folders } = await loadPlugins(packing, [join(root, "docs/examples")]);
for (const plugin of plugins) {
  const folder = folders.get(plugin.name) ?? join(root, "plugins", plugin.name);
  // oxlint-disable-next-line no-await-in-loop
  await generate(relative(root, join(folder, "README.md")), (present) => withTools(present, plugin));
}

/** Makes a file's text from the one that is there, and writes or checks it. */
async function generate(path: string, make: (present: string) => string): Promise<void> {
  const file = join(root, path);
  const present = await readFile(file, "utf8").catch(() => "");
  const text = make(present);
  if (present === text) return;
  if (check) {
    console.error(`${path} is not current: run npm run generate`);
    process.exitCode = 1;
    return;
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  console.log(`wrote ${path}`);
}
