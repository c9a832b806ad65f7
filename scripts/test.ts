// Runs the tests: `tsx scripts/test.ts node|deno|lab [files…]`. Node and Deno run the same files, except the listed
// ones; both print how many tests passed, so that a runtime that silently skips some is seen.
import { spawn } from "node:child_process";
import { glob } from "node:fs/promises";

/** Test files that only one runtime runs, and why. Anything not listed here has to pass on both. */
const NODE_ONLY: Readonly<Record<string, string>> = {
  "test/architecture.test.ts": "reads the source as text; says nothing about a runtime",
};

const [suite = "node", ...wanted] = process.argv.slice(2);
if (suite !== "node" && suite !== "deno" && suite !== "lab") {
  console.error(`Cannot run "${suite}": the suites are node, deno and lab`);
  process.exit(2);
}
const files = wanted.length > 0 ? wanted : await filesOf(suite);
if (files.length === 0) {
  console.error(`Cannot run "${suite}": there are no test files`);
  process.exit(1);
}
if (suite === "deno")
  for (const [file, why] of Object.entries(NODE_ONLY)) console.log(`not under Deno: ${file}: ${why}`);

const began = performance.now();
const [program, args] = commandOf(suite, files);
const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, NO_COLOR: "1" } });
child.on("error", (error) => {
  console.error(`Cannot run "${program}": ${error.message}. Run npm ci first`);
  process.exitCode = 2;
});
child.on("close", (code) => {
  console.log(`${suite}: ${files.length} files in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  process.exitCode = code ?? 1;
});

async function filesOf(suite: "node" | "deno" | "lab"): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob("test/**/*.test.ts")) found.push(file);
  const isLab = (file: string): boolean => file.startsWith("test/lab/");
  const chosen = found.filter((file) => isLab(file) === (suite === "lab"));
  return chosen.filter((file) => suite !== "deno" || !(file in NODE_ONLY)).toSorted();
}

function commandOf(suite: "node" | "deno" | "lab", files: readonly string[]): [string, string[]] {
  if (suite === "deno") return ["deno", ["test", "--allow-all", "--no-check", "--quiet", ...files]];
  // Real hosts are shared by the lab's tests, so its files run one after the other.
  const concurrency = suite === "lab" ? ["--test-concurrency=1"] : [];
  return ["node", ["--test", "--test-reporter=spec", ...concurrency, ...files]];
}
