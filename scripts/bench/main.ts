// `npm run bench -- <scenario>`: figures anybody can measure again. A scenario measures and returns values; printing and
// the exit code are here.
import { parseArgs } from "node:util";
import { benchConnections, holds, type ConnectionsReport } from "./connections.ts";
import { benchIdle, type IdleReport } from "./idle.ts";
import { hasSshd, startSandbox, startSshd } from "./server.ts";

const usage = `usage: npm run bench -- connections [--bursts 5,10,24,50,100] [--server sshd|sandbox] [--json]
       npm run bench -- idle [--server sshd|sandbox] [--json]
The server is a real sshd with stock limits where /usr/sbin/sshd exists, else the sandbox.`;

process.exitCode = await main();

async function main(): Promise<number> {
  let parsed;
  try {
    const options = {
      bursts: { type: "string", default: "5,10,24,50,100" },
      server: { type: "string", default: hasSshd() ? "sshd" : "sandbox" },
      json: { type: "boolean", default: false },
    } as const;
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return complain(error instanceof Error ? error.message : String(error));
  }
  const [scenario, ...rest] = parsed.positionals;
  const bursts = parsed.values.bursts.split(",").map(Number);
  if (rest.length > 0 || (scenario !== "connections" && scenario !== "idle"))
    return complain(`Cannot run "${parsed.positionals.join(" ")}": no such benchmark`);
  if (bursts.some((burst) => !Number.isInteger(burst) || burst < 1 || burst > 1000)) {
    return complain(`Cannot use --bursts "${parsed.values.bursts}": whole numbers from 1 to 1000, with commas`);
  }
  if (parsed.values.server !== "sshd" && parsed.values.server !== "sandbox") {
    return complain(`Cannot use --server "${parsed.values.server}": sshd or sandbox`);
  }
  const server = await (parsed.values.server === "sshd" ? startSshd() : startSandbox());
  try {
    if (scenario === "connections") {
      const report = await benchConnections(server, bursts);
      print(parsed.values.json, report, connectionsTable(report));
      return holds(report) ? 0 : 1;
    }
    const report = await benchIdle(server);
    print(parsed.values.json, report, idleTable(report));
    return report.results.every((row) => row.passed) ? 0 : 1;
  } finally {
    await server.close();
  }
}

function complain(text: string): number {
  process.stderr.write(`${text}\n${usage}\n`);
  return 2;
}

function print(isJson: boolean, report: object, table: string): void {
  process.stdout.write(isJson ? `${JSON.stringify(report)}\n` : `${table}\n`);
}

function connectionsTable({ server, results }: ConnectionsReport): string {
  const head = `${server.kind} ${server.version}, MaxSessions ${server.maxSessions}, MaxStartups ${server.maxStartups}; counted by the server (warm: the warm-up included)\n`;
  const rows = results.map((row) => [
    row.client,
    row.temperature,
    row.burst,
    row.serverConnections,
    row.failed,
    row.wallMs,
  ]);
  return head + columns([["client", "", "burst", "connections", "failed", "ms"], ...rows]);
}

function idleTable({ server, results }: IdleReport): string {
  const rows = results.map((row) => [row.passed ? "yes" : "NO", row.claim, row.saw]);
  return `${server.kind} ${server.version}; seen in the server's log\n${columns([["holds", "claim", "seen"], ...rows])}`;
}

function columns(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => String(row[index]).length)));
  const cell = (value: string | number, width: number) =>
    typeof value === "number" ? String(value).padStart(width) : value.padEnd(width);
  return rows
    .map((row) =>
      row
        .map((value, index) => cell(value, widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
