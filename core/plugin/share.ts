// Lets a plugin that lives outside this repository import "medic/plugin", "medic/plugins/<name>" and "valibot": it gets
// the copies of this process, so it needs no node_modules and no package.json, on Node and under Deno alike.
import * as module from "node:module";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);
let isShared = false;

/** Adds the resolution of the shared modules, once per process. */
export function sharePluginModules(): void {
  // Node older than 22.15 has no such hooks: there only plugins within this repository load.
  if (isShared || typeof module.registerHooks !== "function") return;
  isShared = true;
  module.registerHooks({
    resolve(specifier, context, nextResolve) {
      const url = sharedUrl(specifier, context.parentURL);
      return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true };
    },
    load(url, context, nextLoad) {
      const isTypeScript = url.endsWith(".ts");
      if (!isOutside(url) || !(isTypeScript || url.endsWith(".js"))) return nextLoad(url, context);
      if (isTypeScript && "deno" in process.versions) {
        // Deno asks the hooks for what a module imports only when one of them gave its source, as JavaScript.
        const source = module.stripTypeScriptTypes(readFileSync(fileURLToPath(url), "utf8"));
        return { source, format: "module", shortCircuit: true };
      }
      // Without a package.json beside it Node would guess, and say so on standard error.
      return nextLoad(url, { ...context, format: isTypeScript ? "module-typescript" : "module" });
    },
  });
}

/** Where a shared module lies, for an importer outside this repository; undefined for everything else. */
export function sharedUrl(specifier: string, importer: string | undefined): string | undefined {
  if (importer === undefined || !isOutside(importer)) return undefined;
  if (specifier === "medic/plugin") return new URL("core/plugin/contract.ts", root).href;
  if (specifier === "valibot") return import.meta.resolve("valibot");
  const plugin = /^medic\/plugins\/([a-z][a-z0-9-]*)$/.exec(specifier)?.[1];
  return plugin === undefined ? undefined : new URL(`plugins/${plugin}/plugin.ts`, root).href;
}

/**
 * Loads the plugins that another one imports. Under Deno it has to come first: what is imported from within a hook's
 * module is not resolved by this repository's package.json any more.
 */
export async function loadShared(specifiers: readonly string[]): Promise<void> {
  const urls = specifiers.flatMap((specifier) => sharedUrl(specifier, "file:///plugin.ts") ?? []);
  await Promise.all(urls.map((url) => import(url) as Promise<unknown>));
}

function isOutside(url: string): boolean {
  return url.startsWith("file:") && !url.startsWith(root.href);
}
