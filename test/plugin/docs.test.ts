// docs/plugins.md, done as it says: each block is written, applied or run, in order, in front of the sandbox's host. Each
// command is a process of its own, as a person's is: a module that was changed is read anew.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { packing } from "../../core/packing/packing.ts";
import { checkPlugin } from "../../core/plugin/conformance.ts";
import { type Scenario, startScenario, type Told } from "../support/scenario.ts";

const page = await readFile(new URL("../../docs/plugins.md", import.meta.url), "utf8");
type Block = { kind: string; file: string; text: string };
const blocks: Block[] = [...page.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(
  ([, kind = "", file = "", text = ""]) => ({ kind, file, text }),
);

describe("docs/plugins.md", () => {
  it("leads from nothing to a plugin that works", async () => {
    await using scenario = await startScenario();
    let told: Told | undefined;
    for (const block of blocks) {
      // Each step follows from the one before.
      // oxlint-disable-next-line no-await-in-loop
      told = (await follow(block, scenario, told)) ?? told;
    }
    assert.ok(blocks.filter(({ kind }) => kind === "sh").length >= 4);
  });

  it("says what each rule of medic plugin test means, and names no other", async () => {
    const { checks } = await checkPlugin(packing, new URL("../../plugins/systemd", import.meta.url).pathname);
    const rules = new Set<string>(checks.map(({ rule }) => rule));
    const told = [...page.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, rule = ""]) => rule);
    assert.deepEqual(told.toSorted(), ["loads", ...rules].toSorted());
  });
});

async function follow({ kind, file, text }: Block, { folder }: Scenario, told?: Told): Promise<Told | undefined> {
  const path = join(folder, file);
  switch (kind) {
    case "sh":
      return runAll(text, folder);
    case "text":
      for (const line of text.trim().split("\n")) assert.ok(told?.stdout.includes(line), `${line}\n${told?.stdout}`);
      return undefined;
    case "diff":
      await writeFile(path, patched(await readFile(path, "utf8"), text, file));
      return undefined;
    case "yaml":
      if (file === "hosts.yaml") await writeFile(path, merged(await readFile(path, "utf8"), text));
      else await writeFile(path, text);
      return undefined;
    case "ts":
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      return undefined;
    default:
      throw new Error(`Nobody can follow a block "${kind}"`);
  }
}

async function runAll(text: string, folder: string): Promise<Told | undefined> {
  let told: Told | undefined;
  for (const line of text.trim().split("\n")) {
    const [program, ...args] = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
    assert.equal(program, "medic", line);
    // oxlint-disable-next-line no-await-in-loop
    told = await medic(folder, args);
    assert.equal(told.code, 0, `${line}\n${told.stdout}\n${told.stderr}`);
  }
  return told;
}

const main = fileURLToPath(new URL("../../core/main.ts", import.meta.url));

function medic(folder: string, args: readonly string[]): Promise<Told> {
  const runtime = "deno" in process.versions ? ["run", "--allow-all", "--no-check"] : [];
  const env = { ...process.env, MEDIC_CONFIG: join(folder, "hosts.yaml") };
  return new Promise((resolve) => {
    execFile(process.execPath, [...runtime, main, ...args], { cwd: folder, env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

/** Replaces the old lines of a diff by the new ones; they have to stand in the file exactly once. */
function patched(source: string, diff: string, file: string): string {
  const lines = diff.trimEnd().split("\n");
  const side = (mark: string): string => lines.filter((line) => !line.startsWith(mark)).map((line) => line.slice(1)).join("\n"); // prettier-ignore
  const parts = source.split(side("+"));
  assert.equal(parts.length, 2, `${file} has ${parts.length - 1} times:\n${side("+")}`);
  return parts.join(side("-"));
}

type Node = { [key: string]: unknown };

/** What the page adds to hosts.yaml, within what is there. */
function merged(present: string, added: string): string {
  const into = (one: Node, other: Node): Node => {
    for (const [key, value] of Object.entries(other)) {
      const before = one[key];
      const both = typeof before === "object" && before !== null && typeof value === "object" && value !== null;
      one[key] = both && !Array.isArray(value) ? into(before as Node, value as Node) : value;
    }
    return one;
  };
  return stringify(into(parse(present) as Node, parse(added) as Node));
}
