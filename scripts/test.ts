// Runs the tests: `tsx scripts/test.ts node|deno|lab|binary [files…]`. Node and Deno run the same files, except the listed
// ones. Both print how many tests and suites there were; a difference fails the second run, because a runtime that
// silently skips some would otherwise look green.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { glob } from "node:fs/promises";

type Suite = "node" | "deno" | "lab" | "binary";
/** Tests and suites together: Deno counts both as steps. */
type Run = { code: number; counted: number };

/** Test files that only one runtime runs, and why. Anything not listed here has to pass on both. */
const NODE_ONLY: Readonly<Record<string, string>> = {
  "test/architecture.test.ts": "reads the source as text; says nothing about a runtime",
};
const COUNTS = ".medic/test-counts.json";
const FILES_AT_ONCE = 2;

const [suite = "node", ...wanted] = process.argv.slice(2);
if (suite !== "node" && suite !== "deno" && suite !== "lab" && suite !== "binary") {
  console.error(`Cannot run "${suite}": the suites are node, deno, lab and binary`);
  process.exit(2);
}
process.exitCode = await main(suite, wanted);

async function main(suite: Suite, wanted: readonly string[]): Promise<number> {
  const files = wanted.length > 0 ? [...wanted] : await filesOf(suite);
  const shared = files.filter((file) => !(file in NODE_ONLY));
  const nodeOnly = files.filter((file) => file in NODE_ONLY);
  const began = performance.now();
  const run = await runFiles(suite, shared);
  const more = suite === "node" && nodeOnly.length > 0 ? await runFiles(suite, nodeOnly) : { code: 0, counted: 0 };
  console.log(`${suite}: ${run.counted} tests and suites in ${shared.length} files`);
  for (const file of nodeOnly)
    console.log(`${suite === "deno" ? "not under Deno" : "and on Node only"}: ${file}: ${NODE_ONLY[file]}`);
  if (more.counted > 0) console.log(`node only: ${more.counted} tests and suites`);
  console.log(`${suite}: took ${((performance.now() - began) / 1000).toFixed(1)} s`);
  if (run.code !== 0 || more.code !== 0) return 1;
  return wanted.length > 0 || isCountedAlike(suite, run.counted) ? 0 : 1;
}

/** Remembers Node's count, and holds Deno's against it when Node ran the same files before. */
function isCountedAlike(suite: Suite, counted: number): boolean {
  if (suite === "lab" || suite === "binary") return true;
  if (suite === "node") {
    mkdirSync(".medic", { recursive: true });
    writeFileSync(COUNTS, JSON.stringify({ node: counted }));
    return true;
  }
  const before = nodeCount();
  if (before === undefined || before === counted) return true;
  console.error(`Deno counted ${counted} tests and suites, Node ${before} in the same files: one of them skips some`);
  return false;
}

function nodeCount(): number | undefined {
  try {
    return (JSON.parse(readFileSync(COUNTS, "utf8")) as { node: number }).node;
  } catch {
    return undefined;
  }
}

/** Those that need a lab, or build first, have folders of their own. */
function suitesOf(file: string): readonly Suite[] {
  const own = (["lab", "binary"] as const).find((name) => file.startsWith(`test/${name}/`));
  return own === undefined ? ["node", "deno"] : [own];
}

async function filesOf(suite: Suite): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob("test/**/*.test.ts")) found.push(file);
  return found.filter((file) => suitesOf(file).includes(suite)).toSorted();
}

async function runFiles(suite: Suite, files: readonly string[]): Promise<Run> {
  if (files.length === 0) throw new Error(`Cannot run the suite "${suite}": it has no test files`);
  const [program, args] = commandOf(suite, files);
  // Colours would split the figures that are read below.
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NO_COLOR: "1", DENO_JOBS: String(FILES_AT_ONCE) },
  });
  let tail = "";
  child.stdout.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    tail = (tail + chunk.toString()).slice(-5000);
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`Cannot run "${program}": ${error.message}. Run npm ci first`)));
    child.on("close", (code) => resolve({ code: code ?? 1, counted: countIn(tail) }));
  });
}

function countIn(tail: string): number {
  // Node counts what a machine lacks the means for (skipped) too.
  const deno = [...tail.matchAll(/(\d+) (?:passed|ignored)(?: \((\d+) steps?\))?/g)];
  if (deno.length > 0) return deno.reduce((sum, [, tests, steps]) => sum + Number(tests) + Number(steps ?? 0), 0);
  const figure = (name: string): number => Number(new RegExp(`^ℹ ${name} (\\d+)$`, "m").exec(tail)?.[1] ?? 0);
  return figure("tests") + figure("suites");
}

function commandOf(suite: Suite, files: readonly string[]): [string, string[]] {
  if (suite === "deno") return ["deno", ["test", "--allow-all", "--no-check", "--quiet", "--parallel", ...files]];
  // Real hosts are shared by the lab's tests, so its files run one after the other. The others mostly wait: for clocks,
  // for servers of their own.
  const atOnce = suite === "lab" ? 1 : FILES_AT_ONCE;
  return ["node", ["--test", "--test-reporter=spec", `--test-concurrency=${atOnce}`, ...files]];
}
