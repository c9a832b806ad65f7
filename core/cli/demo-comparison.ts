// The demo's table: one burst of diagnostics as three clients send it, each to a server of its own, counted by that
// server. Two of the clients are the designs that Medic replaces, faults included.
import * as v from "valibot";
import type { JournalEvent } from "../incident/incident.ts";
import { silent } from "../log.ts";
import type { Command } from "../plugin/contract.ts";
import type { Catalog } from "../plugin/catalog.ts";
import { type ContrastClient, perCommand, seedDict } from "../sandbox/contrast.ts";
import { createSandbox, type Sandbox } from "../sandbox/sandbox.ts";
import { createTransport } from "../transport/pool.ts";
import { render } from "../transport/quote.ts";

/** As `medic demo --json` prints it. */
export type ComparisonRow = {
  client: "per-command" | "seed-dict" | "medic";
  /** Authenticated, by the server's count. */
  serverConnections: number;
  commands: number;
  /** Commands that ran over a connection opened for another one. */
  reused: number;
  /** Commands that did not run. */
  failed: number;
  wallMs: number;
};

type Runs = { run(command: Command): Promise<unknown>; close(): Promise<void> };

const COMMAND_SECONDS = 20;
const pool = {
  idleTimeout: 300,
  keepaliveInterval: 15,
  keepaliveCount: 3,
  maxChannels: "auto",
  dialTimeout: 10,
  commandTimeout: 60,
  queue: 1000,
  outputBytes: 1024 * 1024,
} as const;

/** The commands that were asked for as evidence, made again from what the journal kept. */
export function burstOf(events: readonly JournalEvent[], catalog: Catalog, host: string): Command[] {
  const gathered = events.find((event) => event.kind === "evidence-gathered");
  return (gathered?.findings ?? []).flatMap(({ tool: name, input }) => {
    const tool = catalog.tool(name);
    const given = catalog.optionsFor(name, host);
    if (tool?.kind !== "diagnostic" || "unavailable" in given) return [];
    const command = tool.command(v.parse(tool.input, input), given.options);
    return "refused" in command ? [] : [command];
  });
}

export async function compareClients(burst: readonly Command[], stop: AbortSignal): Promise<ComparisonRow[]> {
  return [
    await measure("per-command", burst, (sandbox) => lines(perCommand(targetOf(sandbox))), stop),
    await measure("seed-dict", burst, (sandbox) => lines(seedDict(targetOf(sandbox))), stop),
    await measure("medic", burst, pooled, stop),
  ];
}

async function measure(
  client: ComparisonRow["client"],
  burst: readonly Command[],
  make: (sandbox: Sandbox) => Runs,
  stop: AbortSignal,
): Promise<ComparisonRow> {
  stop.throwIfAborted();
  const sandbox = await createSandbox();
  const runs = make(sandbox);
  try {
    const began = performance.now();
    const ended = await Promise.allSettled(burst.map(async (command) => await runs.run(command)));
    const wallMs = Math.round(performance.now() - began);
    const { authenticated: serverConnections, commands: ran } = sandbox.counts();
    const failed = ended.filter(({ status }) => status === "rejected").length;
    return {
      client,
      serverConnections,
      commands: burst.length,
      reused: Math.max(0, ran - serverConnections),
      failed,
      wallMs,
    };
  } finally {
    await runs.close();
    await sandbox.close();
  }
}

function targetOf({ address, port, user, privateKey }: Sandbox): Parameters<typeof perCommand>[0] {
  return { address, port, user, privateKey };
}

/** A contrast client, given the very line that Medic would send. An exit status of its own is an answer, no failure. */
function lines(client: ContrastClient): Runs {
  return {
    run: async (command) => {
      const line = render(command, { privilege: "none", killAfterSeconds: COMMAND_SECONDS });
      await client.run(`(${line}); exit 0`);
    },
    close: async () => await client.close(),
  };
}

function pooled({ address, port, user, identity, hostKey }: Sandbox): Runs {
  const host = { transport: "ssh", address, port, user, identity, hostKey, privilege: "none", pool } as const;
  const transport = createTransport({ nexus: host }, { log: silent });
  return {
    run: async (command) =>
      await transport.run("nexus", command, { kind: "diagnostic", tool: "demo", commandSeconds: COMMAND_SECONDS }),
    close: async () => await transport.close(),
  };
}
