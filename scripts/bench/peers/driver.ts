// The process of one client that lives in Node: reads what to run, runs it, answers with times. Arguments: the client's
// name, the target as JSON. Ends with its input.
import { createInterface } from "node:readline";
import { clients, type Client, type MakeClient } from "./clients.ts";
import type { Answer, Ask, Target } from "./protocol.ts";

type Run = Exclude<Ask, { release: true }>;

const [name = "", targetText = "{}"] = process.argv.slice(2);
const target = JSON.parse(targetText) as Target;
const make = clients[name];
if (make === undefined) throw new Error(`Cannot drive "${name}": no such client`);
let standing: Client | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Ask, make))}\n`);
}
await standing?.close();
process.exit(0);

async function answer(ask: Ask, make: MakeClient): Promise<Answer> {
  if ("release" in ask) {
    await standing?.close();
    standing = undefined;
    return { latenciesMs: [], failed: 0, wallMs: 0 };
  }
  if (ask.fresh) return run(ask, make);
  standing ??= await make(target, ask.hosts);
  return run(ask, () => standing ?? make(target, ask.hosts));
}

async function run(ask: Run, client: MakeClient): Promise<Answer> {
  const latenciesMs: number[] = [];
  let error: string | undefined;
  let failed = 0;
  let next = 0;
  const worker = async () => {
    for (let number = next++; number < ask.count; number = next++) {
      const current = await client(target, 1);
      const startedAt = performance.now();
      try {
        await current.run(ask.command, ask.fresh ? 0 : number % ask.hosts);
        latenciesMs.push(performance.now() - startedAt);
      } catch (thrown) {
        failed += 1;
        error ??= thrown instanceof Error ? thrown.message : String(thrown);
      }
      if (ask.fresh) await current.close();
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: Math.min(ask.concurrency, ask.count) }, worker));
  const wallMs = performance.now() - startedAt;
  return { latenciesMs, failed, wallMs, ...(error === undefined ? {} : { error }) };
}
