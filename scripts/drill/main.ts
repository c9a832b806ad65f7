// Drills: each breaks something for real on a host of the lab, alerts a real Medic without a model, and sees it end in a
// proven fix or in the right word to a person.
//
//   npm run lab -- up --yes && npm run drill -- <name|quick|all|list> … [--json] [--save]
//   npm run drill -- check [<folder>]       judges the logs of a run (the last one) once more
//
// Drills run in parallel over the lab's hosts, one at a time on each; one at a time of those that the real monitors tell.
// Exit 0 when every drill passed. `passed` is the checker's word, from raw logs that stay in `.medic/drill/<time>/<drill>/`.
// `--save` writes docs/drills.md. `quick`: those that stand for all.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
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
const runs = join(root, ".medic/drill");
const usage = "usage: npm run drill -- <name|quick|all|list> … | check [<folder>] [--json] [--save]";

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
  if (wanted[0] === "check") {
    const kept = wanted[1] ?? lastRun();
    if (kept === undefined || !existsSync(kept))
      return refuse(`Cannot check "${kept ?? runs}": there is no run. ${usage}`);
    return told(checkAgain(kept), how.json === true);
  }
  const groups = new Set(["all", "quick"]);
  const unknown = wanted.find((name) => !groups.has(name) && !drills.some((drill) => drill.name === name));
  if (unknown !== undefined) return refuse(`Cannot run drill "${unknown}": there is none. ${usage}`);
  const chosen = drills.filter(
    ({ name, quick }) =>
      wanted.includes("all") || wanted.includes(name) || (quick === true && wanted.includes("quick")),
  );
  if (how.save === true && chosen.length < drills.length) {
    return refuse("Cannot save a scorecard of some drills: it tells of all. Run all --save");
  }

  const began = Date.now();
  const folder = join(runs, new Date().toISOString().replace(/[:.]/g, "-"));
  mkdirSync(folder, { recursive: true });
  const judgements = await runAll(chosen, folder, (text) => void (how.json === true || console.log(text)));
  const results = judgements.map(({ result }) => result);
  writeFileSync(join(folder, "results.json"), `${JSON.stringify({ results }, null, 2)}\n`);
  const code = told(judgements, how.json === true);
  if (how.json !== true) console.log(`in ${Math.round((Date.now() - began) / 1000)} s; logs: ${folder}`);
  const isWhole = judgements.length === chosen.length;
  if (how.save === true && isWhole) {
    const page = join(root, "docs/drills.md");
    writeFileSync(page, scorecard(judgements));
    execFileSync(join(root, "node_modules/.bin/oxfmt"), [page]);
  }
  if (how.save === true && !isWhole) console.error("Cannot save the scorecard: it was interrupted, and tells of all");
  return isWhole ? code : 1;
}

/** Says what came of it; the exit code. */
function told(judgements: readonly Judgement[], isJson: boolean): number {
  const results = judgements.map(({ result }) => result);
  const passed = results.filter((result) => result.passed).length;
  if (isJson) console.log(JSON.stringify({ results }, null, 2));
  else console.log(`${passed} of ${results.length} passed`);
  return passed > 0 && passed === results.length ? 0 : 1;
}

function lastRun(): string | undefined {
  const last = existsSync(runs) ? readdirSync(runs).toSorted().at(-1) : undefined;
  return last === undefined ? undefined : join(runs, last);
}

/** By the logs alone: nothing of the run that made them is asked. */
function checkAgain(folder: string): Judgement[] {
  const kept = readdirSync(folder, { withFileTypes: true }).filter((one) => one.isDirectory());
  return kept.map(({ name }) => check(readRaw(join(folder, name))));
}

/** Runs them over all hosts at once; each host takes the next one when it is free. */
async function runAll(chosen: readonly Drill[], folder: string, tell: (text: string) => void): Promise<Judgement[]> {
  const stop = new AbortController();
  const interrupted = (): void => stop.abort(new Error("interrupted"));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  // The monitors tell one Medic at a time, so one host does those; it helps the others when it has done them.
  const waiting = chosen.filter(({ raisedBy }) => raisedBy === undefined);
  const toldByMonitors = chosen.filter(({ raisedBy }) => raisedBy !== undefined);
  const judged = new Map<string, Judgement>();
  const work = async (host: string, own: Drill[]): Promise<void> => {
    const next = (): Drill | undefined => own.shift() ?? waiting.shift();
    for (let drill = next(); drill !== undefined && !stop.signal.aborted; drill = next()) {
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
  await Promise.all(readLab().hosts.map(({ name }, index) => work(name, index === 0 ? toldByMonitors : [])));
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
