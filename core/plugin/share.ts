// Lets a plugin that lives outside this repository import "medic/plugin", "medic/plugins/<name>" and "valibot": it gets
// the copies of this process, so it needs no node_modules. Under Deno an import map has to do this.
import * as module from "node:module";

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
  });
}

/** Where a shared module lies, for an importer outside this repository; undefined for everything else. */
export function sharedUrl(specifier: string, importer: string | undefined): string | undefined {
  if (importer?.startsWith("file:") !== true || importer.startsWith(root.href)) return undefined;
  if (specifier === "medic/plugin") return new URL("core/plugin/contract.ts", root).href;
  if (specifier === "valibot") return import.meta.resolve("valibot");
  const plugin = /^medic\/plugins\/([a-z][a-z0-9-]*)$/.exec(specifier)?.[1];
  return plugin === undefined ? undefined : new URL(`plugins/${plugin}/plugin.ts`, root).href;
}
