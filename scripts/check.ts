// The one gate, `npm run check`: types (TypeScript and Deno), lint, format, unused code, the house's own rules. Runs all
// of them, prints each one's time and only the failed ones' output, and ends with 1 if any failed.
import { spawn } from "node:child_process";

type Step = { name: string; command: readonly string[] };

const steps: readonly Step[] = [
  { name: "typecheck", command: ["node", "node_modules/typescript/bin/tsc", "--noEmit"] },
  { name: "deno check", command: ["deno", "check", "--quiet", "core", "plugins"] },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings"] },
  { name: "format", command: ["oxfmt", "--check"] },
  { name: "unused code", command: ["knip"] },
  { name: "generated files", command: ["tsx", "scripts/generate.ts", "--check"] },
  { name: "architecture", command: ["node", "--test", "--test-reporter=dot", "test/architecture.test.ts"] },
];

let failed = 0;
for (const step of steps) {
  const began = performance.now();
  const { code, output } = await run(step.command);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${step.name} (${seconds} s)`);
  if (code === 0) continue;
  failed++;
  console.log(output.trimEnd());
}
process.exitCode = failed === 0 ? 0 : 1;

async function run([program = "", ...args]: readonly string[]): Promise<{ code: number; output: string }> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  return await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`Cannot run "${program}": ${error.message}. Run npm ci first`)));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
