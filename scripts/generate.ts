// Writes what is generated from the code: docs/hosts.schema.json, from the schema of hosts.yaml. `--check` writes
// nothing and says whether it is current.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { configJsonSchema } from "../core/config/json-schema.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const generated: Record<string, () => string> = {
  "docs/hosts.schema.json": () => `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
};

const check = process.argv.includes("--check");
for (const [path, make] of Object.entries(generated)) {
  const file = join(root, path);
  const present = await readFile(file, "utf8").catch(() => undefined);
  if (present === make()) continue;
  if (check) {
    console.error(`${path} is not current: run npm run generate`);
    process.exitCode = 1;
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, make());
    console.log(`wrote ${path}`);
  }
}
