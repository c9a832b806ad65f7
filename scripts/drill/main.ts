// Drills: each breaks something for real on a host of the lab, alerts a real Medic without a model, and sees it end in a
// proven fix or in the right word to a person.
//
//   npm run lab -- up --yes && npm run drill -- <name|all|list> … [--json] [--save]
//
// Drills run in parallel over the lab's hosts, one at a time on each. Exit 0 when every drill passed. `passed` is the
// checker's word, from raw logs that stay in `.medic/drill/<time>/<drill>/`. `--save` writes docs/drills.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readLab } from "../lab/lab.ts";
import { check, type Judgement, notCarriedOut } from "./check.ts";
import type { Drill } from "./drill.ts";
import { readRaw } from "./raw.ts";
import { drills } from "./roster.ts";
import { runDrill } from "./run.ts";
import { scorecard } from "./scorecard.ts";

const root = resolve(import.meta.dirname, "../..");
const usage = "usage: npm run drill -- <name|all|list> … [--json] [--save]";

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean" }, save: { type: "boolean" } },
  allowPositionals: true,
});
process.exitCode = await main(positionals, values);

async function main(wanted: readonly string[], how: { json?: boolean; save?: boolean }): Promise<number> {
  if (wanted.length === 0) return refuse(usage);
  if (wanted.includes("list")) {
    for (const { name, expected, tells } of drills) console.log(`${name.padEnd(34)} ${expected.padEnd(10)} ${tells}`);
    return 0;
  }
  const unknown = wanted.find((name) => name !== "all" && !drills.some((drill) => drill.name === name));
  if (unknown !== undefined) return refuse(`Cannot run drill "${unknown}": there is none. ${usage}`);
  const chosen = drills.filter(({ name }) => wanted.includes("all") || wanted.includes(name));
  if (how.save === true && chosen.length < drills.length) {
    return refuse("Cannot save a scorecard of some drills: it tells of all. Run all --save");
  }

  const began = Date.now();
  const folder = join(root, ".medic/drill", new Date().toISOString().replace(/[:.]/g, "-"));
  mkdirSync(folder, { recursive: true });
  const judgements = await runAll(chosen, folder, (text) => void (how.json === true || console.log(text)));
  const results = judgements.map(({ result }) => result);
  writeFileSync(join(folder, "results.json"), `${JSON.stringify({ results }, null, 2)}\n`);
  if (how.json === true) console.log(JSON.stringify({ results }, null, 2));
  else {
    const passed = results.filter((result) => result.passed).length;
    console.log(
      `${passed} of ${chosen.length} passed in ${Math.round((Date.now() - began) / 1000)} s; logs: ${folder}`,
    );
  }
  const isWhole = judgements.length === chosen.length;
  if (how.save === true && isWhole) writeFileSync(join(root, "docs/drills.md"), scorecard(judgements));
  if (how.save === true && !isWhole) console.error("Cannot save the scorecard: it was interrupted, and tells of all");
  return isWhole && results.every(({ passed }) => passed) ? 0 : 1;
}

/** Runs them over all hosts at once; each host takes the next one when it is free. */
async function runAll(chosen: readonly Drill[], folder: string, tell: (text: string) => void): Promise<Judgement[]> {
  const stop = new AbortController();
  const interrupted = (): void => stop.abort(new Error("interrupted"));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const waiting = [...chosen];
  const judged = new Map<string, Judgement>();
  const work = async (host: string): Promise<void> => {
    for (let drill = waiting.shift(); drill !== undefined && !stop.signal.aborted; drill = waiting.shift()) {
      try {
        await runDrill(drill, host, folder, stop.signal);
        judged.set(drill.name, check(readRaw(join(folder, drill.name))));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        judged.set(drill.name, notCarriedOut(drill, host, why));
      }
      const judgement = judged.get(drill.name);
      if (judgement !== undefined) tell(line(judgement));
    }
  };
  await Promise.all(readLab().hosts.map(({ name }) => work(name)));
  process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  return chosen.flatMap(({ name }) => judged.get(name) ?? []);
}

function line({ result, host, said, faults }: Judgement): string {
  const { drill, outcome, fixes, seconds, passed } = result;
  const head = `${passed ? "ok    " : "FAILED"} ${drill.padEnd(34)} ${host.padEnd(6)} ${seconds.toFixed(1).padStart(5)} s`;
  const did = `${outcome}${fixes.length === 0 ? "" : ` by ${fixes.join(", ")}`}`;
  return `${head}  ${did}: ${passed ? said : `${faults.join("; ")} | ${said}`}`;
}

function refuse(text: string): number {
  console.error(text);
  return 2;
}
