// How many connections a burst of parallel commands costs, and how many commands it loses: a connection per command, the
// published dictionary of connections, and Medic's transport, against one server with stock limits, cold and warm.
import { readFileSync } from "node:fs";
import { perCommand, seedDict, type ContrastTarget } from "../../core/sandbox/contrast.ts";
import { silent } from "../../core/log.ts";
import { createTransport } from "../../core/transport/pool.ts";
import { benchPool } from "./pool.ts";
import type { BenchServer } from "./server.ts";

export type ConnectionsRow = {
  client: "per-command" | "seed-dict" | "medic";
  temperature: "cold" | "warm";
  burst: number;
  /** Over the whole row; a warm row counts the connection that warmed it up. */
  serverConnections: number;
  failed: number;
  wallMs: number;
};

export type ConnectionsReport = {
  benchmark: "connections";
  server: { kind: string; version: string; maxSessions: number; maxStartups: string };
  results: ConnectionsRow[];
};

type Client = { name: ConnectionsRow["client"]; run(command: string): Promise<void>; close(): Promise<void> };

export async function benchConnections(server: BenchServer, bursts: readonly number[]): Promise<ConnectionsReport> {
  const target: ContrastTarget = { ...server, privateKey: readFileSync(server.identity) };
  const clients = [() => perCommand(target), () => seedDict(target), () => medic(server)];
  const results: ConnectionsRow[] = [];
  for (const burst of bursts) {
    for (const temperature of ["cold", "warm"] as const) {
      for (const client of clients) results.push(await measure(server, client(), temperature, burst));
    }
  }
  const { kind, version, maxSessions, maxStartups } = server;
  return { benchmark: "connections", server: { kind, version, maxSessions, maxStartups }, results };
}

/** What Medic promises: one connection and no lost command in every row of its own. */
export function holds({ results }: ConnectionsReport): boolean {
  const own = results.filter((row) => row.client === "medic");
  return own.length > 0 && own.every((row) => row.serverConnections === 1 && row.failed === 0);
}

async function measure(
  server: BenchServer,
  client: Client,
  temperature: ConnectionsRow["temperature"],
  burst: number,
): Promise<ConnectionsRow> {
  const before = server.counts().authenticated;
  if (temperature === "warm") await client.run("true");
  const startedAt = performance.now();
  const answers = await Promise.allSettled(Array.from({ length: burst }, () => client.run("true")));
  const wallMs = Math.round(performance.now() - startedAt);
  const failed = answers.filter((answer) => answer.status === "rejected").length;
  const serverConnections = server.counts().authenticated - before;
  await client.close();
  await quiet(server);
  return { client: client.name, temperature, burst, serverConnections, failed, wallMs };
}

// The next row starts when the server has seen the last of this one's connections end.
async function quiet(server: BenchServer): Promise<void> {
  for (let tries = 0; tries < 60; tries += 1) {
    const { authenticated, closed } = server.counts();
    if (closed >= authenticated) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function medic(server: BenchServer): Client {
  const { address, port, user, identity, hostKey } = server;
  const settings = {
    transport: "ssh",
    address,
    port,
    user,
    identity,
    hostKey,
    privilege: "none",
    pool: benchPool,
  } as const;
  const transport = createTransport({ server: settings }, { log: silent });
  return {
    name: "medic",
    async run(command) {
      const { exit } = await transport.run("server", [command], {
        kind: "diagnostic",
        tool: "bench",
        commandSeconds: 60,
      });
      if (exit !== 0) throw new Error(`ended with ${exit}`);
    },
    close: () => transport.close(),
  };
}
