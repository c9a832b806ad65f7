// Lets a plugin on disk import "medic/plugin", "medic/plugins/<name>" and "valibot": it gets this process's own copies, as
// modules that read them from a place they share. So a plugin needs no node_modules and no package.json, and it makes no
// difference, on either runtime, whether Medic runs from source or is one file.
import * as module from "node:module";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const place = Symbol.for("medic/shared-modules");
/** Before a shared module's specifier: where no file is. */
const sharedUrl = "medic-shared:";
/** The folders whose modules are plugins', as URLs that end with a slash. */
const folders = new Set<string>();

/** From now on the modules of this folder (a URL that ends with a slash) may import `modules`, by their specifiers. */
export function shareModules(modules: ReadonlyMap<string, object>, folder: string): void {
  // Node older than 22.15 has no such hooks: there only the shipped plugins load.
  if (folders.size === 0 && typeof module.registerHooks === "function") addHooks(modules);
  folders.add(folder);
}

function addHooks(modules: ReadonlyMap<string, object>): void {
  Object.defineProperty(globalThis, place, { value: modules });
  module.registerHooks({
    resolve(specifier, context, nextResolve) {
      const isShared = isPlugins(context.parentURL) && modules.has(specifier);
      return isShared ? { url: sharedUrl + specifier, shortCircuit: true } : nextResolve(specifier, context);
    },
    load(url, context, nextLoad) {
      const shared = url.startsWith(sharedUrl) ? modules.get(url.slice(sharedUrl.length)) : undefined;
      if (shared !== undefined) {
        return { source: reexport(url.slice(sharedUrl.length), shared), format: "module", shortCircuit: true };
      }
      if (!isPlugins(url) || !/\.[tj]s$/.test(url)) return nextLoad(url, context);
      const isTypeScript = url.endsWith(".ts");
      if ("deno" in process.versions) {
        // Deno asks the hooks for what a module imports only when one of them gave its source, as JavaScript.
        const text = readFileSync(fileURLToPath(url), "utf8");
        const source = isTypeScript ? module.stripTypeScriptTypes(text) : text;
        return { source, format: "module", shortCircuit: true };
      }
      // Without a package.json beside it Node would guess, and say so on standard error.
      return nextLoad(url, { ...context, format: isTypeScript ? "module-typescript" : "module" });
    },
  });
}

function isPlugins(url: string | undefined): boolean {
  return url !== undefined && [...folders].some((folder) => url.startsWith(folder));
}

/** The source of a module that exports what another one of this process does: the same values, not copies. */
function reexport(specifier: string, exported: object): string {
  const names = Object.keys(exported);
  return [
    `const shared = globalThis[Symbol.for(${JSON.stringify(Symbol.keyFor(place))})].get(${JSON.stringify(specifier)});`,
    // Some names, like valibot's `null`, may be exported but not declared.
    ...names.map((name, index) => `const e${index} = shared[${JSON.stringify(name)}];`),
    `export { ${names.map((name, index) => `e${index} as ${name}`).join(", ")} };`,
  ].join("\n");
}
