// `medic serve` as it is, with two of its parts wrapped from outside: the journal and what carries commands to the hosts.
// Each moment before and after they do something is a boundary with a name; this process writes the names down, or kills
// itself at one of them. The product knows nothing of it.
//
//   node entry.ts --record FILE|--at NAME --during MILLISECONDS --config FILE
import { appendFileSync } from "node:fs";
import { homedir } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { readEquipped } from "../../../core/cli/config-file.ts";
import { createOutput } from "../../../core/cli/context.ts";
import { startServing } from "../../../core/cli/serve.ts";
import { type Journal, openJournal } from "../../../core/incident/journal.ts";
import { createLog } from "../../../core/log.ts";
import { createTransport, type How, type Transport } from "../../../core/transport/pool.ts";

const { values } = parseArgs({
  options: {
    record: { type: "string" },
    at: { type: "string" },
    during: { type: "string", default: "30" },
    config: { type: "string" },
  },
});

/** How far the incident is: the same command is another boundary before a fix than after it. */
let phase = "looking";
const phases: Readonly<Record<string, string>> = {
  "fix-started": "fixing",
  "fix-dispatched": "verifying",
  "fix-judged": "judged",
};

function reached(what: string): void {
  const name = `${what}, ${phase}`;
  if (values.record !== undefined) appendFileSync(values.record, `${name}\n`);
  if (name !== values.at) return;
  process.kill(process.pid, "SIGKILL");
  // Nothing of this process runs on while the signal is on its way.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Before an append, and after the commit that made it durable. */
function watchJournal(journal: Journal): void {
  const append = journal.append.bind(journal);
  const atomically = journal.atomically.bind(journal);
  let depth = 0;
  let kinds: string[] = [];
  journal.append = (events) => {
    kinds.push(...events.map(({ kind }) => kind));
    if (depth === 0) reached(`before ${kinds.join(" and ")} is written`);
    return append(events);
  };
  journal.atomically = (step) => {
    depth++;
    const result = ((): ReturnType<typeof step> => {
      try {
        return atomically(step);
      } finally {
        depth--;
      }
    })();
    if (depth > 0 || kinds.length === 0) return result;
    const written = kinds;
    kinds = [];
    reached(`after ${written.join(" and ")} is written`);
    phase = phases[written.at(-1) ?? ""] ?? phase;
    return result;
  };
}

/** Before a command is handed over, while it is on the host, and after its answer came. */
function watched(transport: Transport): Transport {
  const run: Transport["run"] = async (host, command, how) => {
    const name = nameOf(how);
    reached(`before ${name}`);
    const timer = setTimeout(() => reached(`during ${name}`), Number(values.during));
    try {
      return await transport.run(host, command, how);
    } finally {
      clearTimeout(timer);
      reached(`after ${name}`);
    }
  };
  return {
    run,
    hostKey: (host, signal) => transport.hostKey(host, signal),
    statistics: () => transport.statistics(),
    reconfigure: (hosts) => transport.reconfigure(hosts),
    close: (reason) => transport.close(reason),
  };
}

/** Diagnostics are all of one kind; the steps of a fix and core's own questions about claims are not. */
function nameOf({ kind, tool }: How): string {
  if (kind === "fix") return "a step";
  return tool.startsWith("claims_") ? tool : "a diagnostic";
}

const stop = new AbortController();
const out = createOutput(process, process.env);
const context = { env: process.env, home: homedir(), folder: process.cwd(), out, stop: stop.signal };
const equipped = await readEquipped(context, { config: values.config });
const { data } = equipped.config.server;
const log = await createLog({ level: "info", json: false, write: (line) => out.line(line) });
const journal = openJournal(data, { now: Date.now });
watchJournal(journal);
const carry: typeof createTransport = (hosts, options) => watched(createTransport(hosts, options));
await startServing({ ...equipped, journal, log, agentSocket: undefined, carry }, data);
