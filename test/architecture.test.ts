// The house's rules as a test: which room may import which, no cycles, no forbidden constructs, files of a size one can
// read. The arrows are read from the drawing in core/README.md, so the drawing is always the one the code has.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, it } from "node:test";

const root = join(import.meta.dirname, "..");
const sources = globSync(["core/**/*.ts", "plugins/**/*.ts", "scripts/**/*.ts"], { cwd: root }).toSorted();
const imports = new Map(sources.map((file) => [file, importsOf(file)]));

/** Long on purpose, each with its reason. */
const LONG_FILES: Readonly<Record<string, string>> = {};
const LINES_MAX = 320;

describe("the house", () => {
  it("has only the arrows that core/README.md draws", () => {
    const allowed = drawnArrows();
    const found = new Set<string>();
    for (const [file, targets] of imports) {
      for (const target of targets) {
        const [from, to] = [roomOf(file), roomOf(target)];
        if (from === undefined || to === undefined || from === to) continue;
        found.add(`${from} -> ${to}`);
        assert.ok(
          allowed.has(`${from} -> ${to}`),
          `${file} imports ${target}: core/README.md draws no arrow ${from} -> ${to}`,
        );
      }
    }
    const unused = [...allowed].filter((arrow) => !found.has(arrow));
    assert.deepEqual(unused, [], "core/README.md draws arrows that the code does not have");
  });

  it("has no cycle between files", () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      const at = path.indexOf(file);
      assert.equal(at, -1, `import cycle: ${[...path.slice(at), file].join(" -> ")}`);
      if (done.has(file)) return;
      for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
  });

  it("lets a plugin import the contract, other plugins and valibot, and nothing else", () => {
    for (const file of sources.filter((file) => file.startsWith("plugins/"))) {
      for (const specifier of specifiersOf(file)) {
        const allowed =
          specifier === "valibot" ||
          /^medic\/(plugin|plugins\/[a-z-]+)$/.test(specifier) ||
          isInOwnFolder(file, specifier);
        assert.ok(allowed, `${file} imports "${specifier}"`);
      }
    }
  });

  it("lets no program of scripts/ lean on a test", () => {
    for (const [file, targets] of imports) {
      for (const target of targets) assert.ok(!target.startsWith("test/"), `${file} imports ${target}`);
    }
  });

  it("reads the environment in the front door only", () => {
    const readers = sources.filter((file) => file.startsWith("core/") && /process\.env/.test(code(file)));
    assert.deepEqual(readers, ["core/main.ts"]);
  });

  it("makes an ssh2 client in one file of the product, and knows ssh2's internals in one file", () => {
    const having = (pattern: RegExp): string[] =>
      sources.filter((file) => file.startsWith("core/") && pattern.test(code(file)));
    // contrast.ts is what Medic is measured against, not what it uses.
    assert.deepEqual(having(/new (ssh2\.)?Client\(/), ["core/sandbox/contrast.ts", "core/transport/ssh-connection.ts"]);
    assert.deepEqual(having(/\b_(protocol|chanMgr|channelMgr|sock)\b/), ["core/transport/ssh2-internals.ts"]);
  });

  it("opens every file with why it exists", () => {
    for (const file of sources) assert.match(code(file), /^(#!.*\n)?(\/\/|\/\*)/, `${file} has no opening comment`);
  });

  it(`keeps files below ${LINES_MAX} lines, or says why not`, () => {
    const long = sources.filter((file) => code(file).split("\n").length > LINES_MAX && LONG_FILES[file] === undefined);
    assert.deepEqual(long, []);
  });

  it("names no Deno global and no forbidden construct", () => {
    for (const file of sources) {
      assert.doesNotMatch(code(file), /\bDeno\.|^\s*(export )?(enum|namespace) |\bprivate constructor|: any\b/m, file);
    }
  });
});

function drawnArrows(): Set<string> {
  const text = readFileSync(join(root, "core/README.md"), "utf8");
  const block = /```arrows\n([\s\S]*?)```/.exec(text)?.[1];
  assert.ok(block !== undefined, "core/README.md has no ```arrows block");
  const arrows = new Set<string>();
  for (const line of block.split("\n").filter((line) => line.includes("->"))) {
    const [from = "", targets = ""] = line.split("->").map((part) => part.trim());
    for (const to of targets.split(/\s+/).filter((to) => to !== "")) arrows.add(`${from} -> ${to}`);
  }
  return arrows;
}

/** `core/agent/x.ts` → `agent`; `core/main.ts` → `main`; other top folders by their name. */
function roomOf(file: string): string | undefined {
  const [top, second] = file.split("/");
  if (top !== "core") return top === "scripts" ? undefined : top;
  return second?.replace(/\.ts$/, "");
}

/** What `import … from`, `export … from`, a bare `import` and `import()` name. */
function specifiersOf(file: string): string[] {
  const pattern =
    /^(?:import|export)\s+(?:[\w*{}\s,$]+?\s+from\s+)?["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']\s*\)/gm;
  return [...code(file).matchAll(pattern)].map((match) => match[1] ?? match[2] ?? "");
}

function importsOf(file: string): string[] {
  return specifiersOf(file).flatMap((specifier) => {
    if (specifier.startsWith(".")) {
      const target = normalize(join(dirname(file), specifier));
      return target.endsWith(".ts") ? [target] : [];
    }
    if (specifier === "medic/plugin") return ["core/plugin/contract.ts"];
    const plugin = /^medic\/plugins\/(.+)$/.exec(specifier)?.[1];
    return plugin === undefined ? [] : [`plugins/${plugin}/plugin.ts`];
  });
}

function isInOwnFolder(file: string, specifier: string): boolean {
  if (!specifier.startsWith("./")) return false;
  const target = join(dirname(file), specifier);
  return existsSync(join(root, target)) && !relative(file.split("/").slice(0, 2).join("/"), target).startsWith("..");
}

function code(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
